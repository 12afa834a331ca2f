import importlib
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from gradparity import data, registry
from gradparity.models import SoftmaxRegression, spec_for_data
from gradparity.parity.norms import relative_error
from gradparity_bench.alternatives import MODELS
from gradparity_bench.contestants import numpy_loops
from gradparity_bench.drawn import EPOCHS, Loop, Task, draw, own_loop, trained
from gradparity_bench.engine.guard import WeightGuard, weight_guard
from gradparity_bench.entries import ALTERNATIVES, LR, Entry, training
from gradparity_bench.speed import OVERHEAD, SPEED
from gradparity_bench.standings import Point

LOOPS = sorted({entry.name for contest in SPEED + OVERHEAD for entry in contest.entries})
IN_THIS_PROCESS = [entry for entry in ALTERNATIVES if not entry.environment]
"""Keras takes its library from the environment, once for each process."""


def loop(entry: Entry) -> Loop:
    """Return a contestant's loop, as a worker finds it."""
    if entry.backend:
        return partial(own_loop, registry.backend(entry.backend))
    module, function = entry.loop.split(":")
    found: Loop = getattr(importlib.import_module(f"gradparity_bench.contestants.{module}"), function)
    return found


@pytest.fixture(scope="module")
def digits() -> dict[str, Task]:
    dataset = data.load("digits")

    def task(model: str) -> Task:
        spec = spec_for_data(model, dataset, MODELS[model])
        settings = {name: getattr(spec, name) for name in spec.__dataclass_fields__}
        drawn = draw(spec, dataset.train, seed=42, epochs=EPOCHS)
        return Task(Point(model, settings, 64, "float32", 1), drawn, LR)

    return {model: task(model) for model in MODELS}


@pytest.fixture(scope="module")
def guards(make_task: Callable[[int], Task], digits: dict[str, Task]) -> dict[object, WeightGuard]:
    tasks = [(16, make_task(16)), (300, make_task(300)), *digits.items()]
    return {key: weight_guard(task) for key, task in tasks}


def refusal(guard: WeightGuard, entry: Entry) -> tuple[str, str]:
    """Return what the guard says of a contestant's weights before and after training."""
    trainer = loop(entry)(guard.task)
    before = guard.after({"weights": trainer.weights()}, {}, guard.task.point)
    return before, guard.after({"weights": trained(trainer, guard.task.drawn)}, {}, guard.task.point)


@pytest.mark.parametrize("batch_size", [16, 300])
@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_trains_to_the_right_weights(guards: dict[object, WeightGuard], name: str, batch_size: int) -> None:
    before, after = refusal(guards[batch_size], training(name))
    assert before
    assert after == ""


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("entry", IN_THIS_PROCESS, ids=lambda entry: entry.name)
def test_every_alternative_trains_the_same(guards: dict[object, WeightGuard], entry: Entry, model: str) -> None:
    if entry.missing:
        pytest.skip(entry.missing)
    before, after = refusal(guards[model], entry)
    assert before  # not trained yet
    assert after == ""


@pytest.mark.fault(kind="lie")
def test_the_wrong_learning_rate_is_refused_with_both_losses(
    guards: dict[object, WeightGuard], digits: dict[str, Task]
) -> None:
    task = digits["softmax_regression"]
    other = weight_guard(Task(task.point, task.drawn, 0.1001)).truth
    said = guards["softmax_regression"].after({"weights": other}, {}, task.point)
    assert said.startswith("its loss after 2 epochs is 1.59")
    assert "is off by" in said


@pytest.mark.parametrize("name", registry.DEFAULT)
def test_the_loop_without_the_framework_does_the_same_operations(task: Task, name: str) -> None:
    inlined, framework = loop(training(f"{name} inlined"))(task), loop(training(name))(task)
    for order in (*task.drawn.orders, task.drawn.orders[0]):
        inlined.epoch(order)
        framework.epoch(order)
        own, other = inlined.weights(), framework.weights()
        for parameter in ("W", "b"):
            assert own[parameter].dtype == np.float32
            assert relative_error(own[parameter], other[parameter]) <= 4 * np.finfo(np.float32).eps


@pytest.mark.parametrize("name", LOOPS)
def test_training_goes_on_and_leaves_the_weights_it_gave_alone(task: Task, name: str) -> None:
    trainer = loop(training(name))(task)
    trainer.epoch(task.drawn.orders[0])
    first = trainer.weights()
    kept = {name: value.copy() for name, value in first.items()}
    trainer.epoch(task.drawn.orders[1])
    second = trainer.weights()
    for parameter in ("W", "b"):
        np.testing.assert_array_equal(first[parameter], kept[parameter])
        assert not np.array_equal(first[parameter], second[parameter])


def test_the_notebooks_loop_comes_to_the_notebooks_first_epoch() -> None:
    status = data.status("mnist")
    if not status.present:
        pytest.skip(f"MNIST is not here: {status.where}")
    mnist = data.load("mnist").train
    drawn = draw(SoftmaxRegression(features=784, classes=10), mnist, seed=42)
    settings = {"features": 784, "classes": 10}
    task = Task(Point("softmax_regression", settings, 256, "float32", 1), drawn, LR)
    weights = trained(numpy_loops.notebook(task), drawn)
    x, y, _ = mnist.batch(slice(0, 10_000), "float32")
    P = numpy_loops.softmax(x @ weights["W"] + weights["b"])
    assert f"{-np.log(P[np.arange(len(y)), y]).mean():.4f}" == "0.4578"
    assert f"{(P.argmax(axis=1) == y).mean():.4f}" == "0.8858"


def test_what_is_drawn_again_is_the_same(make_task: Callable[[int], Task]) -> None:
    first, again = make_task(16).drawn, make_task(16).drawn
    np.testing.assert_array_equal(first.params["W"], again.params["W"])
    np.testing.assert_array_equal(first.orders, again.orders)
