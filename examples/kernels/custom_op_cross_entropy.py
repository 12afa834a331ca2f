"""A fused softmax cross-entropy as torch.library.custom_op, which torch.compile leaves in one piece.

    python examples/kernels/custom_op_cross_entropy.py

The mean over n examples of log Σ exp(z) − z[label]. The forward pass keeps the probabilities p, and the gradient is
(p − one_hot(label)) / n times the upstream gradient, which is a number.
"""

import torch
from torch import Tensor

from gradparity import check_autograd_function


@torch.library.custom_op("kernels::cross_entropy", mutates_args=())
def cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, and the probabilities (n, classes) for the backward pass."""
    shifted = logits - logits.amax(1, keepdim=True)
    exponentials = shifted.exp()
    sums = exponentials.sum(1, keepdim=True)
    picked = shifted.gather(1, labels[:, None])
    return (sums.log() - picked).mean(), exponentials / sums


@cross_entropy.register_fake
def _(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return logits.new_empty(()), torch.empty_like(logits)


def keep(ctx, inputs, output):
    _, labels = inputs
    _, probabilities = output
    ctx.mark_non_differentiable(probabilities)
    ctx.save_for_backward(labels, probabilities)


def backward(ctx, dloss, _):
    labels, probabilities = ctx.saved_tensors
    one_hot = torch.nn.functional.one_hot(labels, probabilities.shape[1])
    return dloss * (probabilities - one_hot) / len(labels), None


cross_entropy.register_autograd(backward, setup_context=keep)


def fused_cross_entropy(logits, labels):
    return cross_entropy(logits, labels)[0]


def plain_cross_entropy(logits, labels):
    """The plain function that the operator replaces."""
    return torch.nn.functional.cross_entropy(logits, labels)


if __name__ == "__main__":
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    report = check_autograd_function(fused_cross_entropy, plain_cross_entropy, logits, torch.tensor([0, 2, 2, 1, 2]))
    print(report)
    report.assert_ok()
