"""The torch backend's epoch written out without the framework: the same operations, in one function."""

from collections.abc import Iterator

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity_bench.task import Task, Weights
from gradparity_torch.runtime import NUMBERS_PER_GATHER


def train(task: Task) -> Iterator[Weights]:
    """Yield the weights after each epoch, without end."""
    images, labels = torch.from_numpy(task.examples.x), torch.from_numpy(task.examples.y)
    n, features = images.shape
    weights, rng = task.start()
    # W lies in memory column by column, as the backend keeps narrow matrices.
    W = torch.tensor(weights["W"], dtype=torch.float32).T.contiguous().T.requires_grad_()
    b = torch.tensor(weights["b"], dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.SGD([W, b], lr=task.lr)
    gathered = min(n, task.batch_size * max(1, NUMBERS_PER_GATHER // (task.batch_size * features)))

    while True:
        order = torch.from_numpy(rng.permutation(n))
        raw, X = torch.empty((gathered, features), dtype=images.dtype), torch.empty((gathered, features))
        losses = torch.empty(-(-n // task.batch_size))
        step = 0
        for start in range(0, n, gathered):
            index = order[start : start + gathered]
            rows = X[: len(index)]
            torch.index_select(images, 0, index, out=raw[: len(index)])
            rows.copy_(raw[: len(index)])
            rows /= task.examples.divisor
            targets = labels.index_select(0, index)

            for x, y in zip(torch.split(rows, task.batch_size), torch.split(targets, task.batch_size), strict=True):
                loss = F.cross_entropy(torch.addmm(b, x, W), y)
                W.grad, b.grad = torch.autograd.grad(loss, [W, b])
                optimizer.step()
                losses[step] = loss.detach()
                step += 1
        yield {"W": W.detach().numpy().copy(order="C"), "b": b.detach().numpy().copy()}
