"""Loops in PyTorch: the torch backend's written out without the framework, and the one that a PyTorch user writes."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)
from torch.utils.data import DataLoader, TensorDataset

from gradparity_bench.drawn import Order, Task, Trainer, Weights
from gradparity_torch.runtime import NUMBERS_PER_GATHER


def inlined(task: Task) -> Trainer:
    """Return the torch backend's epoch written out: the same operations, in one function."""
    images, labels = torch.from_numpy(task.examples.x), torch.from_numpy(task.examples.y)
    n, features = images.shape
    ((W0, b0),) = task.layers
    # W lies in memory column by column, as the backend keeps narrow matrices.
    W = torch.tensor(W0).T.contiguous().T.requires_grad_()
    b = torch.tensor(b0, requires_grad=True)
    optimizer = torch.optim.SGD([W, b], lr=task.lr)
    gathered = min(n, task.batch_size * max(1, NUMBERS_PER_GATHER // (task.batch_size * features)))

    def epoch(permutation: Order) -> None:
        order = torch.from_numpy(permutation)
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

    def weights() -> Weights:
        return task.named([(W.detach().numpy(), b.detach().numpy())])

    return Trainer(epoch, weights)


def data_loader(task: Task) -> Trainer:
    """Return the training that a PyTorch user writes: TensorDataset, DataLoader, Module, loss and optimiser.

    Source: PyTorch's own tutorial "Optimizing Model Parameters". The DataLoader takes the examples in the given order.
    """
    x, y = task.in_memory()
    dataset = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    linear = [nn.Linear(*W.shape) for W, _ in task.layers]
    with torch.no_grad():
        for layer, (W, b) in zip(linear, task.layers, strict=True):
            layer.weight.copy_(torch.from_numpy(W.T))
            layer.bias.copy_(torch.from_numpy(b))
    model = nn.Sequential(linear[0], *(part for layer in linear[1:] for part in (nn.ReLU(), layer)))
    optimizer = torch.optim.SGD(model.parameters(), lr=task.lr)

    def epoch(order: Order) -> None:
        for images, labels in DataLoader(dataset, batch_size=task.batch_size, sampler=order.tolist()):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    def weights() -> Weights:
        return task.named([(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in linear])

    return Trainer(epoch, weights)
