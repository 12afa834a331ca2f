import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.models import MLP
from gradparity.parity.budget import error_budgets
from gradparity.parity.examine import rows_of
from gradparity.parity.judge import Judge
from gradparity.parity.kinks import Kinks, flips, kinks_of, masks
from gradparity.parity.pinned import across_kinks, pinned
from gradparity.parity.problem import Problem, draw_params, given_in
from gradparity.protocol import Batch, HandDerivation, Model, Params, Trace
from gradparity.subjects.specs import pose

SPEC = MLP(widths=(5, 6, 4, 3))
KINKS = kinks_of(SPEC)
N = 9


def models() -> tuple[Model, Model]:
    backend = registry.backend("numpy")
    return backend.model(SPEC, "float64"), backend.model(SPEC, "float32")


def at_kinks(seed: int) -> tuple[dict[str, np.ndarray], Batch]:
    """Parameters in float32 that put the first layer's units for three examples where rounding decides the side."""
    rng = np.random.default_rng(seed)
    params = {name: p.astype(np.float32).astype(float) for name, p in draw_params(SPEC, rng).items()}
    x, y, _ = SPEC.example_batch(rng, N)
    x = x.astype(np.float32).astype(float)
    exact = x @ params["W1"]
    params["b1"] = -exact[[0, 0, 1, 1, 2, 2], range(6)].astype(np.float32).astype(float)
    return params, Batch(x, y)


@functools.cache
def judged(seed: int) -> tuple[Judge, Trace, dict[str, np.ndarray], Batch]:
    """NumPy in float32 against the float64 truth."""
    params, batch = at_kinks(seed)
    exact, single = models()
    truth = exact.trace(params, batch)
    # Without the kinks' own sensitivity in them: that would let every gradient pass.
    away = {**params, "b1": params["b1"] + 0.1}
    budgets = error_budgets(
        {"truth": exact.trace}, {"truth": exact.trace(away, batch)}, away, batch, np.random.default_rng(0)
    )
    return Judge("numpy", "truth", "float32", truth, budgets), single.trace(params, batch), params, batch


@functools.cache
def seeds_with_flips() -> list[int]:
    found = []
    for seed in range(12):
        judge, trace, _, _ = judged(seed)
        if flips(KINKS, trace.values, judge.truth.values):
            found.append(seed)
    return found


def hand() -> HandDerivation:
    derivation = models()[0].derivation
    assert derivation is not None
    return derivation


def problem(judge: Judge, params: Params, batch: Batch, derivation: HandDerivation | None = None) -> Problem:
    return Problem(
        name="mlp",
        params=params,
        given=given_in(batch),
        n=N,
        truths={"truth": judge.truth},
        budgets=judge.budgets,
        subjects=(),
        kinks=KINKS,
        hand=derivation or hand(),
        batch=batch,
    )


def disagreeing(judge: Judge, trace: Trace) -> set[str]:
    return {row.line for row in judge.rows("whole gradient", trace.gradients, trace.gradients) if not row.agrees}


def test_flipped_masks_explain_what_float32_alone_cannot() -> None:
    seeds = seeds_with_flips()
    assert len(seeds) >= 3
    wrong = 0
    for seed in seeds:
        judge, trace, params, batch = judged(seed)
        wrong += len(disagreeing(judge, trace))
        assert across_kinks(judge, problem(judge, params, batch), trace) == disagreeing(judge, trace)
    assert wrong > 0


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "z1"])
@pytest.mark.parametrize("factor", [0.0, -1.0, 1.01])
def test_a_wrong_gradient_is_not_excused_by_flipped_masks(name: str, factor: float) -> None:
    judge, trace, params, batch = judged(seeds_with_flips()[0])
    gradients = {**trace.gradients, name: (factor * trace.gradients[name]).astype(np.float32)}
    assert name in disagreeing(judge, Trace(trace.values, gradients))
    assert name not in across_kinks(judge, problem(judge, params, batch), Trace(trace.values, gradients))


def test_a_wrong_derivation_does_not_excuse_itself() -> None:
    """A wrong line is in both runs of the derivation, and cancels."""
    judge, trace, params, batch = judged(seeds_with_flips()[0])
    right = hand()

    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:
        right.backward(p, batch, c, d)
        d["W2"] = -d["W2"]

    gradients = {**trace.gradients, "W2": -trace.gradients["W2"]}
    wrong = HandDerivation(right.forward, backward)
    assert "W2" not in across_kinks(judge, problem(judge, params, batch, wrong), Trace(trace.values, gradients))


def test_a_value_far_across_its_kink_explains_nothing() -> None:
    """The masks differ because z1 is wrong: with these masks the gradient is right, and yet not excused."""
    params, batch = at_kinks(0)
    exact, _ = models()
    shifted = {**params, "b1": params["b1"] + 0.5}
    truth, subject = exact.trace(params, batch), exact.trace(shifted, batch)
    judge = Judge("numpy", "truth", "float64", truth, {})
    assert flips(KINKS, subject.values, truth.values)[0].distance > 1e-3
    assert across_kinks(judge, problem(judge, params, batch), subject) == frozenset()


def test_without_flips_nothing_is_across_kinks() -> None:
    params, batch = at_kinks(0)
    exact, _ = models()
    truth = exact.trace(params, batch)
    wrong = replace(truth, gradients={name: np.asarray(-g) for name, g in truth.gradients.items()})
    judge = Judge("numpy", "truth", "float64", truth, {})
    assert across_kinks(judge, problem(judge, params, batch), wrong) == frozenset()


def test_pinning_to_the_own_masks_changes_nothing() -> None:
    params, batch = at_kinks(1)
    truth = models()[0].trace(params, batch)
    same_masks = pinned(truth, KINKS, truth.values, hand(), params, batch)
    for name, gradient in truth.gradients.items():
        np.testing.assert_array_equal(same_masks.gradients[name], gradient)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_with_zero_weights_all_entries_can_be_pinned_to_either_side(side: float) -> None:
    """At z = 0 the convention ReLU'(0) = 0 holds: pinned below, nothing changes; above, the layer is linear."""
    params, batch = at_kinks(1)
    params["W1"], params["b1"] = np.zeros((5, 6)), np.zeros(6)
    exact, _ = models()
    truth = exact.trace(params, batch)
    assert not truth.gradients["W1"].any()
    values = {**truth.values, "z1": np.full((N, 6), side * 1e-300)}
    found = pinned(truth, KINKS, values, hand(), params, batch).gradients
    upstream = truth.gradients["a1"]
    expected = upstream if side > 0 else 0 * upstream
    np.testing.assert_allclose(found["z1"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["W1"], batch.x.T @ expected, rtol=1e-12, atol=1e-17)


def pooled(largest: Callable[[np.ndarray], np.ndarray]) -> HandDerivation:
    """The mean of squared maxima."""

    def forward(p: Any, batch: Batch, c: Any) -> None:
        c["w"] = batch.x * p["s"]
        c["m"] = c["w"].max(axis=-1)
        c["loss"] = (c["m"] ** 2).mean()

    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:
        del p
        d["m"] = 2 * c["m"] / len(c["m"])
        d["w"] = largest(c["w"]) * d["m"][:, None]
        d["s"] = (batch.x * d["w"]).sum(axis=0)

    return HandDerivation(forward, backward)


def first(w: np.ndarray) -> np.ndarray:
    return np.asarray(np.eye(w.shape[-1])[w.argmax(axis=-1)])


def test_a_tie_can_be_pinned_to_the_other_entry() -> None:
    kinks: Kinks = {"w": "max"}
    batch = Batch(np.array([[1.0, 1.0 - 1e-12, 0.5], [0.2, 0.1, 3.0]]), np.zeros(2))
    params = {"s": np.ones(3)}
    derivation = pooled(first)

    def gradients(c: dict[str, Any]) -> Trace:
        d: dict[str, Any] = {}
        derivation.forward(params, batch, c)
        derivation.backward(params, batch, c, d)
        return Trace({name: np.asarray(v) for name, v in c.items()}, d)

    truth = gradients({})
    subject = np.array([[1.0 - 1e-12, 1.0, 0.5], [0.2, 0.1, 3.0]])
    assert masks(kinks, {"w": subject})["w"][0].tolist() == [False, True, False]
    found = pinned(truth, kinks, {"w": subject}, derivation, params, batch).gradients["w"]
    np.testing.assert_allclose(found, [[0, 1, 0], [0, 0, 3]], rtol=1e-9)
    np.testing.assert_allclose(truth.gradients["w"], [[1, 0, 0], [0, 0, 3]], rtol=1e-9)


LAYER_NORM_OF_TWO = MLP(
    (16, 2, 3), "gelu_tanh", "tanh", loss="hinge", reduction="sum", norm="layer", epsilon_outside=True
)
"""At width 2 every normalised row is ±1: the gradient below the norm is what is left of terms that cancel."""


BATCH_NORM_OF_TWO = MLP(
    (8, 9, 2, 11, 127), "sigmoid", "gelu", loss="squared_error", reduction="half-sum", norm="batch", unbiased=True
)
"""The gradient of a gain nearly cancels."""


@pytest.mark.parametrize(
    ("spec", "n", "seed", "lines"),
    [(LAYER_NORM_OF_TWO, 8, 309633591, {"W1", "b1"}), (BATCH_NORM_OF_TWO, 28, 628471123, {"norm2.gain"})],
    ids=["layer norm", "batch norm"],
)
def test_terms_that_cancel_round_as_far_as_the_lines_of_a_right_derivation_do(
    spec: MLP, n: int, seed: int, lines: set[str]
) -> None:
    problem = pose(spec, backends=["numpy", "torch"], n=n, seed=seed, differences=False)
    assert problem.hand is not None
    right = problem.hand

    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:
        right.backward(p, batch, c, d)
        d["W2"] = d["W2"] * (1 + 1e-9)

    def wrong_with(hand: HandDerivation | None) -> set[str]:
        return {row.line for row in rows_of(replace(problem, hand=hand)) if not row.agrees}

    assert wrong_with(right) == set()
    assert wrong_with(None) == wrong_with(HandDerivation(right.forward, backward)) == lines
