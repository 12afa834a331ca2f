"""``gradparity bench`` as a user types it: what it prints, where, and its exit status."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gradparity_bench
from gradparity_bench.results import Measurement, Result

Make = Callable[..., Measurement]
Run = Callable[..., tuple[int, str, str]]
Asked = tuple[Any, Any, Path | None]
"""Points, backends, and where to keep what is finished."""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Asked]]:
    """Put a result in the place of every run; return what the runs were asked."""

    def give(*measurements: Measurement, complete: bool = True) -> list[Asked]:
        asked: list[Asked] = []

        def run(points: object, backends: object, *, keep: Path | None, **_: object) -> Result:
            asked.append((points, backends, keep))
            if keep is not None:
                keep.write_text("")
            return Result({"CPU": "a CPU", "cores": "2"}, 0, measurements, complete)

        monkeypatch.setattr(gradparity_bench, "run", run)
        return asked

    return give


@pytest.mark.usefixtures("unchecked", "unlimited")
def test_a_real_run_prints_verdicts_and_its_json_comes_back(gradparity: Run) -> None:
    status, out, err = gradparity(
        "bench", "--backends", "numpy,numpy", "--rounds", 3, "--processes", 1, "--json", "a.json"
    )
    assert (status, err) == (0, "")
    assert "softmax_regression" in out
    assert "noise floor" in out
    written = Result.read(Path("a.json"))
    assert json.loads(json.dumps(written.to_dict())) == json.loads(Path("a.json").read_text())
    status, out, err = gradparity("bench", "compare", "a.json", "a.json")
    assert (status, err) == (0, "")
    assert out.splitlines()[-2] == "0 of 2 timings changed beyond the noise; 2 did not."


def test_help_is_that_of_the_run_and_names_the_comparison(gradparity: Run) -> None:
    status, out, _ = gradparity("bench", "--help")
    assert status == 0
    assert all(
        option in " ".join(out.split()) for option in ("--sweep", "--grid", "--resume", "bench compare OLD.json")
    )
    status, out, _ = gradparity("bench", "compare", "--help")
    assert status == 0
    assert "--sweep" not in out


def test_a_sweep_measures_every_combination_and_deletes_its_file_at_the_end(
    gradparity: Run, measured: Callable[..., list[Asked]], make_measurement: Make
) -> None:
    asked = measured(make_measurement({"numpy": 1e-3}))
    sweeps = ("--sweep", "batch_size=8,16", "--sweep", "width=4,5", "--threads", "1,2")
    status, _, err = gradparity("bench", "mlp", "--backends", "numpy", *sweeps)
    assert status == 0
    ((points, backends, keep),) = asked
    assert isinstance(points, list)
    assert (len(points), backends) == (8, ["numpy"])
    assert {p.settings["widths"] for p in points} == {(64, 4, 10), (64, 5, 10)}
    assert isinstance(keep, Path)
    assert err == ""
    assert not keep.exists()


@pytest.mark.fault(kind="journal")
def test_the_file_of_resume_and_of_an_interrupt_stays(
    gradparity: Run, measured: Callable[..., list[Asked]], make_measurement: Make
) -> None:
    measured(make_measurement({"numpy": 1e-3}))
    status, _, err = gradparity("bench", "--resume", "kept.jsonl")
    assert (status, Path("kept.jsonl").exists()) == (2, False)
    assert "--resume keeps the points of a sweep, got one point: add --sweep" in err
    assert gradparity("bench", "--threads", "1,2", "--resume", "kept.jsonl")[0] == 0
    assert Path("kept.jsonl").exists()
    measured(make_measurement({"numpy": 1e-3}), complete=False)
    status, out, err = gradparity("bench", "--sweep", "batch_size=8,16", "--json", "half.json")
    assert status == 130
    assert "gradparity: interrupted" in err
    assert "noise floor" in out
    assert not Result.read(Path("half.json")).complete
    (kept,) = Path().glob("gradparity-bench-*.jsonl")
    assert f"Finished points are kept in {kept.absolute()}" in err


def test_grid_takes_every_backend(
    gradparity: Run, measured: Callable[..., list[Asked]], make_measurement: Make
) -> None:
    asked = measured(make_measurement({"numpy": 1e-3, "jax": 2e-3}))
    status, out, _ = gradparity("bench", "--grid")
    assert status == 0
    assert {"numpy", "jax-manual", "torch-compile"} <= set(asked[0][1])
    assert "derived by hand" in out


def test_a_disagreement_is_exit_status_1_and_nothing_timed_is_2(
    gradparity: Run, measured: Callable[..., list[Asked]], make_measurement: Make
) -> None:
    m = make_measurement({"numpy": 1e-3, "jax": None})
    measured(replace(m, rows=(m.rows[0], replace(m.rows[1], status="disagrees", reason="its gradient is wrong"))))
    status, out, _ = gradparity("bench")
    assert status == 1
    assert "its gradient is wrong" in out
    measured(make_measurement({"jax": None}))
    status, _, err = gradparity("bench")
    assert status == 2
    assert err == "gradparity: nothing could be timed: the reasons are above\n"


def test_compare_exits_with_1_where_something_became_slower(gradparity: Run, make_measurement: Make) -> None:
    for name, seconds in (("old.json", 1e-3), ("new.json", 2e-3)):
        result = Result({"CPU": "a CPU", "cores": "2"}, 0, (make_measurement({"numpy": seconds}),))
        Path(name).write_text(json.dumps(result.to_dict()))
    status, out, _ = gradparity("bench", "compare", "old.json", "new.json")
    assert status == 1
    assert "numpy became slower" in out
    assert gradparity("bench", "compare", "new.json", "old.json")[0] == 0


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "unknown model 'nonsense'"),
        (("--backends", "nonsense"), "unknown backend 'nonsense'"),
        (("--grid", "--backends", "numpy"), "leave out --grid or --backends"),
        (("--sweep", "batch_size"), "--sweep is written NAME=V1,V2"),
        (("--sweep", "batch_size=1,x"), "whole numbers"),
        (("--sweep", "dtype=float16"), "float16"),
        (("--sweep", "colour=1,2"), "unknown size of softmax_regression 'colour'"),
        (("--sweep", "model=mlp"), "unknown size of softmax_regression 'model'"),
        (("--sweep", "features=3", "--sweep", "features=4"), "twice"),
        (("--threads", "0"), "threads must be at least 1"),
        (("--threads", "1;2"), "whole numbers"),
        (("--rounds", "2"), "--rounds must be at least 3"),
        (("--batch-size", "0"), "--batch-size must be at least 1"),
        (("--seed", "-1"), "--seed must be at least 0"),
        (("--report", "no/such/folder.html"), "does not exist"),
        (
            ("compare", "missing.json", "missing.json"),
            "a benchmark's result 'missing.json' cannot be read: No such file",
        ),
        (("compare", "one.json"), "NEW.json"),
    ],
)
def test_unusable_input_is_one_line_and_exit_status_2(gradparity: Run, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = gradparity("bench", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("gradparity: ")
    assert said in err
    assert err.count("\n") == 1
