from pathlib import Path

import numpy as np
import pytest

from gradparity import SoftmaxRegression
from gradparity_bench.contestants import numpy_loops
from gradparity_bench.drawn import Drawn, Task, Weights, trained
from gradparity_bench.engine.guard import EXAMPLES, WeightGuard, gradient_refusal, weight_guard
from gradparity_bench.standings import Point

POINT = Point("softmax_regression", {}, 16, "float32", 1)


@pytest.fixture
def planted(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> SoftmaxRegression:
    monkeypatch.syspath_prepend(str(plugins))
    return SoftmaxRegression(features=6, classes=4)


@pytest.mark.fault(kind="lie")
def test_a_gradient_wrong_by_a_twentieth_of_a_percent_is_refused(planted: SoftmaxRegression) -> None:
    status, reason = gradient_refusal(planted, "wrong")
    assert status == "disagrees"
    assert "gradients disagree" in reason
    assert "d['W']" in reason


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_a_wrong_backend_beside_it_does_not_make_a_right_one_refused(planted: SoftmaxRegression, name: str) -> None:
    assert gradient_refusal(planted, name, "float64", EXAMPLES) == ("timed", "")


def test_a_backend_whose_library_is_missing_is_refused_with_the_command_that_installs_it(
    planted: SoftmaxRegression,
) -> None:
    status, reason = gradient_refusal(planted, "lost")
    assert status == "not installed"
    assert "pip install no_such_library" in reason


def refusal(guard: WeightGuard, weights: Weights) -> str:
    return guard.after({"weights": weights}, {}, POINT)


def test_right_weights_are_accepted_and_one_slightly_wrong_array_is_named_with_both_losses(task: Task) -> None:
    guard = weight_guard(task)
    weights = trained(numpy_loops.notebook(task), task.drawn)
    assert refusal(guard, weights) == ""
    wrong = refusal(guard, {**weights, "b": weights["b"] * np.float32(1.001)})
    assert wrong.startswith("its loss after 2 epochs is 1.5856")
    assert ", not 1.5856" in wrong
    assert "b is off by" in wrong


@pytest.mark.fault(kind="lie")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(task: Task, bad: float) -> None:
    weights = trained(numpy_loops.notebook(task), task.drawn)
    weights["W"][3, 1] = bad
    assert "W is off by" in refusal(weight_guard(task), weights)


def test_what_is_drawn_comes_back_from_its_file_as_it_was(task: Task, tmp_path: Path) -> None:
    task.drawn.save(tmp_path / "drawn.npz")
    read = Drawn.load(tmp_path / "drawn.npz")
    np.testing.assert_array_equal(read.params["W"], task.drawn.params["W"])
    np.testing.assert_array_equal(read.orders, task.drawn.orders)
    np.testing.assert_array_equal(read.examples.x, task.examples.x)
    assert read.examples.x.dtype == np.uint8
    assert read.examples.divisor == 255.0
