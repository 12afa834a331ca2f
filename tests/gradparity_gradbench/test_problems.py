"""Every evaluation, on every backend: as its definition says, and line by line as machines derive it."""

from importlib import import_module

import pytest
from tests.gradparity_gradbench.definitions import GOLDEN, golden

import gradparity
from gradparity_gradbench.problem import BACKENDS
from gradparity_gradbench.referee import wrong
from gradparity_gradbench.tool import EVALUATIONS, evaluations, problem

MODEL_FILES = ("hello", "llsq", "lse", "gmm", "kmeans")
SHORTCUTS = tuple(name for name in EVALUATIONS if problem(name).shortcut)


def test_every_evaluation_has_its_definition_beside_it() -> None:
    assert set(GOLDEN) == set(EVALUATIONS)


@pytest.mark.parametrize("module", EVALUATIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_output_is_what_the_definition_gives(backend: str, module: str) -> None:
    evaluate = evaluations(backend)
    given, outputs = golden(module)
    assert set(problem(module).functions) == set(outputs)
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
    lines = import_module(f"gradparity_gradbench.problems.{module}")
    gradparity.check(lines, backends=["numpy", "jax", "torch"], lanes=["float64"]).assert_ok()


@pytest.mark.slow
@pytest.mark.parametrize("module", MODEL_FILES)
def test_each_line_agrees_in_both_lanes_and_on_every_library(module: str) -> None:
    lines = import_module(f"gradparity_gradbench.problems.{module}")
    gradparity.check(lines, backends=list(BACKENDS)).assert_ok()
