"""From a loss per example to the loss of a batch: over the examples, after any sum over outputs."""

from typing import Literal, NamedTuple

Name = Literal["mean", "sum", "half-sum"]


class Reduction(NamedTuple):
    """A factor times the sum over n examples."""

    latex: str
    scale: float
    by_examples: bool = False
    """Whether the factor is divided by n as well."""


REDUCTIONS: dict[str, Reduction] = {
    "mean": Reduction(r"\frac{1}{n}", 1.0, by_examples=True),
    "sum": Reduction("", 1.0),
    "half-sum": Reduction(r"\frac{1}{2}", 0.5),
}


def factor(name: str, n: int) -> float:
    """Return the factor in front of the sum over n examples."""
    reduction = REDUCTIONS[name]
    return reduction.scale / n if reduction.by_examples else reduction.scale


def value(name: str, per_example: str) -> str:
    """1/n Σᵢ …: LaTeX of the loss, from that of example i's."""
    return rf"{REDUCTIONS[name].latex} \sum_i {per_example}"
