"""The training loop that a PyTorch user writes: Dataset, DataLoader, Module, loss and optimiser.

Source: PyTorch's own tutorial "Optimizing Model Parameters".
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)
from torch.utils.data import DataLoader, TensorDataset

from gradparity_bench.task import Task, Weights


def train(task: Task, order: Int[np.ndarray, " n"] | None = None) -> Iterator[Weights]:
    """Yield the weights after each epoch, without end.

    The DataLoader shuffles; or it keeps to ``order`` in every epoch, for comparison with another loop's weights.
    """
    x, y, _ = task.examples.batch(slice(None), "float32")
    dataset = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    sampler = None if order is None else order.tolist()
    loader = DataLoader(dataset, batch_size=task.batch_size, shuffle=order is None, sampler=sampler)

    model = nn.Linear(x.shape[1], task.classes)
    weights, _ = task.start()
    with torch.no_grad():
        model.weight.copy_(torch.from_numpy(weights["W"].T))
        model.bias.copy_(torch.from_numpy(weights["b"]))
    optimizer = torch.optim.SGD(model.parameters(), lr=task.lr)

    while True:
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        yield {"W": model.weight.detach().numpy().T.copy(), "b": model.bias.detach().numpy().copy()}
