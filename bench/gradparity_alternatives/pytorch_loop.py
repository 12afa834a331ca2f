"""The training loop that a PyTorch user writes: TensorDataset, DataLoader, Module, loss and optimiser.

Source: PyTorch's own tutorial "Optimizing Model Parameters".
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)
from torch.utils.data import DataLoader, TensorDataset

from gradparity_alternatives.task import Order, Problem, Trainer, Weights


def prepare(problem: Problem) -> Trainer:
    """Return the training by a Sequential module; its DataLoader takes the examples in the given order."""
    x, y = problem.in_memory()
    dataset = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    linear = [nn.Linear(*W.shape) for W, _ in problem.layers]
    with torch.no_grad():
        for layer, (W, b) in zip(linear, problem.layers, strict=True):
            layer.weight.copy_(torch.from_numpy(W.T))
            layer.bias.copy_(torch.from_numpy(b))
    model = nn.Sequential(linear[0], *(part for layer in linear[1:] for part in (nn.ReLU(), layer)))
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)

    def epoch(order: Order) -> None:
        for images, labels in DataLoader(dataset, batch_size=problem.batch_size, sampler=order.tolist()):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    def weights() -> Weights:
        return problem.named([(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in linear])

    return Trainer(epoch, weights)
