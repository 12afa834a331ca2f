"""What people would use instead: the same training in scikit-learn, Keras, flax with optax, and plain PyTorch.

``python -m gradparity_alternatives`` trains the same network, from the same weights, on the same batches, by the same
optimiser, in each of them and in gradparity's own backends; compares the weights; and then times an epoch in turns.
"""
