"""Every cause is planted at the lines of real derivations, and the sentence is the right one."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradparity.models import MLP, SoftmaxRegression
from gradparity.parity import draw_params
from gradparity.parity.diagnosis import diagnose, gather
from gradparity.parity.problem import given_in
from gradparity.protocol import Batch, Dtype, ModelSpec, Trace
from gradparity_manual import backend
from gradparity_manual.operations.cross_entropy import softmax

DECAY = 0.15
NO_CAUSE = "no known cause fits"


class Problem(NamedTuple):
    """A model with its numbers, and the right values and gradients of every line."""

    spec: Any
    p: dict[str, np.ndarray]
    batch: Batch
    truth: Trace

    @property
    def n(self) -> int:
        return len(self.batch.x)

    @property
    def c(self) -> dict[str, np.ndarray]:
        return self.truth.values

    @property
    def d(self) -> dict[str, np.ndarray]:
        return self.truth.gradients

    def say(self, line: str, array: np.ndarray) -> str:
        """Diagnose a line, written as a derivation writes it."""
        symbol: Any = line[0]
        known: dict[str, Any] = {"truth": self.truth, "params": self.p, "given": given_in(self.batch), "n": self.n}
        return diagnose(gather(symbol, line[3:-2], np.asarray(array), **known))


def solve(spec: ModelSpec, n: int, seed: int, dtype: Dtype = "float64") -> Problem:
    rng = np.random.default_rng(seed)
    p = draw_params(spec, rng)
    batch = spec.example_batch(rng, n)
    return Problem(spec, p, batch, backend.model(spec, dtype).trace(p, batch))


seeds = st.integers(0, 2**32 - 1)
sizes = st.permutations([3, 4, 5, 6, 7, 8, 9])
softmax_problems = st.builds(
    lambda s, seed: solve(SoftmaxRegression(features=s[0], classes=s[1], weight_decay=DECAY), s[2], seed), sizes, seeds
)


def mlp_problems(*activations: str) -> st.SearchStrategy[Problem]:
    def build(s: list[int], activation: str, loss: str, seed: int) -> Problem:
        return solve(MLP(widths=tuple(s[:4]), activation=activation, loss=loss), s[4], seed)  # type: ignore[arg-type]

    losses = st.sampled_from(["cross_entropy", "squared_error"])
    return st.builds(build, sizes, st.sampled_from(activations), losses, seeds)


any_problem = softmax_problems | mlp_problems("tanh", "sigmoid", "relu")
no_equal_rows = softmax_problems | mlp_problems("tanh", "sigmoid")
quick = settings(max_examples=20, deadline=None)

Planted = tuple[str, np.ndarray, str]
"""A line, what a wrong derivation writes there, and what is to be said about it."""


def lines(problem: Problem) -> Iterator[tuple[str, np.ndarray]]:
    """Every gradient that holds at least three numbers and is not zero by mathematics."""
    for name, g in problem.d.items():
        if np.count_nonzero(g) > 2 and np.linalg.norm(g) > 1e-9:
            yield f"d['{name}']", g


def factors(problem: Problem) -> Iterator[Planted]:
    n = problem.n
    here, doubled = "is missing here or applied twice elsewhere", "is applied twice here or missing elsewhere"
    for line, g in lines(problem):
        yield line, 0 * g, "is all zero"
        yield line, -g, "has the wrong sign"
        yield line, n * g, f"is n times too large (n = {n}): the mean's 1/n {here}"
        yield line, g / n, f"is n times too small (n = {n}): the mean's 1/n {doubled}"
        yield line, -n * g, f"has the wrong sign and is n times too large (n = {n}): the mean's 1/n {here}"
        yield line, 2 * g, "is 2 times too large: a ½ is missing, or a share is counted twice"
        yield line, g / 2, "is 2 times too small: the 2 of a square's derivative is missing, or a ½ is applied twice"
        yield line, 1.001 * g, "is 1.001 times the right value everywhere"
        yield line, -0.37 * g, "is -0.37 times the right value everywhere"
        yield line, 1.0000001 * g, "is 1.0000001 times the right value everywhere"
        if g.ndim == 2 and g.shape[1] != n:
            k = g.shape[1]
            yield line, k * g, f"is {k} times too large (it has {k} columns): a mean over them {here}"
            yield line, g / k, f"is {k} times too small (it has {k} columns): a mean over them {doubled}"
        if n not in (4, 9):  # √4 and √9 have nearer explanations
            less, more = f"n/(n − 1) times the right value (n = {n})", f"(n − 1)/n times the right value (n = {n})"
            yield line, g * n / (n - 1), f"is {less}: as if divided by n − 1 where n belongs"
            yield line, g * (n - 1) / n, f"is {more}: as if divided by n where n − 1 belongs"
            yield line, g * n**0.5, f"is √n times too large (n = {n}): 1/√n {here}"


def axes(problem: Problem) -> Iterator[Planted]:
    for line, g in lines(problem):
        if g.ndim == 1:
            continue
        if np.count_nonzero(g) == g.size:
            yield line, g[::-1], "has its rows in reverse order"
            yield line, np.roll(g, 1, axis=1), "has its columns shifted by 1"
            yield line, g[[2, 1, 0, *range(3, len(g))]], REVERSED if len(g) == 3 else "has its rows 0 and 2 swapped"
            yield line, np.sort(g, axis=None).reshape(g.shape), f"holds the right numbers in another order: {RESHAPE}"
        if abs(g.sum()) > 1e-6:
            yield line, np.full(g.shape, g.sum()), "is summed over all axes"
        if np.linalg.norm(g.sum(axis=0)) > 1e-6:
            yield line, np.broadcast_to(g.sum(axis=0), g.shape), "is summed over axis 0"


REVERSED = "has its rows in reverse order"
RESHAPE = "a reshape or a transpose is wrong"


def local_derivatives(problem: Problem) -> Iterator[Planted]:
    """Of a tanh network."""
    c, d = problem.c, problem.d
    u, a, z = d["a1"], c["a1"], c["z1"]
    line = "d['z1']"
    yield line, u, "lacks the factor 1 - c['a1']**2"
    yield line, u * (1 - a**2) ** 2, "has the factor 1 - c['a1']**2 once too often"
    yield line, u * (1 - a), "has the factor 1 - c['a1'] where 1 - c['a1']**2 belongs"
    yield line, u * (1 - z**2), "has the factor 1 - c['z1']**2 where 1 - c['a1']**2 belongs"
    yield line, u * a * (1 - a), "has the factor c['a1'] * (1 - c['a1']) where 1 - c['a1']**2 belongs"
    yield line, 1 - a**2, "lacks the factor d['a1']"
    yield "c['a1']", z, "is c['z1'], should be tanh(c['z1'])"
    yield "c['a1']", np.maximum(z, 0), "is maximum(c['z1'], 0), should be tanh(c['z1'])"


def sigmoid_derivatives(problem: Problem) -> Iterator[Planted]:
    c, d = problem.c, problem.d
    u, a = d["a2"], c["a2"]
    yield "d['z2']", u, "lacks the factor c['a2'] * (1 - c['a2'])"
    yield "d['z2']", u * a, "lacks the factor 1 - c['a2']"
    yield "d['z2']", u * (1 - a), "lacks the factor c['a2']"
    yield "d['z2']", u * (1 - a**2), "has the factor 1 - c['a2']**2 where c['a2'] * (1 - c['a2']) belongs"


def shares(problem: Problem) -> Iterator[Planted]:
    """Of softmax regression with weight decay."""
    n, c, d, p, x = problem.n, problem.c, problem.d, problem.p, problem.batch.x
    decay = DECAY * p["W"]
    probabilities = softmax(c["logits"])
    too_much = "weight decay that the loss has not, or has once"
    yield "d['W']", x.T @ d["logits"], "lacks 0.15 * p['W']: weight decay is missing or too weak"
    yield "d['W']", d["W"] - 2 * decay, "lacks 0.3 * p['W']: weight decay is missing or too weak"
    yield "d['W']", d["W"] + decay, f"has 0.15 * p['W'] too much: {too_much}"
    yield "d['W']", decay, "lacks batch.x.T @ d['logits']: the gradient of one use of W is missing"
    minus = "not subtracted, or added once too often"
    yield "d['logits']", probabilities / n, f"has (1/n) * one_hot(batch.y) too much: {minus}"
    yield "d['logits']", d["logits"] - probabilities / n, "lacks (1/n) * softmax(c['logits'])"
    yield "c['logits']", x @ p["W"], "lacks p['b']"
    yield "c['loss']", c["cross_entropy"], "lacks c['penalty']"
    yield "c['loss']", c["loss"] + c["penalty"], "has c['penalty'] too much"
    last = f"example {n - 1} (the last)"
    yield "d['W']", x[:-1].T @ d["logits"][:-1] + decay, f"lacks {last} in batch.x.T @ d['logits']"
    first = np.outer(x[0], d["logits"][0])
    yield "d['W']", d["W"] + first, "counts example 0 (the first) twice in batch.x.T @ d['logits']"
    yield "d['b']", d["logits"][:-1].sum(axis=0), f"lacks {last} in d['logits'].sum(axis=0)"
    yield "d['b']", d["b"] + d["logits"][1], "counts example 1 twice in d['logits'].sum(axis=0)"


def swaps(problem: Problem) -> Iterator[Planted]:
    """Of a tanh or sigmoid network."""
    c, d, p = problem.c, problem.d, problem.p
    yield (
        "d['W2']",
        c["z1"].T @ d["z2"],
        "uses c['z1'] where c['a1'] belongs: it is c['z1'].T @ d['z2'], should be c['a1'].T @ d['z2']",
    )
    yield (
        "d['a1']",
        d["a2"] @ p["W2"].T,
        "uses d['a2'] where d['z2'] belongs: it is d['a2'] @ p['W2'].T, should be d['z2'] @ p['W2'].T",
    )
    yield (
        "d['b2']",
        d["a2"].sum(axis=0),
        "uses d['a2'] where d['z2'] belongs: it is d['a2'].sum(axis=0), should be d['z2'].sum(axis=0)",
    )


def places(problem: Problem) -> Iterator[Planted]:
    n = problem.n
    for line, g in lines(problem):
        if np.count_nonzero(g) < g.size:
            continue
        one = g.copy()
        one.flat[-1] += 0.5
        at = [size - 1 for size in g.shape]
        who = f", example {n - 1} (the last)," if g.shape == (n,) and line[3:-2] not in problem.p else ""
        values = f"it is {one.flat[-1]:.4g}, should be {g.flat[-1]:.4g}"
        yield line, one, f"has 1 of {g.size} entries wrong: at {at}{who} {values}"
        if g.ndim == 2:
            row = f"row {len(g) - 1}" if line[3:-2] in problem.p else f"example {n - 1} (the last)"
            row_before = f"row {len(g) - 2}" if line[3:-2] in problem.p else f"example {n - 2}"
            for last, state in (
                (0 * g[-1], "zero"),
                (-g[-1], "have the wrong sign"),
                (g[-2], f"those of {row_before}"),
                (1.5 * g[-1], "1.5 times the right ones"),
            ):
                are = "" if state.startswith("have") else "are "
                yield line, np.vstack([g[:-1], last]), f"is right but for {row}: its numbers {are}{state}"


Plant = Callable[[Problem], Iterator[Planted]]
Problems = st.SearchStrategy[Problem]
CASES: list[tuple[Plant, Problems]] = [
    (factors, any_problem),
    (axes, no_equal_rows),
    (places, no_equal_rows),
    (local_derivatives, mlp_problems("tanh")),
    (sigmoid_derivatives, mlp_problems("sigmoid")),
    (swaps, mlp_problems("tanh", "sigmoid")),
    (shares, softmax_problems),
]


planted = pytest.mark.parametrize(("plant", "problems"), CASES, ids=[plant.__name__ for plant, _ in CASES])


@planted
@given(data=st.data())
@quick
def test_the_planted_cause_is_named(plant: Plant, problems: Problems, data: st.DataObject) -> None:
    problem = data.draw(problems)
    line, array, sentence = data.draw(st.sampled_from(list(plant(problem))))
    assert problem.say(line, array) == f"{line} {sentence}"


@planted
@given(data=st.data(), seed=seeds)
@quick
def test_a_cause_that_nearly_holds_is_not_named(
    plant: Plant, problems: Problems, data: st.DataObject, seed: int
) -> None:
    problem = data.draw(problems)
    plants = [(line, array) for line, array, _ in plant(problem) if array.size > 1 and array.any()]
    line, array = data.draw(st.sampled_from(plants))
    noise = np.random.default_rng([seed, 1]).normal(size=array.shape)
    assert NO_CAUSE in problem.say(line, array + 1e-6 * np.linalg.norm(array) * noise)


@given(problem=mlp_problems("relu"))
@quick
def test_a_missing_relu_mask_is_named_by_its_zeros_or_if_they_are_few_by_the_array(problem: Problem) -> None:
    d, masked = problem.d, problem.c["z1"] <= 0
    assume(masked.any() and d["z1"].any())
    count = f"{np.count_nonzero(masked & (d['a1'] != 0))} of {masked.size} entries"
    assert problem.say("d['z1']", d["a1"]) in (
        f"d['z1'] lacks the factor (c['z1'] > 0): {count} are not zero where they should be",
        "d['z1'] is d['a1'], should be d['a1'] * (c['z1'] > 0)",
    )
