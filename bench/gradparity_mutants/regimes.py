"""Problems on which a checker's tolerances are tested: right, all-zero and negated whole gradients on each."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gradparity.inputs import unbalanced_labels
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Batch, HandDerivation, Line, ModelSpec, Params
from gradparity_manual.operations import cross_entropy
from gradparity_mutants.mutations import scaled, zero
from gradparity_mutants.plant import Change, Named, chain, plant
from gradparity_mutants.trial import Adjust, Trial, prepare, unchanged


@dataclass(frozen=True)
class CrossEntropy:
    """The mean cross-entropy of logits that are themselves the parameters, as the test of a fused kernel has it."""

    examples: int
    classes: int
    name: str = "cross_entropy"
    derivation: tuple[Line, ...] = ()

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Logits (examples, classes)."""
        return {"logits": (self.examples, self.classes)}

    @property
    def hand(self) -> HandDerivation:
        """(P − Y)/n."""

        def forward(p: Params, batch: Batch, c: Any) -> None:
            c["loss"] = cross_entropy.forward(p["logits"], batch.y).mean()

        def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
            d["logits"] = cross_entropy.backward(p["logits"], batch.y) / batch.y.shape[0]

        return HandDerivation(forward, backward)

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Normal logits."""
        return {"logits": rng.normal(size=(self.examples, self.classes))}

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Unbalanced labels y (n,); x is not read."""
        return Batch(np.zeros((n, 1)), unbalanced_labels(rng, n, self.classes))

    def flops(self, n: int) -> int:
        """8 operations per logit."""
        return 8 * n * self.classes


@dataclass(frozen=True)
class Regime:
    """A problem that tolerances may get wrong."""

    title: str
    spec: ModelSpec
    n: int = 11
    adjust: Adjust = unchanged

    def trial(self, witnesses: tuple[str, ...]) -> Trial:
        """Draw it, and trace the witnesses."""
        return prepare(self.spec, witnesses, n=self.n, adjust=self.adjust)


def large_inputs(hand: HandDerivation, p: Named, batch: Batch) -> tuple[Named, Batch]:  # noqa: ARG001
    """Features that nobody scaled."""
    return p, Batch(10_000 * batch.x, batch.y)


def trained(hand: HandDerivation, p: Named, batch: Batch) -> tuple[Named, Batch]:
    """Parameters near the minimum, where the gradient is small: after 1,000 steps of gradient descent."""
    for _ in range(1000):
        _, d = chain(hand, p, batch)
        p = {name: value - 0.5 * d[name] for name, value in p.items()}
    return p, batch


REGIMES = (
    Regime("small: softmax regression 7→5, n = 11", SoftmaxRegression()),
    Regime("many examples: cross-entropy of 100,000 × 10 logits", CrossEntropy(100_000, 10), n=100_000),
    Regime("many examples: mlp 64→32→10, relu, n = 10,000", MLP(widths=(64, 32, 10)), n=10_000),
    Regime("the same, loss summed over examples", MLP(widths=(64, 32, 10), reduction="sum"), n=10_000),
    Regime("large inputs: softmax regression 7→5, x times 10,000", SoftmaxRegression(), adjust=large_inputs),
    Regime("near the minimum: softmax regression 7→5", SoftmaxRegression(weight_decay=0.1), adjust=trained),
)

WHOLE: dict[str, Change] = {"right": lambda value, _: value, "zero": zero, "negated": partial(scaled, lambda _: -1.0)}
"""What is done to the gradient of every parameter."""


def derivation_with(trial: Trial, change: Change) -> HandDerivation:
    """Return the problem's derivation with the gradient of every parameter changed."""
    hand = trial.hand
    for name in trial.problem.params:
        hand = plant(hand, "d", name, change)
    return hand
