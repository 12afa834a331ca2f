"""What a training loop costs, and what the framework around it adds.

``python -m gradparity_bench.speed`` times whole epochs on MNIST against loops written out by hand; the suites beside
this package, run by ``pytest bench``, time single operations.
"""
