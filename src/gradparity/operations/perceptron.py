"""The lines of a multilayer perceptron: its layers, what is normalised, dropped and added in each, and its loss.

The symbols of layer k: Z_k = affine map, N_k = norm, A_k = activation, U_k = after dropout, H_k = with what was added.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, runtime_checkable

from gradparity.operations import (
    affine,
    batch_norm,
    cross_entropy,
    dropout,
    entrywise,
    hinge,
    linear,
    reductions,
    sigmoid_cross_entropy,
    squares,
)
from gradparity.operations.layer_norm import NormConvention
from gradparity.operations.rules import GradientRule, both, line, total
from gradparity.operations.transformer_block import Symbols, layer_lines
from gradparity.protocol import Line

Loss = Literal[
    "cross_entropy",
    "squared_error",
    "sigmoid_cross_entropy",
    "hinge",
    "squared_hinge",
    "binary_hinge",
    "squared_binary_hinge",
]
Norm = Literal["none", "batch", "layer"]
Biases = Literal["one", "none"]


@runtime_checkable
class Layers(Protocol):
    """What the lines need to know of a spec."""

    @property
    def depth(self) -> int:
        """The number of affine maps."""

    @property
    def activations(self) -> Sequence[entrywise.Name]:
        """Of each layer."""

    @property
    def leak(self) -> float:
        """The slope of a leaky ReLU below 0."""

    @property
    def loss(self) -> str:
        """Its name, which is also that of its line beside a penalty."""

    @property
    def reduction(self) -> reductions.Name:
        """From examples to the batch."""

    @property
    def weight_decay(self) -> float:
        """λ."""

    @property
    def penalty(self) -> squares.Penalty:
        """What the squares are scaled by."""

    @property
    def penalised(self) -> Sequence[str]:
        """The names of the parameters that the penalty is on."""

    @property
    def has_margins(self) -> bool:
        """Whether the loss is one of margins."""

    @property
    def margin(self) -> float:
        """Δ of such a loss."""

    @property
    def norm(self) -> str:
        """Of each hidden layer."""

    @property
    def size(self) -> NormConvention:
        """By what a norm divides."""

    @property
    def dropout(self) -> float:
        """The share that is dropped."""

    def adds(self, k: int) -> bool:
        """Whether layer k adds what it is given."""

    def biased(self, k: int) -> bool:
        """Whether layer k's affine map has a b."""

    def before(self, k: int) -> str:
        """What layer k's activation is applied to."""


def lines(spec: Layers) -> tuple[Line, ...]:
    """Return for each layer W, b, z, the norm's lines, a, what is dropped and added; then the loss."""
    layers = [each for k in range(1, spec.depth + 1) for each in _layer(spec, k)]
    output = f"A_{spec.depth}"
    per_example = {
        "cross_entropy": cross_entropy.value(output),
        "squared_error": squares.error(output),
        "sigmoid_cross_entropy": sigmoid_cross_entropy.value(output),
        "hinge": hinge.value("M", squared=False),
        "squared_hinge": hinge.value("M", squared=True),
        "binary_hinge": hinge.binary_value("M", squared=False),
        "squared_binary_hinge": hinge.binary_value("M", squared=True),
    }[spec.loss]
    if spec.has_margins:
        binary, squared = "binary" in spec.loss, "squared" in spec.loss
        of_margins = (hinge.of_binary_margins if binary else hinge.of_margins)(spec.reduction, "M", squared=squared)
        margins = (hinge.binary_margins if binary else hinge.margins)(output, spec.margin)
        layers.append(line("margins", "M", of_margins, margins))
    symbols = [f"{name[0]}_{name[1:]}" for name in spec.penalised]
    penalty = squares.penalty(spec.penalty, *symbols) if spec.weight_decay else ""
    return (*layers, *total(spec.loss, reductions.value(spec.reduction, per_example), penalty))


def _of_output(spec: Layers, k: int) -> GradientRule:
    """What the output of layer k receives from what reads it."""
    a = f"A_{k}"
    if k == spec.depth:
        return {
            "cross_entropy": cross_entropy.of_input(spec.reduction, a),
            "squared_error": squares.of_error(spec.reduction, a),
            "sigmoid_cross_entropy": sigmoid_cross_entropy.of_input(spec.reduction, a),
            "hinge": hinge.of_scores("M"),
            "squared_hinge": hinge.of_scores("M"),
            "binary_hinge": hinge.of_binary_scores("M"),
            "squared_binary_hinge": hinge.of_binary_scores("M"),
        }[spec.loss]
    through = affine.of_input(f"W_{k + 1}", f"Z_{k + 1}")
    added = GradientRule(rf"\mathrm{{d}}H_{k + 1}", "It is also added to the next layer's output, unchanged.")
    return both(through, added) if spec.adds(k + 1) else through


def _output(spec: Layers, k: int) -> str:
    """What formulas call the output of layer k."""
    if k == 0:
        return "X"
    if spec.adds(k):
        return f"H_{k}"
    return f"U_{k}" if spec.dropout and k < spec.depth else f"A_{k}"


def _layer(spec: Layers, k: int) -> Iterator[Line]:
    below, weights, z, a = _output(spec, k - 1), f"W_{k}", f"Z_{k}", f"A_{k}"
    normed = z if spec.before(k) == f"z{k}" else f"N_{k}"
    of_z, norm = _norm(spec, k, entrywise.of_input(spec.activations[k - 1], normed, a, spec.leak))
    yield line(f"W{k}", weights, _penalised(spec, f"W{k}", weights, affine.of_weights(below, z)))
    if spec.biased(k):
        yield line(f"b{k}", f"b_{k}", _penalised(spec, f"b{k}", f"b_{k}", affine.of_bias(z)))
    value = affine.value(below, weights, f"b_{k}") if spec.biased(k) else linear.value(below, weights)
    yield line(f"z{k}", z, of_z, value)
    yield from norm
    drops, adds = bool(spec.dropout) and k < spec.depth, spec.adds(k)
    of_sum = GradientRule(rf"\mathrm{{d}}H_{k}", "It is a term of the sum, so it receives the sum's gradient.")
    of_dropped = of_sum if adds else _of_output(spec, k)
    mask, dropped = rf"\mathcal{{M}}_{k}", f"U_{k}"
    of_a = dropout.of_input(mask, dropped) if drops else of_dropped
    yield line(f"a{k}", a, of_a, entrywise.value(spec.activations[k - 1], normed, spec.leak))
    if drops:
        yield line(f"dropped{k}", dropped, of_dropped, dropout.value(a, mask))
    if adds:
        yield line(f"sum{k}", f"H_{k}", _of_output(spec, k), f"{below} + {dropped if drops else a}")


def _penalised(spec: Layers, name: str, symbol: str, rule: GradientRule) -> GradientRule:
    if not spec.weight_decay or name not in spec.penalised:
        return rule
    return both(rule, squares.of_penalty(spec.penalty, symbol))


def _norm(spec: Layers, k: int, of_normed: GradientRule) -> tuple[GradientRule, tuple[Line, ...]]:
    """Return what z receives, and the lines of the norm, if any, from the rule of what reads the last."""
    if spec.before(k) == f"z{k}":
        return of_normed, ()
    if spec.norm == "batch":
        return batch_norm.of_input(k), tuple(batch_norm.lines(f"norm{k}", k, f"Z_{k}", spec.size, of_normed))
    symbols = Symbols(f"Z_{k}", rf"\tilde{{X}}_{k}", f"S_{k}", f"N_{k}", rf"\gamma_{k}", rf"\beta_{k}")
    of_z, lines = layer_lines(spec.size, symbols, of_normed)
    return of_z, tuple(Line(f"norm{k}.{each.name}", each.forward, each.backward, each.why) for each in lines)
