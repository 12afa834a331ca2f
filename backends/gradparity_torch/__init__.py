"""The PyTorch backend: torch.autograd over an idiomatic forward pass."""

from gradparity.protocol import Backend
from gradparity_torch import autograd
from gradparity_torch.runtime import TorchBackend

backend: Backend = TorchBackend("torch", "machine", autograd.functions)

__all__ = ["TorchBackend", "backend"]
