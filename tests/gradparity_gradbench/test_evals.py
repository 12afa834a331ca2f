"""Every evaluation, on every backend: as its definition says, and line by line as machines derive it."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from tests.gradparity_gradbench.golden import GOLDEN, golden, hand

import gradparity
from gradparity_gradbench.eval import BACKENDS
from gradparity_gradbench.evals import particle
from gradparity_gradbench.evals.saddle import Gradient
from gradparity_gradbench.referee import wrong
from gradparity_gradbench.rotations import cross_matrix, rotation, rotation_derivatives, turning
from gradparity_gradbench.tool import EVALUATIONS, eval_named, evaluations

MODEL_FILES = {"hello": 11, "llsq": 11, "lse": 11, "gmm": 5, "kmeans": 11, "det": 3, "ode": 3, "lstm": 3}
"""Those with one number as their result -> examples, of which ode and lstm take a pass each."""
SLOW = {
    "numpy": ("saddle", "particle"),
    "jax": ("gmm", "lstm", "ba", "ht", "ode", "saddle", "particle"),
    "jax-manual": ("gmm", "lstm", "ht", "ode", "saddle", "particle"),
    "torch": ("saddle", "particle"),
    "torch-manual": ("saddle", "particle"),
}
"""What takes seconds, to compile or to descend."""
SHORTCUTS = tuple(name for name in EVALUATIONS if eval_named(name).shortcut)


def test_every_evaluation_has_its_definition_beside_it() -> None:
    assert set(GOLDEN) == set(EVALUATIONS)


def cases() -> Iterator[Any]:
    for backend in BACKENDS:
        for module in EVALUATIONS:
            slow = [pytest.mark.slow] if module in SLOW.get(backend, ()) else []
            yield pytest.param(backend, module, marks=slow)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # PyTorch's own forward mode
@pytest.mark.parametrize(("backend", "module"), list(cases()))
def test_every_output_is_what_the_definition_gives(backend: str, module: str) -> None:
    evaluate = evaluations(backend)
    given, outputs = golden(module)
    assert set(eval_named(module).functions) == set(outputs)
    for function, expected in outputs.items():
        evaluation = evaluate(module, function, given)
        assert list(wrong(expected, evaluation.output(evaluation.run()))) == [], function


@pytest.mark.parametrize("module", SHORTCUTS)
def test_a_shortcut_gives_what_the_naive_variant_gives(module: str) -> None:
    evaluate = evaluations("numpy", naive=True)
    given, outputs = golden(module)
    for function, expected in outputs.items():
        evaluation = evaluate(module, function, given)
        assert list(wrong(expected, evaluation.output(evaluation.run()))) == [], function


@pytest.mark.parametrize("module", MODEL_FILES)
def test_each_line_is_what_jax_and_pytorch_derive(module: str) -> None:
    lines = import_module(f"gradparity_gradbench.evals.{module}")
    backends = ["numpy", "torch"] if module in SLOW["jax"] else ["numpy", "jax", "torch"]
    gradparity.check(lines, backends=backends, lanes=["float64"], n=MODEL_FILES[module]).assert_ok()


@pytest.mark.slow
@pytest.mark.parametrize("module", MODEL_FILES)
def test_each_line_agrees_in_both_lanes_and_on_every_library(module: str) -> None:
    lines = import_module(f"gradparity_gradbench.evals.{module}")
    gradparity.check(lines, backends=list(BACKENDS), n=MODEL_FILES[module]).assert_ok()


def test_a_hand_whose_points_are_vertices_has_no_coordinates_to_derive() -> None:
    given, outputs = hand(on_triangles=False)
    for function, expected in outputs.items():
        evaluation = evaluations("numpy")("ht", function, given)
        assert list(wrong(expected, evaluation.output(evaluation.run()))) == [], function


@pytest.mark.parametrize("v", [[0.3, -1.1, 0.7], [0.0, 0.0, 0.0]])
def test_a_rotation_changes_with_its_vector_as_autodiff_says(v: list[float]) -> None:
    def rule(v: Any, dy: Any) -> Any:
        return (rotation_derivatives(v) * dy).sum((1, 2))

    gradparity.check_vjp(rotation, rule, np.array(v)).assert_ok()
    # δR = [J δv]× R, column by column of J.
    turned = [cross_matrix(column) @ rotation(np.array(v)) for column in turning(np.array(v)).T]
    np.testing.assert_allclose(turned, rotation_derivatives(np.array(v)), rtol=1e-13, atol=1e-13)


def test_the_particles_end_changes_with_w_as_autodiff_says() -> None:
    def end(w: Any) -> Any:
        return particle.end(w, particle.push)

    gradparity.check_vjp(end, lambda w, dy: dy * particle.end_along(w), np.array([0.3])).assert_ok()


@pytest.mark.parametrize("inner", [particle.inner_reverse_by_torch, particle.inner_forward_by_torch])
@pytest.mark.parametrize("outer", [particle.outer_reverse_by_torch, particle.outer_forward_by_torch])
def test_a_traced_push_is_the_one_by_hand_and_is_differentiated_once_more(inner: Gradient, outer: Gradient) -> None:
    torch = pytest.importorskip("torch")
    x, y, w = (torch.tensor(number, dtype=torch.float64) for number in (0.5, 7.0, 0.3))
    push = particle.traced_by_torch(
        lambda position, w: tuple(-g for g in inner(lambda x, y: particle.potential(x, y, w), position))
    )
    assert [float(a) for a in push((x, y), w)] == pytest.approx([float(a) for a in particle.push((x, y), w)])
    zero = 0 * w
    for i, by_hand in enumerate(particle.push_along((x, y), w, (zero, zero))):
        (found,) = outer(lambda own, i=i: push((x, y), own)[i], (w,))
        assert float(found) == pytest.approx(float(by_hand))
