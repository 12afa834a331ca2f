"""``gradparity check --steps`` and ``--report`` as a user types them."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")
MODEL = Path(__file__).parents[4] / "docs" / "examples" / "my_model.py"
BOTH = ("--backends", "numpy,torch")


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """The example's file with a bias gradient that is 0.1 % too large."""
    file = tmp_path / "wrong.py"
    right = 'd["b1"] = xp.sum(d["z"], axis=0)'
    text = MODEL.read_text(encoding="utf-8")
    assert right in text
    file.write_text(text.replace(right, 'd["b1"] = 1.001 * xp.sum(d["z"], axis=0)'), encoding="utf-8")
    return file


def test_a_users_own_right_model_trains_alike(gradparity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page, target = tmp_path / "out.html", tmp_path / "out.json"
    status, out, err = gradparity("check", MODEL, *BOTH, "--steps", 12, "--json", target, "--report", page)
    assert (status, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines() if str(tmp_path) not in line)
    assert re.search(r"Training runs together for 12 steps: at most \d+% of what rounding explains\.", out)
    assert [line.split()[:2] for line in out.splitlines() if line.startswith(" float")] == [
        ["float64", "10"], ["float64", "12"], ["float32", "10"], ["float32", "12"],
    ]  # fmt: skip
    written = json.loads(target.read_text())
    assert written["training"]["agrees"] is True
    assert {row["step"] for row in written["training"]["rows"]} == {10, 12}
    sizes = {(bug["kind"], bug["line"]): bug["relative_size"] for bug in written["smallest_visible_bugs"]}
    assert all(1e-7 < size < 1e-2 for size in sizes.values())
    worst = max(sizes.values())
    assert f"shows a relative bug above {worst:.0e}" in " ".join(out.split())
    assert 'id="drift"' in page.read_text(encoding="utf-8")


def test_a_wrong_gradient_runs_apart_and_exits_with_1(gradparity, wrong: Path) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = gradparity("check", wrong, *BOTH, "--steps", 10)
    assert status == 1
    assert "Training of numpy runs apart from torch's within 10 steps." in out
    assert "b1 of numpy in float64 after 10 steps" in out


def test_without_steps_nothing_is_trained(gradparity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page, target = tmp_path / "out.html", tmp_path / "out.json"
    status, out, _ = gradparity("check", MODEL, *BOTH, "--json", target, "--report", page)
    assert status == 0
    assert "Training" not in out
    assert "training" not in json.loads(target.read_text())
    assert 'id="drift"' not in page.read_text(encoding="utf-8")


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--steps", "5", "--draws", "3"], "--steps has no use in a sweep"),
        (["--draws", "3", "--set", "classes=4"], "--set has no use in a sweep"),
        (["--draws", "3", "--batch-size", "5"], "--batch-size has no use in a sweep"),
        (["--jobs", "2"], "--jobs is for sweeps: add --draws N"),
        (["--resume", "kept.jsonl"], "--resume is for sweeps: add --draws N"),
        (["--lr", "nan"], "--lr is for training: add --steps N"),
        (["--optimizer", "adam"], "--optimizer is for training: add --steps N"),
        (["--replay", "kept.json"], "MODEL is kept in the file of --replay"),
        (["--against", "mine.safetensors"], "--backends has no use with --against"),
        (["--report", "no/such/folder/out.html"], "the folder of the output .* does not exist"),
        (["--steps", "50", "--lr", "1e300", "--dtype", "float64"], r"training diverges.* at step \d+: lower --lr"),
        (["--steps", "5", "--optimizer", "sdg"], "unknown optimizer 'sdg'.*did you mean 'sgd'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(gradparity, arguments: list[str], says: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = gradparity("check", MODEL, *BOTH, *arguments)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert re.match(f"gradparity: .*{says}", line), line
