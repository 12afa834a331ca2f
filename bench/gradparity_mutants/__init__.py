"""The checker is checked: bugs planted at every line of every derivation, and what each gradient checker says.

``python -m gradparity_mutants`` plants them all, and prints how many were caught and how often exactly the planted
line was named, beside ``torch.autograd.gradcheck`` and ``jax.test_util.check_grads`` on the same mutants.
"""
