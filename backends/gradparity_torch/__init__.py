"""The PyTorch backend: torch.autograd over an idiomatic forward pass.

``runtime`` is all that is particular to PyTorch and does not care who derives; ``autodiff`` is who derives here.
"""

from gradparity.model import RuntimeBackend
from gradparity_torch import autodiff
from gradparity_torch.runtime import TorchRuntime

backend = RuntimeBackend("torch", "machine", autodiff.functions, TorchRuntime())

__all__ = ["TorchRuntime", "backend"]
