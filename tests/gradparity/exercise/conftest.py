"""The exercises solved, pieces of them replaced, and the machine's gradients, computed once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pooch
import pytest

from gradparity import __main__
from gradparity.exercise import Outcome, exercise
from gradparity.exercise.answer import answer
from gradparity.exercise.judge import judge, shapes
from gradparity.exercise.problem import drawn, problems, witness
from gradparity.parity.problem import Problem
from gradparity.subjects.model_file import load

BLANK = {name: f'd["{name}"] = ...' for name in ("logits", "W", "b")}
RIGHT = {
    "logits": 'd["logits"] = d["loss"] / len(batch.y) * (\n'
    '        np.exp(c["logits"]) / np.exp(c["logits"]).sum(axis=1, keepdims=True) - np.eye(5)[batch.y]\n    )',
    "W": 'd["W"] = batch.x.T @ d["logits"]',
    "b": 'd["b"] = d["logits"].sum(axis=0)',
}
"""Line -> how softmax-regression may be solved."""


@pytest.fixture(autouse=True)
def _own_cache_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="session")
def posed() -> Callable[[str], list[Problem]]:
    """The drawn numbers of an exercise, with the machine's gradients there."""
    asked = witness()
    known: dict[str, list[Problem]] = {}

    def found(name: str) -> list[Problem]:
        if name not in known:
            chosen = exercise(name)
            known[name] = list(problems(chosen, asked, drawn(chosen)))
        return known[name]

    return found


@pytest.fixture
def solved() -> Callable[..., Path]:
    """Write softmax-regression to a file: right, but for these lines and where pieces (old, new) are replaced."""

    def write(lines: Mapping[str, str] | None = None, *edits: tuple[str, str], name: str = "my_answer.py") -> Path:
        text = exercise("softmax-regression").text
        filled = RIGHT | dict(lines or {})
        for old, new in [*((BLANK[line], filled[line]) for line in BLANK), *edits]:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = Path(name)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def judged(posed: Callable[[str], list[Problem]]) -> Callable[..., Outcome]:
    """Judge a file in this process."""

    def found(path: Path, name: str = "softmax-regression") -> Outcome:
        chosen = exercise(name)
        right, wrong = judge(chosen, answer(load(str(path)), drawn(chosen)), posed(name), path)
        return Outcome(name, right, wrong, "machine", shapes(chosen, posed(name)))

    return found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run ``gradparity exercise``; return its exit status, standard output and standard error."""

    def command(*arguments: Any) -> tuple[int, str, str]:
        status = __main__.run(["exercise", *map(str, arguments)])
        return status, *capsys.readouterr()

    return command
