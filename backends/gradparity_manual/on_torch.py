"""Backend ``torch-manual``: the hand derivations on PyTorch tensors, with autograd off."""

from gradparity_manual import derivation
from gradparity_torch.runtime import TorchBackend

backend = TorchBackend("torch-manual", "hand", derivation.functions)
