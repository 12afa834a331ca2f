from pathlib import Path

import numpy as np
import pytest

from gradparity import SoftmaxRegression
from gradparity_bench import notebook
from gradparity_bench.guard import expected_weights, refusal
from gradparity_bench.task import Task


@pytest.fixture
def planted(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> SoftmaxRegression:
    monkeypatch.syspath_prepend(str(plugins))
    return SoftmaxRegression(features=6, classes=4)


def test_a_gradient_wrong_by_a_twentieth_of_a_percent_is_refused(planted: SoftmaxRegression) -> None:
    assert "gradients disagree" in refusal(planted, "wrong")
    assert "d['W']" in refusal(planted, "wrong")


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_a_wrong_backend_beside_it_does_not_make_a_right_one_refused(planted: SoftmaxRegression, name: str) -> None:
    assert refusal(planted, name) == ""


def test_a_backend_whose_library_is_missing_is_refused_with_the_command_that_installs_it(
    planted: SoftmaxRegression,
) -> None:
    assert "pip install no_such_library" in refusal(planted, "lost")


def test_right_weights_are_accepted_and_one_slightly_wrong_array_is_named(task: Task) -> None:
    expected = expected_weights(task)
    weights = next(notebook.train(task))
    assert expected.refusal(weights) == ""
    assert expected.refusal({**weights, "b": weights["b"] * np.float32(1.001)}).startswith("its b after one epoch")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(task: Task, bad: float) -> None:
    weights = next(notebook.train(task))
    weights["W"][3, 1] = bad
    assert "its W" in expected_weights(task).refusal(weights)
