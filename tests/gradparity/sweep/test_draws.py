import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity.journal import packed
from gradparity.models import names
from gradparity.parity.report import Report
from gradparity.parity.rows import Unchecked
from gradparity.report.cli import sweep as cli
from gradparity.sweep import draws as sweeping
from gradparity.sweep.draws import Draw, DrawOutcome, draws, sweep

SEED = 11
"""The first draws of this seed have few examples."""
QUICK = ["numpy", "torch-manual", "torch"]
HAND_WITH_A_RARE_BUG = """
from array_api_compat import array_namespace

param_shapes = {"w": (3,)}
input_shape = (3,)
target_shape = ()

def forward(p, batch, c):
    c["z"] = batch.x @ p["w"]
    c["loss"] = ((c["z"] - batch.y) ** 2).sum()

def backward(p, batch, c, d):
    wrong = 1.01 if batch.x.shape[0] > 60 else 1
    d["z"] = 2 * wrong * (c["z"] - batch.y)
    d["w"] = batch.x.T @ d["z"]
"""


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The draws that are checked from here on; each agrees without being checked."""
    indices: list[int] = []

    def record(draw: Draw) -> DrawOutcome:
        indices.append(draw.index)
        return DrawOutcome(draw.index, True, {"float64": 0.0, "float32": 0.5})

    monkeypatch.setattr(sweeping, "outcome_of", record)
    return indices


@pytest.fixture
def buggy(tmp_path: Path) -> str:
    path = tmp_path / "my_model.py"
    path.write_text(HAND_WITH_A_RARE_BUG)
    return str(path)


@pytest.mark.parametrize(("model", "count"), [("softmax_regression", 20), ("mlp", 12)])
def test_right_derivations_raise_no_alarm(model: str, count: int) -> None:
    result = sweep(model, count, seed=7, backends=QUICK)
    assert result.counter_example is None
    assert len(result.outcomes) == count
    assert 0 < result.quantile("float32", 1.0) <= 1


def test_a_draw_is_the_same_whatever_their_number() -> None:
    few, many = (list(draws("mlp", count, seed=3, backends=QUICK, lanes=["float64"])) for count in (4, 9))
    assert many[:4] == few
    assert len({(str(draw.settings), draw.n, draw.seed) for draw in many}) == 9


def test_a_backend_that_compiles_takes_part_in_a_sample_only_beside_another_witness() -> None:
    both = list(draws("mlp", 51, seed=0, backends=["numpy", "jax", "torch"], lanes=["float64"]))
    assert [draw.index for draw in both if "jax" in draw.backends] == [0, 50]
    alone = draws("mlp", 3, seed=0, backends=["numpy", "jax"], lanes=["float64"])
    assert all(draw.backends == ("numpy", "jax") for draw in alone)


def test_finished_draws_are_not_repeated(tmp_path: Path, checked: list[int]) -> None:
    journal = tmp_path / "sweep.jsonl"

    def interrupt(done: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep("mlp", 12, backends=QUICK, journal=journal, progress=interrupt)
    checked.clear()
    with journal.open("a") as file:
        file.write('{"index": 4, "agr')
    result = sweep("mlp", 12, backends=QUICK, journal=journal)
    assert checked == list(range(4, 12)), "the fifth draw was interrupted before it was written"
    assert [outcome.index for outcome in result.outcomes] == list(range(12))
    checked.clear()
    assert len(sweep("mlp", 14, backends=QUICK, journal=journal).outcomes) == 14
    assert checked == [12, 13]


@pytest.mark.fault(kind="silence")
def test_what_was_checked_before_the_file_or_its_neighbour_changed_does_not_count(
    buggy: str, tmp_path: Path, checked: list[int]
) -> None:
    journal, neighbour = tmp_path / "sweep.jsonl", tmp_path / "neighbour.py"
    Path(buggy).write_text(f"import neighbour\n{HAND_WITH_A_RARE_BUG}")
    for content in ("", "FACTOR = 2"):
        neighbour.write_text(content)
        journal.unlink(missing_ok=True)
        assert len(sweep(buggy, 3, backends=QUICK, journal=journal).outcomes) == 3
        for file in (Path(buggy), neighbour):
            before = file.read_text()
            file.write_text(before + "\nlater = 1")
            with pytest.raises(UsageError, match="journal of another sweep, with other code: name another file"):
                sweep(buggy, 3, backends=QUICK, journal=journal)
            file.write_text(before)
    assert checked == [0, 1, 2] * 2


@pytest.mark.fault(kind="silence")
def test_a_draw_that_the_journal_says_disagreed_is_checked_again(tmp_path: Path, checked: list[int]) -> None:
    path = tmp_path / "sweep.jsonl"
    sweep("mlp", 3, backends=QUICK, journal=path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = packed(DrawOutcome(1, False, {"float64": 0.0, "float32": 0.5}))
    path.write_bytes(b"".join(lines))
    checked.clear()
    assert all(outcome.agrees for outcome in sweep("mlp", 3, backends=QUICK, journal=path).outcomes)
    assert checked == [1]


@pytest.mark.fault(kind="journal")
def test_a_smaller_sweep_leaves_the_journal_of_a_larger_one(
    tmp_path: Path, checked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    how: dict[str, Any] = {"seed": 0, "backends": QUICK, "lanes": ["float64"], "jobs": 1, "resume": None, "json": None}
    journal = tmp_path / "gradparity-sweep-mlp-seed0.jsonl"
    sweep("mlp", 9, backends=QUICK, lanes=["float64"], journal=journal)
    assert cli.run("mlp", 4, **how) == 0
    assert checked == list(range(9))
    assert cli.run("mlp", 10, **how) == 0
    assert checked == list(range(10))
    assert not journal.exists()


@pytest.mark.fault(kind="silence")
def test_a_draw_in_which_nothing_was_compared_ends_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = Unchecked("the loss", "numpy", "it needs what is not installed")
    nothing = Report("mlp", 3, 0, ("numpy",), ("torch",), (), unchecked=(reason,))
    monkeypatch.setattr(Draw, "check", lambda _: nothing)
    with pytest.raises(UsageError, match=f"^nothing was compared in draw 0; {reason}$"):
        sweep("mlp", 1, backends=QUICK, lanes=["float64"])


def test_a_sweep_stops_at_the_first_counter_example_which_runs_again(
    buggy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status = cli.run(
        buggy, 50, seed=SEED, backends=["numpy", "torch"], lanes=["float64"], jobs=1, resume=None, json=Path("out.json")
    )
    assert status == 1
    (kept,) = tmp_path.glob("gradparity-counter-example-my_model-seed11-draw*.json")
    said = capsys.readouterr().out
    assert "✗ d['z'] " in said
    assert "numpy against torch in" in " ".join(said.split())
    assert f"gradparity check --replay {kept.name}" in said
    assert not list(tmp_path.glob("*.jsonl")), "only an interrupt leaves the journal"
    again = cli.counter_example(kept)
    assert {row.line for row in again.check().disagreements if row.kind == "gradient"} == {"z"}
    written = json.loads(Path("out.json").read_text())
    assert written["counter_example"]["index"] == again.index == written["draws"] - 1
    before = draws(buggy, again.index, seed=SEED, backends=["numpy", "torch"], lanes=["float64"])
    assert again.n > 60 >= max(draw.n for draw in before)


def test_a_sweep_without_counter_example_says_how_much_of_the_limit_was_used(
    tmp_path: Path, checked: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = Path("kept.jsonl")
    assert cli.run("mlp", 3, seed=0, backends=QUICK, lanes=["float32"], jobs=1, resume=kept, json=None) == 0
    assert checked == [0, 1, 2]
    said = capsys.readouterr().out
    assert "All 3 draws agree." in said
    assert "5.0e-01" in said
    assert len(kept.read_text().splitlines()) == 4


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(("count", "jobs"), [(0, 1), (5, 0), (5, -2)])
def test_unusable_counts_are_refused(count: int, jobs: int) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        cli.run("mlp", count, seed=0, backends=QUICK, lanes=["float64"], jobs=jobs, resume=None, json=None)


@pytest.mark.fault(kind="format")
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"backends": [], "lanes": []}'])
def test_a_file_without_counter_example_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "counter.json"
    path.write_text(content)
    with pytest.raises(
        UsageError,
        match=r"counter.json:1: is not a counter-example.*: give the file that gradparity check",
    ):
        cli.counter_example(path)


def test_the_file_of_a_draw_gives_the_same_draw(tmp_path: Path) -> None:
    path = tmp_path / "counter.json"
    for model in names():
        (draw,) = draws(model, 1, seed=2, backends=QUICK, lanes=["float64", "float32"])
        path.write_text(json.dumps(asdict(draw)))
        read = cli.counter_example(path)
        assert read.spec == draw.spec
        assert (read.n, read.seed, read.backends, read.lanes) == (draw.n, draw.seed, draw.backends, draw.lanes)


def test_other_processes_find_the_same() -> None:
    here, there = (sweep("mlp", 4, seed=5, backends=["numpy", "torch"], jobs=jobs) for jobs in (1, 2))
    assert np.allclose([o.worst["float32"] for o in here.outcomes], [o.worst["float32"] for o in there.outcomes])


@pytest.mark.fault(kind="machine")
def test_a_worker_ends_with_its_owner_however_that_ends(tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text("""
import os, time
from gradparity.sweep.draws import _end_with
_end_with(os.getppid())
print("ready", flush=True)
time.sleep(20)
print("still there", flush=True)
""")
    with subprocess.Popen(["sh", "-c", f"{sys.executable} {worker} & wait"], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        owner.kill()
        assert owner.stdout.read() == b""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs dask: pip install dask distributed")
def test_the_example_sweeps_on_a_dask_cluster() -> None:
    example = Path(__file__).parents[3] / "docs" / "examples" / "sweep_on_dask.py"
    ran = subprocess.run([sys.executable, str(example), "6"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "6 draws of mlp on 2 workers: all agree" in ran.stdout
