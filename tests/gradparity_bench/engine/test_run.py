import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
from tests.plugins import register

import gradparity_bench
from gradparity import formats
from gradparity.errors import UsageError
from gradparity_bench.drawn import draw
from gradparity_bench.engine import measure
from gradparity_bench.engine import run as engine
from gradparity_bench.engine.measure import measure_point
from gradparity_bench.engine.process import Worker, WorkerError
from gradparity_bench.engine.sitting import Bench
from gradparity_bench.points import points, spec_at
from gradparity_bench.results import Measurement, Result
from gradparity_bench.standings import Point

BROKEN = """
import os, time
from dataclasses import replace
import numpy as np
from gradparity_manual import backend as right

class Runtime:
    library = "numpy"
    from_numpy = staticmethod(right.runtime.from_numpy)
    wait = staticmethod(right.runtime.wait)
    optimizer = staticmethod(right.runtime.optimizer)

    def __init__(self, fault):
        self.fault, self.calls = fault, 0

    def compile(self, function, dtype, how="program"):
        compiled = right.runtime.compile(function, dtype, how)
        return (lambda state, batch: self.step(compiled, state, batch)) if how == "step" else compiled

    def step(self, compiled, state, batch):
        if self.fault == "dies":
            print("an assertion deep inside", flush=True)
            os.abort()
        if self.fault == "hangs":
            time.sleep(1000)
        if self.fault == "once" and not self.calls:
            os.mkdir(os.environ["STARTED"])  # there already in the second process
        if self.fault == "greedy":
            np.ones(2**50, dtype=np.uint8)
        state, loss = compiled(state, batch)
        self.calls += 1
        if self.fault == "idle" or (self.fault == "tires" and self.calls > 60):
            state = state._replace(params={name: 0 * value for name, value in state.params.items()})
        return state, loss

dies, hangs, greedy, idle, tires, once = (
    replace(right, name=name, runtime=Runtime(name)) for name in ("dies", "hangs", "greedy", "idle", "tires", "once")
)
"""
NAMES = ("dies", "hangs", "greedy", "idle", "tires", "once")
POINTS = points("softmax_regression", batch_size=[8])


@pytest.fixture
def broken(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register backends that die, hang, want too much memory, train nothing or stop; and those of ``plugins``."""
    (plugins / "broken_backends.py").write_text(BROKEN)
    register(plugins, "broken", "gradparity.backends", **{name: f"broken_backends:{name}" for name in NAMES})
    monkeypatch.syspath_prepend(str(plugins))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(plugins), os.environ.get("PYTHONPATH", "")]))


def workers() -> list[psutil.Process]:
    """Return the processes that this one has started and that still run."""
    return [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.fault(kind="backend")
@pytest.mark.usefixtures("broken", "unlimited")
def test_what_fails_costs_its_own_row_only_and_says_why() -> None:
    before = workers()
    names = ["lost", "dies", "numpy", "greedy", "wrong", "idle", "tires"]
    (found,) = gradparity_bench.run(POINTS, names, rounds=3, processes=1).measurements
    said = {row.backend: (row.status, row.reason) for row in found.rows}
    assert list(said) == names
    assert said["numpy"] == ("timed", "")
    assert {name: status for name, (status, _) in said.items() if name != "numpy"} == {
        "lost": "not installed",
        "dies": "died",
        "greedy": "out of memory",
        "wrong": "disagrees",
        "idle": "disagrees",
        "tires": "disagrees",
    }
    assert "pip install no_such_library" in said["lost"][1]
    assert "SIGABRT" in said["dies"][1]
    assert "d['W']" in said["wrong"][1]
    assert "its loss after 20 steps" in said["idle"][1]
    assert "its loss after 20 steps" in said["tires"][1]  # right before the timing, wrong after it
    assert workers() == before


@pytest.mark.fault(kind="backend")
@pytest.mark.usefixtures("broken")
def test_a_worker_that_hangs_is_ended_when_patience_is(tmp_path: Path) -> None:
    arrays = tmp_path / "drawn.npz"
    point = POINTS[0]
    draw(spec_at(point), 64, 0).save(arrays)
    before = workers()
    told = {"backend": "hangs", "lr": None}
    with Worker(1, tmp_path, patience=3.0) as worker, pytest.raises(WorkerError, match="within 3 s") as error:
        worker.request("prepare", contestant=told, point=asdict(point), arrays=str(arrays), memory=2**40)
    assert error.value.status == "hung"
    assert workers() == before


def test_a_file_in_the_current_folder_is_not_taken_for_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "psutil.py").write_text("raise ImportError('not this one')")
    monkeypatch.chdir(tmp_path)
    with Worker(1, tmp_path, patience=60.0) as worker:
        assert worker.request("finish")["peak"] > 0


@pytest.mark.usefixtures("broken", "unchecked", "unlimited")
def test_what_fails_in_a_later_process_is_not_timed_and_the_others_keep_their_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARTED", str(tmp_path / "started"))
    (found,) = gradparity_bench.run(POINTS, ["once", "numpy"], rounds=3, processes=2).measurements
    once, numpy = found.rows
    assert (once.status, once.rounds) == ("failed", None)
    assert "FileExistsError" in once.reason
    assert numpy.rounds is not None
    assert numpy.rounds.processes == (0, 0, 1)
    assert found.again is not None
    assert (found.again.backend, found.again.reason) == ("once", "once is not timed")
    assert found.noise_floor() is None


@pytest.mark.usefixtures("unchecked")
def test_a_row_has_every_number_and_the_threads_that_were_asked() -> None:
    (found,) = gradparity_bench.run(POINTS, ["numpy"], rounds=3, processes=1).measurements
    (row,) = found.rows
    assert row.rounds is not None
    assert row.phases is not None
    for call in ("step", "epoch", "loss", "value_and_grad"):
        assert len(getattr(row.rounds, call)) == 3
        assert min(getattr(row.rounds, call)) > 0
    assert min(row.rounds.epoch) > min(row.rounds.step)
    assert row.rounds.processes == (0, 0, 0)
    assert row.threads_observed is not None
    assert row.threads_observed < 1.1
    assert (row.library, row.differentiation) == ("numpy", "hand")
    assert set(row.versions) == {"gradparity", "numpy"}
    assert row.peak_memory is not None
    assert row.working_memory is not None
    assert row.peak_memory > row.working_memory > 0
    assert row.phases.importing > 0
    assert row.steps_per_round > 1
    assert found.again is not None
    assert found.again.final_loss == row.final_loss
    assert found.limits is not None
    assert len(found.limits.flops_per_second) == len(found.limits.bytes_per_second) == 3
    assert found.verdict("numpy") == "tie"
    assert found.flops == 2 * (2 * 8 * 7 * 5) + 8 * 8 * 5 + 2 * 8 * 5


def interrupt_at(moment: str) -> Callable[[str], None]:
    """Return a progress that presses Ctrl-C at a moment, with workers that do not hear it."""
    before = workers()  # other tests may have left processes of their own

    def progress(now: str) -> None:
        if now == moment:
            assert all(os.getpgid(worker.pid) != os.getpgid(0) for worker in workers() if worker not in before)
            raise KeyboardInterrupt

    return progress


@pytest.mark.fault(kind="machine")
@pytest.mark.usefixtures("unchecked", "unlimited")
def test_ctrl_c_ends_all_workers_and_keeps_the_finished_rounds() -> None:
    before = workers()
    result = gradparity_bench.run(POINTS * 2, ["numpy"], rounds=9, processes=1, progress=interrupt_at("round 2 of 9"))
    assert not result.complete
    (found,) = result.measurements
    rounds = found.row("numpy").rounds
    assert rounds is not None
    assert len(rounds.step) == 2
    assert workers() == before


@pytest.mark.fault(kind="machine")
@pytest.mark.usefixtures("unchecked", "unlimited")
def test_ctrl_c_before_the_first_round_keeps_nothing_and_ends_all_workers() -> None:
    before = workers()
    result = gradparity_bench.run(POINTS, ["numpy"], progress=interrupt_at("starting numpy"))
    assert (result.complete, result.measurements) == (False, ())
    assert workers() == before


@pytest.mark.fault(kind="journal")
@pytest.mark.usefixtures("unchecked", "unlimited")
def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = tmp_path / "sweep.jsonl"
    sweep = points("softmax_regression", batch_size=[4, 8])
    first = gradparity_bench.run(
        sweep, ["numpy"], rounds=3, processes=1, keep=keep, progress=interrupt_at("point 2 of 2")
    )
    assert not first.complete
    assert [m.point for m in first.measurements] == sweep[:1]

    measured = []
    real = measure_point

    def counted(bench: Bench, backends: Sequence[str], point: Point) -> Measurement:
        measured.append(point)
        return real(bench, backends, point)

    monkeypatch.setattr(engine, "measure_point", counted)
    second = gradparity_bench.run(sweep, ["numpy"], rounds=3, processes=1, keep=keep)
    assert measured == sweep[1:]
    assert second.complete
    assert second.measurements[0] == first.measurements[0]
    assert formats.decoded(json.dumps(second.to_dict()).encode(), Result, "it", "is none", "") == second
    with pytest.raises(UsageError, match="another"):
        gradparity_bench.run(sweep, ["numpy"], rounds=4, processes=1, keep=keep)


@pytest.mark.usefixtures("unchecked", "unlimited")
def test_a_users_file_is_executed_once_in_each_process(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "docs" / "examples" / "my_model.py"
    log, file = tmp_path / "log", tmp_path / "my_model.py"
    noting = f"import os\nwith open({str(log)!r}, 'a') as log:\n    print(os.getpid(), file=log)\n"
    file.write_text(f"{example.read_text()}\n{noting}")
    where = points(str(file), batch_size=[8])
    assert gradparity_bench.run(where, ["numpy"], rounds=3, processes=1).measurements[0].timed
    assert spec_at(where[0]) is spec_at(where[0])
    processes = log.read_text().split()
    assert len(processes) == len(set(processes)) == 3  # this one, and two workers of the backend
    file.write_text(file.read_text() + "\n")
    spec_at(where[0])
    assert log.read_text().split() == [*processes, str(os.getpid())]


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("rounds", "processes", "each"), [(60, 6, [10] * 6), (10, 4, [3, 3, 2, 2]), (3, 6, [1, 1, 1]), (3, 1, [3])]
)
def test_rounds_are_dealt_out_to_processes_evenly(rounds: int, processes: int, each: list[int]) -> None:
    assert measure.dealt(rounds, processes) == each


@pytest.mark.parametrize(
    ("backends", "rounds", "said"),
    [(["nunpy"], 3, "did you mean 'numpy'"), ([], 3, "at least one backend"), (["numpy"], 2, "at least 3")],
)
def test_a_run_that_cannot_be_is_refused_before_anything_is_timed(backends: list[str], rounds: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        gradparity_bench.run(POINTS, backends, rounds=rounds)
