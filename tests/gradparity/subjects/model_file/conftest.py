"""A right model in a file, pieces of it replaced, and the command line run on it."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from gradparity.__main__ import run

RIGHT = textwrap.dedent("""\
    import numpy as np
    from array_api_compat import array_namespace

    param_shapes = {"W": (6, 4), "b": (4,)}
    input_shape = 6
    num_classes = 4


    def forward(p, batch, c):
        xp = array_namespace(batch.x)
        c["z"] = batch.x @ p["W"] + p["b"]
        log_sum = xp.log(xp.sum(xp.exp(c["z"]), axis=1))
        picked = c["z"][xp.arange(len(batch.y)), batch.y]
        c["loss"] = xp.mean(log_sum - picked)


    def backward(p, batch, c, d):
        e = np.exp(c["z"])
        y = np.eye(num_classes, dtype=e.dtype)[batch.y]
        d["z"] = d["loss"] * (e / e.sum(axis=1, keepdims=True) - y) / len(y)
        d["W"] = batch.x.T @ d["z"]
        d["b"] = d["z"].sum(axis=0)
""")
"""Softmax regression."""


class Outcome(NamedTuple):
    status: int
    out: str
    err: str
    text: str
    """What stood in the file."""

    def line(self, part: str) -> int:
        """Return the number of the first line of the file that holds this part."""
        return next(number for number, line in enumerate(self.text.splitlines(), start=1) if part in line)


@pytest.fixture
def right() -> str:
    return RIGHT


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Replace pieces (old, new) of a text, write it to my_model.py and run ``gradparity check`` on that."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def command(
        *edits: tuple[str, str],
        backends: str | None = "numpy",
        dtype: str = "both",
        text: str = RIGHT,
        model: str = "my_model.py",
    ) -> Outcome:
        for old, new in edits:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        Path("my_model.py").write_text(text, encoding="utf-8")
        status = run(["check", model, *(["--backends", backends] if backends else []), "--dtype", dtype])
        return Outcome(status, *capsys.readouterr(), text)

    return command
