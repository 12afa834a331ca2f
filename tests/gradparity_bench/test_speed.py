import json
from pathlib import Path

import pytest

from gradparity.protocol import Examples
from gradparity_bench import speed
from gradparity_bench.speed import OVERHEAD, SPEED, Contest

ROWS = [
    ("itself, again", "notebook"),
    ("numpy", "notebook"),
    ("jax", "notebook"),
    ("torch", "notebook"),
    ("jax-manual", "notebook"),
    ("torch-manual", "notebook"),
    ("itself, again", "PyTorch loop"),
    ("torch", "PyTorch loop"),
    ("itself, again", "numpy inlined"),
    ("numpy", "numpy inlined"),
    ("itself, again", "jax inlined"),
    ("jax", "jax inlined"),
    ("itself, again", "torch inlined"),
    ("torch", "torch inlined"),
]


def test_every_loop_has_its_row_in_a_table() -> None:
    rows = [(name, contest.baseline) for contest in SPEED + OVERHEAD for name in ("itself, again", *contest.targets)]
    assert rows == ROWS
    assert [contest for own in speed.TITLES.values() for contest in own] == [*SPEED, *OVERHEAD]


def test_what_is_timed_is_in_the_tables_and_in_the_json(
    noise: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Noise in MNIST's place, and loops that start quickly: that everything runs through shows on any.
    monkeypatch.setattr(speed, "mnist_examples", lambda _: (noise, 5))
    titles = {"One": (Contest("notebook", {"numpy": 0.8}),), "Two": (Contest("numpy inlined", {"numpy": None}),)}
    monkeypatch.setattr(speed, "TITLES", titles)
    monkeypatch.setattr(speed, "PROCESSES", 1)
    file = tmp_path / "speed.json"
    assert speed.main(["--rounds", "3", "--threads", "1", "--markdown", "--json", str(file)]) == 0

    written = json.loads(file.read_text())
    assert [table["title"] for table in written["tables"]] == ["One", "Two"]
    rows = [row for table in written["tables"] for m in table["measurements"] for row in (*m["rows"], m["again"])]
    named = [row["backend"] for row in rows]
    assert named == ["notebook", "numpy", "notebook", "numpy inlined", "numpy", "numpy inlined"]
    assert all(len(row["rounds"]["epoch"]) == 3 and row["status"] == "timed" for row in rows)
    assert {"python", "numpy", "jax", "torch", "CPU", "cores"} <= set(written["machine"])

    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    assert [(row[0], row[2]) for row in cells if row[0] not in ("loop", "---")] == [
        ("itself, again", "notebook"),
        ("numpy", "notebook"),
        ("itself, again", "numpy inlined"),
        ("numpy", "numpy inlined"),
    ]
    assert lines[-1].startswith("python 3")


def test_the_targets_are_those_that_are_promised() -> None:
    promised = {(c.baseline, name): target for c in SPEED + OVERHEAD for name, target in c.targets.items() if target}
    assert promised == {
        ("notebook", "numpy"): 0.80,
        ("notebook", "jax"): 0.80,
        ("PyTorch loop", "torch"): 0.60,
        ("numpy inlined", "numpy"): 1.03,
        ("jax inlined", "jax"): 1.03,
        ("torch inlined", "torch"): 1.03,
    }


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rounds", "0"], "--rounds"),
        (["--round", "3"], "--round"),
        (["--json", "no/such/folder/speed.json"], "no/such/folder"),
        (["--data-dir", "no-such-folder"], "no-such-folder"),
    ],
)
def test_unusable_input_is_one_line_and_status_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert speed.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_without_mnist_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GRADPARITY_DATA", raising=False)
    assert speed.main([]) == 2
    _, err = capsys.readouterr()
    assert "MNIST, which is not here" in err
    assert "data.load('mnist')" in err
