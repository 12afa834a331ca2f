import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradparity_alternatives import process
from gradparity_alternatives.__main__ import main
from gradparity_alternatives.contestants import CONTESTANTS, EXTRAS, OWN, Contestant
from gradparity_alternatives.measure import Row, measure
from gradparity_alternatives.parity import Expected, expected
from gradparity_alternatives.tables import Table, cells, markdown
from gradparity_alternatives.task import MODELS, Task, problem

TASK = Task("digits", None, "softmax_regression", batch_size=64)
BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS}
IN_THIS_PROCESS = [c for c in CONTESTANTS if not c.environment]
"""Keras takes its library from the environment, once for each process."""


@pytest.fixture(scope="module")
def truths() -> dict[str, Expected]:
    return {model: expected(replace(TASK, model=model)) for model in MODELS}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("contestant", IN_THIS_PROCESS, ids=lambda contestant: contestant.name)
def test_every_contestant_trains_the_same(contestant: Contestant, model: str, truths: dict[str, Expected]) -> None:
    if contestant.missing:
        pytest.skip(contestant.missing)
    given = problem(replace(TASK, model=model))
    module = importlib.import_module(f"gradparity_alternatives.{contestant.module}")
    trainer = module.prepare(given, *contestant.arguments)
    assert truths[model].refusal(trainer.weights())  # not trained yet
    for _ in range(2):
        trainer.epoch(given.rng.permutation(len(given.examples)))
    assert truths[model].refusal(trainer.weights()) == ""


def test_the_wrong_learning_rate_is_refused_with_both_losses(truths: dict[str, Expected]) -> None:
    other = expected(replace(TASK, lr=0.1001)).truth
    refusal = truths[TASK.model].refusal(other)
    assert refusal.startswith("its loss after 2 epochs is 1.59")
    assert "is off by" in refusal


def test_processes_take_turns_and_one_that_dies_costs_its_own_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "no_such_package", "alternatives")
    dies = Contestant("dies", "numpy", "no_such_module")
    absent = Contestant("absent", "numpy", "own_backend", needs=("no_such_package",))
    rows = measure(TASK, 2, 1, lambda _: None, [BY_NAME[OWN["numpy"]], BY_NAME["scikit-learn"], dies, absent])
    own, alternative, died, missing = rows
    assert len(own.seconds) == len(alternative.seconds) == 2
    assert own.to_own == own.to_numpy == (1, 1, 1)
    assert alternative.loss == pytest.approx(own.loss, rel=1e-6)
    assert died.seconds == missing.seconds == ()
    assert "No module named 'gradparity_alternatives.no_such_module'" in died.refusal
    assert missing.refusal.startswith("no_such_package not installed: run  ")
    assert missing.refusal.endswith("-m pip install 'gradparity[alternatives]'")


@pytest.mark.parametrize("name", [c.name for c in CONTESTANTS if c.environment])
def test_keras_fits_the_same_in_a_process_of_its_own(name: str) -> None:
    if BY_NAME[name].missing:
        pytest.skip(BY_NAME[name].missing)
    (row,) = measure(TASK, 1, 1, lambda _: None, [BY_NAME[name]])
    assert row.refusal == ""
    assert row.loss == pytest.approx(1.5925, rel=1e-3)


def test_one_that_hangs_is_ended_and_costs_its_own_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PATIENCE", 0.01)
    (row,) = measure(TASK, 1, 1, lambda _: None, [BY_NAME[OWN["numpy"]]])
    assert (row.seconds, row.refusal) == ((), "it gave no answer within 0.01 s")


def test_a_table_says_who_is_not_timed_and_why() -> None:
    timed = Row("a", "numpy", 0.5, None, (0.001, 0.003, 0.002), 1.0, (2.0, 1.5, 2.5), (2.0, 1.5, 2.5))
    table = Table(TASK, 1, (timed, Row("b", "numpy", refusal="b is not installed")))
    assert cells(timed) == ("a", "0.5000", "", "2", "2×", "1.5–2.5", "2×")
    assert "| b |  |  | not timed |  |  |  |" in markdown(table)
    assert "b is not timed: b is not installed" in markdown(table)


def test_unknown_data_are_refused_before_any_work(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--data", "mnits", "--json", str(tmp_path / "out.json")]) == 2
    assert "did you mean 'mnist'" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_more_threads_than_cores_are_refused_before_any_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--threads", "100000"]) == 2
    assert "threads must be at most" in capsys.readouterr().err


def test_a_task_crosses_to_a_worker_as_json() -> None:
    from dataclasses import asdict

    assert Task(**json.loads(json.dumps(asdict(TASK)))) == TASK
    first, again = problem(TASK), problem(TASK)
    np.testing.assert_array_equal(first.weights["W"], again.weights["W"])
    np.testing.assert_array_equal(first.rng.permutation(9), again.rng.permutation(9))
