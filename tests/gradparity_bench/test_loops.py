from dataclasses import replace

import numpy as np
import pytest

from gradparity import data, registry
from gradparity.parity.norms import relative_error
from gradparity_bench import notebook, pytorch_loop
from gradparity_bench.contests import OVERHEAD, SPEED, first_epoch, loop
from gradparity_bench.guard import expected_weights
from gradparity_bench.task import Task

LOOPS = sorted({name for contest in SPEED + OVERHEAD for name in contest.loops})


@pytest.mark.parametrize("batch_size", [16, 300])
@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_trains_to_the_notebooks_weights(task: Task, name: str, batch_size: int) -> None:
    task = replace(task, batch_size=batch_size)
    assert expected_weights(task).refusal(first_epoch(name, task)) == ""


@pytest.mark.parametrize("name", registry.DEFAULT)
def test_the_loop_without_the_framework_does_the_same_operations(task: Task, name: str) -> None:
    inlined, framework = loop(f"{name} inlined")(task), loop(name)(task)
    for _ in range(3):
        own, other = next(inlined), next(framework)
        for parameter in ("W", "b"):
            assert own[parameter].dtype == np.float32
            assert relative_error(own[parameter], other[parameter]) <= 4 * np.finfo(np.float32).eps


@pytest.mark.parametrize("name", LOOPS)
def test_training_goes_on_and_leaves_the_weights_it_gave_alone(task: Task, name: str) -> None:
    epochs = loop(name)(task)
    first = next(epochs)
    kept = {name: value.copy() for name, value in first.items()}
    second = next(epochs)
    for parameter in ("W", "b"):
        np.testing.assert_array_equal(first[parameter], kept[parameter])
        assert not np.array_equal(first[parameter], second[parameter])


def test_the_pytorch_users_loop_shuffles_by_itself(task: Task) -> None:
    in_order = next(pytorch_loop.train(task, order=np.arange(len(task.examples))))
    shuffled = next(pytorch_loop.train(task))
    assert not np.array_equal(in_order["W"], shuffled["W"])


def test_the_notebooks_loop_comes_to_the_notebooks_first_epoch() -> None:
    status = data.status("mnist")
    if not status.present:
        pytest.skip(f"MNIST is not here: {status.where}")
    mnist = data.load("mnist").train
    weights = next(notebook.train(Task(mnist, classes=10)))
    x, y, _ = mnist.batch(slice(0, 10_000), "float32")
    P = notebook.softmax(x @ weights["W"] + weights["b"])
    assert f"{-np.log(P[np.arange(len(y)), y]).mean():.4f}" == "0.4578"
    assert f"{(P.argmax(axis=1) == y).mean():.4f}" == "0.8858"
