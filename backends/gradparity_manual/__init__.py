"""The hand derivations: forward and backward passes written out, with no automatic differentiation anywhere.

Each model is one file of plain functions in array-API style, so the same derivation runs on NumPy arrays
(backend ``numpy``), on JAX arrays (``jax-manual``) and on PyTorch tensors without autograd (``torch-manual``).
"""
