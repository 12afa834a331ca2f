"""From a sum over the examples to the loss of a batch: what the sum is divided by. A penalty is scaled the same way."""

from typing import Literal, NamedTuple, get_args

from gradparity.errors import UsageError

Name = Literal["mean", "sum", "half-sum", "half-mean", "mean-of-entries"]


class Reduction(NamedTuple):
    """A sum over n examples and all their outputs, divided."""

    latex: str
    by: int = 1
    by_examples: bool = False
    by_outputs: bool = False


REDUCTIONS: dict[str, Reduction] = {
    "mean": Reduction(r"\frac{1}{n}", by_examples=True),
    "sum": Reduction(""),
    "half-sum": Reduction(r"\frac{1}{2}", 2),
    "half-mean": Reduction(r"\frac{1}{2n}", 2, by_examples=True),
    "mean-of-entries": Reduction(r"\frac{1}{nk}", by_examples=True, by_outputs=True),
}
"""The factor 1/2 cancels the 2 of a square's derivative: it goes with squares only."""

OF_LOSS: dict[str, tuple[str, ...]] = {
    "cross_entropy": ("mean", "sum"),
    "hinge": ("mean", "sum", "mean-of-entries"),
    "squared_hinge": ("mean", "sum", "mean-of-entries"),
    "binary_hinge": ("mean", "sum", "mean-of-entries"),
    "squared_binary_hinge": ("mean", "sum", "mean-of-entries"),
    "sigmoid_cross_entropy": ("mean", "sum", "mean-of-entries"),
    "squared_error": get_args(Name),
}
"""Loss -> the reductions that go with it."""


def require(model: str, loss: str, reduction: str) -> None:
    """Raise UsageError for a reduction that does not go with the loss."""
    if reduction not in OF_LOSS[loss]:
        raise UsageError(
            f"{model}: reduction '{reduction}' does not go with loss '{loss}': "
            f"use {' or '.join(map(repr, OF_LOSS[loss]))}"
        )


def divisor(name: str, n: int, outputs: int = 1) -> int:
    """Return what the sum over n examples, and over the outputs of each, is divided by."""
    reduction = REDUCTIONS[name]
    return reduction.by * (n if reduction.by_examples else 1) * (outputs if reduction.by_outputs else 1)


def value(name: str, per_example: str) -> str:
    """1/n Σᵢ …: LaTeX of the loss, from that of example i's."""
    return rf"{REDUCTIONS[name].latex} \sum_i {per_example}"
