"""Libraries that train by one call: scikit-learn's ``partial_fit`` and Keras' ``fit``."""

import numpy as np

from gradparity_bench.drawn import Order, Task, Trainer, Weights


def scikit_learn(task: Task) -> Trainer:
    """Return the training by an MLPClassifier whose own initial weights are replaced, one ``partial_fit`` an epoch.

    Without hidden layers it is softmax regression.
    """
    from sklearn.neural_network import MLPClassifier

    x, y = task.in_memory()
    classifier = MLPClassifier(
        hidden_layer_sizes=task.widths[1:-1],
        activation="relu",
        solver="sgd",
        alpha=0.0,
        batch_size=task.batch_size,
        learning_rate="constant",
        learning_rate_init=task.lr,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
    )
    # The first call makes the weights that are then overwritten; a smaller batch than batch_size is warned about.
    first = slice(task.batch_size)
    classifier.partial_fit(x[first], y[first], classes=np.arange(task.widths[-1]))
    for (W, b), coefficients, intercepts in zip(task.layers, classifier.coefs_, classifier.intercepts_, strict=True):
        coefficients[...], intercepts[...] = W, b

    def epoch(order: Order) -> None:
        classifier.partial_fit(x[order], y[order])

    def weights() -> Weights:
        return task.named(list(zip(classifier.coefs_, classifier.intercepts_, strict=True)))

    return Trainer(epoch, weights)


def keras(task: Task) -> Trainer:
    """Return the training by a Sequential model, compiled as Keras does by default.

    It runs on whichever library the environment variable KERAS_BACKEND names.
    """
    import keras

    x, y = task.in_memory()
    inputs, *hidden, classes = task.widths
    layers = [*(keras.layers.Dense(width, activation="relu") for width in hidden), keras.layers.Dense(classes)]
    model = keras.Sequential([keras.Input((inputs,)), *layers])
    for layer, own in zip(layers, task.layers, strict=True):
        layer.set_weights(list(own))
    model.compile(
        optimizer=keras.optimizers.SGD(task.lr),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def epoch(order: Order) -> None:
        model.fit(x[order], y[order], batch_size=task.batch_size, shuffle=False, verbose=0)

    def weights() -> Weights:
        return task.named([tuple(layer.get_weights()) for layer in layers])

    return Trainer(epoch, weights)
