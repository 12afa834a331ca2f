"""The lines of a convolutional network: its blocks of convolution, batch norm, activation and pooling, then its head.

The symbols of block k: Z_k = convolution, N_k = norm, A_k = activation, D_k = what each window holds, P_k = pooled. The
dense layers count on from the last block.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from gradparity.operations import affine, batch_norm, conv2d, cross_entropy, entrywise, pooling, reductions, squares
from gradparity.operations.layer_norm import NormConvention
from gradparity.operations.rules import GradientRule, both, line, total
from gradparity.protocol import Line


@runtime_checkable
class Blocks(Protocol):
    """What the lines need to know of a spec."""

    @property
    def channels(self) -> tuple[int, ...]:
        """What each block's convolution puts out."""

    @property
    def hidden(self) -> tuple[int, ...]:
        """The widths of the dense layers before the last."""

    @property
    def activation(self) -> entrywise.Name:
        """Of each block and each hidden layer."""

    @property
    def leak(self) -> float:
        """The slope of its leaky ReLU below 0."""

    @property
    def pooling(self) -> pooling.Kind:
        """Of each block."""

    @property
    def batch_norm(self) -> bool:
        """Whether each block has one."""

    @property
    def size(self) -> NormConvention:
        """By what a batch norm divides."""

    @property
    def reduction(self) -> reductions.Name:
        """From examples to the batch."""

    @property
    def weight_decay(self) -> float:
        """λ; without it there is no line of a penalty."""

    @property
    def penalty(self) -> squares.Penalty:
        """How the sum of squares is scaled."""


def lines(spec: Blocks) -> tuple[Line, ...]:
    """Return for each block W, what comes out of conv, norm, activation and pool; the dense layers'; then the loss."""
    last = len(spec.channels) + len(spec.hidden) + 1
    weights = (f"W_{k}" for k in range(1, last + 1))
    penalty = squares.penalty(spec.penalty, *weights) if spec.weight_decay else ""
    data_loss = reductions.value(spec.reduction, cross_entropy.value(f"Z_{last}"))
    loss = total("cross_entropy", data_loss, penalty)
    blocks = [each for k in range(1, len(spec.channels) + 1) for each in _block(spec, k)]
    return (*blocks, *(each for k in range(len(spec.channels) + 1, last + 1) for each in _dense(spec, k, last)), *loss)


def _block(spec: Blocks, k: int) -> Iterator[Line]:
    x, weights, z, a, w, out = "X" if k == 1 else f"P_{k - 1}", f"W_{k}", f"Z_{k}", f"A_{k}", f"D_{k}", f"P_{k}"
    normed = f"N_{k}" if spec.batch_norm else z
    of_normed = entrywise.of_input(spec.activation, normed, a, spec.leak)
    yield line(f"conv{k}.W", weights, _penalised(spec, weights, conv2d.of_weights(x, z)))
    if spec.batch_norm:
        yield line(f"conv{k}.out", z, batch_norm.of_input(k), conv2d.value(x, weights))
        yield from batch_norm.lines(f"norm{k}", k, z, spec.size, of_normed)
    else:
        yield line(f"conv{k}.b", f"b_{k}", conv2d.of_bias(z))
        yield line(f"conv{k}.out", z, of_normed, conv2d.value(x, weights, f"b_{k}"))
    yield line(f"a{k}", a, pooling.of_input(w), entrywise.value(spec.activation, normed, spec.leak))
    yield line(f"pool{k}.windows", w, pooling.of_windows(spec.pooling, w, out), pooling.windows(a))
    yield line(f"pool{k}.out", out, _of_pooled(spec, k), pooling.value(spec.pooling, w))


def _of_pooled(spec: Blocks, k: int) -> GradientRule:
    weights, z = f"W_{k + 1}", f"Z_{k + 1}"
    return conv2d.of_input(weights, z) if k < len(spec.channels) else affine.of_input(weights, z)


def _dense(spec: Blocks, k: int, last: int) -> Iterator[Line]:
    layer = k - len(spec.channels)
    x, weights, bias, z = f"P_{k - 1}" if layer == 1 else f"A_{k - 1}", f"W_{k}", f"b_{k}", f"Z_{k}"
    of_last = cross_entropy.of_input(spec.reduction, z)
    yield line(f"dense{layer}.W", weights, _penalised(spec, weights, affine.of_weights(x, z)))
    yield line(f"dense{layer}.b", bias, affine.of_bias(z))
    of_z = of_last if k == last else entrywise.of_input(spec.activation, z, f"A_{k}", spec.leak)
    yield line(f"dense{layer}.out", z, of_z, affine.value(x, weights, bias))
    if k < last:
        of_a = affine.of_input(f"W_{k + 1}", f"Z_{k + 1}")
        yield line(f"h{layer}", f"A_{k}", of_a, entrywise.value(spec.activation, z, spec.leak))


def _penalised(spec: Blocks, weights: str, rule: GradientRule) -> GradientRule:
    return both(rule, squares.of_penalty(spec.penalty, weights)) if spec.weight_decay else rule
