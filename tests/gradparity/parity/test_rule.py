"""A line that is right by luck is told from one that is a rule."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.models import MLP, SoftmaxRegression
from gradparity.parity.beside import run_beside
from gradparity.parity.problem import Problem
from gradparity.parity.rule import no_rules, wrong_share
from gradparity.protocol import Batch, HandDerivation, ModelSpec
from gradparity.subjects.specs import pose


def posed(spec: ModelSpec, seed: int = 0) -> Problem:
    return pose(spec, backends=["numpy", "torch"], seed=seed, lanes=["float64"], differences=False)


def told(problem: Problem) -> list[str]:
    return list(no_rules(problem, np.random.default_rng(1)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "spec",
    [
        SoftmaxRegression(weight_decay=0.2),
        MLP(activation="tanh"),
        MLP(),
        MLP(activation="sigmoid", output_activation="tanh", loss="squared_error", reduction="half-sum"),
    ],
)
def test_right_derivations_are_rules(spec: ModelSpec, seed: int) -> None:
    assert told(posed(spec, seed)) == []


def test_a_line_that_is_right_by_luck_is_told() -> None:
    """The rows of d["a2"] sum to zero, so a constant added to each row of W3 is not seen."""
    problem = posed(MLP(activation="tanh"))
    assert problem.hand is not None
    right = problem.hand

    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:
        right.backward({**p, "W3": p["W3"] + p["W3"].sum(axis=1, keepdims=True)}, batch, c, d)

    (sentence,) = told(replace(problem, hand=HandDerivation(right.forward, backward)))
    assert sentence.startswith("d['a2'] is right here, but not the rule: with another gradient of z3 it would be wrong")


def test_of_several_shares_the_wrong_one_is_told() -> None:
    problem = posed(SoftmaxRegression(weight_decay=0.2))
    assert problem.hand is not None
    own = run_beside(
        problem.hand, registry.backend("numpy"), "float64", problem.params, problem.batch, problem.first
    ).shares["W"]
    assert len(own) == 2
    assert wrong_share(problem, "W", own) is None
    for i in range(2):
        assert wrong_share(problem, "W", [2 * share if j == i else share for j, share in enumerate(own)]) == i


def test_local_variables_in_forward_or_backward_are_no_finding() -> None:
    problem = posed(SoftmaxRegression())

    def forward(p: Any, batch: Batch, c: Any) -> None:
        z = batch.x @ p["W"] + p["b"]
        c["logits"] = z
        e = np.exp(z - z.max(axis=1, keepdims=True))
        c["p"] = e / e.sum(axis=1, keepdims=True)
        c["loss"] = -np.log(c["p"][np.arange(len(z)), batch.y]).mean() + 0 * c["logits"].sum()

    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:
        del p
        dz = (c["p"] - np.eye(c["p"].shape[1])[batch.y]) / len(batch.y)
        d["logits"] = dz
        d["W"] = batch.x.T @ dz
        d["b"] = dz.sum(axis=0)

    assert told(replace(problem, hand=HandDerivation(forward, backward))) == []
