"""The PyTorch backend: torch.autograd over an idiomatic forward pass.

``runtime`` is all that is particular to PyTorch and does not care who derives; ``autodiff`` is who derives here.
"""

from typing import TYPE_CHECKING

from gradparity.runtime import Listed

if TYPE_CHECKING:
    from gradparity.model import RuntimeBackend

LISTED = {name: Listed("torch", "machine", ("torch",)) for name in ("torch", "torch-compile")}


def __getattr__(name: str) -> "RuntimeBackend":
    """Make the backend when it is asked for: PyTorch is not loaded before."""
    if name != "backend":
        raise AttributeError(f"module 'gradparity_torch' has no attribute '{name}'")
    from gradparity.model import RuntimeBackend
    from gradparity_torch import autodiff
    from gradparity_torch.runtime import TorchRuntime

    return RuntimeBackend("torch", "machine", autodiff.functions, TorchRuntime())
