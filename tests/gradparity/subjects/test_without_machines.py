"""NumPy alone is enough: where neither JAX nor PyTorch can be imported, every gradient is told by the loss itself."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import gradparity
from gradparity import registry
from gradparity.parity import differences
from gradparity.parity.probes import probed
from gradparity.parity.report import Report
from gradparity.parity.rows import DIFFERENCES

EXAMPLE = Path("docs/examples/my_model.py").resolve()
BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("jax", "jaxlib", "optax", "torch", "autograd", "scipy"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])
sys.meta_path.insert(0, Blocked())
"""
COMMANDS = """
import sys
from gradparity.__main__ import run
for command in sys.stdin.read().splitlines():
    status = run(command.split())
    print("status", status, flush=True)
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run commands in one process whose imports of any machine fail, and return what they print and their status."""
    blocking = tmp_path_factory.mktemp("blocking")
    (blocking / "sitecustomize.py").write_text(BLOCKED)
    environment = {
        **os.environ,
        "PYTHONPATH": str(blocking),
        "XDG_CACHE_HOME": str(blocking / "cache"),
        "COLUMNS": "200",
    }

    def run(folder: Path, *commands: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", COMMANDS],
            input="\n".join(commands),
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert not done.stderr
        return done.stdout

    return run


def example(folder: Path, *edits: tuple[str, str], name: str = "my_model.py") -> Path:
    text = EXAMPLE.read_text()
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text)
    return path


WRONG = ('d["a"] * (1 - c["a"] ** 2)', 'd["a"] * (1 - c["a"])')


def test_every_command_runs_and_names_the_wrong_line_and_its_cause(printed: Callable[..., str], tmp_path: Path) -> None:
    example(tmp_path)
    example(tmp_path, WRONG, name="wrong.py")
    out = printed(
        tmp_path,
        "check my_model.py",
        "check wrong.py",
        "check softmax_regression",
        "check mlp",
        "check mlp --set activation=gelu",
        "explain wrong.py",
        "explain wrong.py --html out.html",
        "exercise start softmax-regression",
    )
    right, wrong, softmax, mlp, gelu, explained, *_ = out.split("status ")
    for shown in (right, softmax, mlp):
        assert "numpy agree." in shown
        assert "the loss itself is, entry by entry, by complex steps" in shown
    assert "numpy agree." in gelu
    assert wrong.startswith("0")
    assert "✗ d['z'] has the factor 1 - c['a'] where 1 - c['a']**2 belongs (wrong.py:30, numpy against differences" in (
        wrong
    )
    assert "in d['z']; 4 more follow from that" in wrong
    assert softmax.startswith("1")
    assert "different, relative error 6e-01: d['z'] has the factor 1 - c['a'] where 1 - c['a']**2 belongs" in explained
    assert "d(z)  11 × 4  from d(a)" in explained
    assert "no equation" not in (tmp_path / "out.html").read_text()


def test_an_exercise_is_judged(printed: Callable[..., str], tmp_path: Path) -> None:
    printed(tmp_path, "exercise start softmax-regression")
    path = tmp_path / "softmax_regression.py"
    e = 'np.exp(c["logits"]) / np.exp(c["logits"]).sum(axis=1, keepdims=True)'
    answers = {
        'd["logits"] = ...': f'd["logits"] = ({e} - np.eye(5)[batch.y]) / len(batch.y)',
        'd["W"] = ...': 'd["W"] = -batch.x.T @ d["logits"]',
        'd["b"] = ...': 'd["b"] = d["logits"].sum(axis=0)',
    }
    text = path.read_text()
    for blank, answer in answers.items():
        assert blank in text
        text = text.replace(blank, answer)
    path.write_text(text)
    shown = printed(tmp_path, "exercise check softmax_regression.py")
    assert "✓ d['logits']" in shown
    assert "✗ d['W'] (7, 5), softmax_regression.py:" in shown
    assert "it has the wrong sign" in shown
    path.write_text(text.replace("-batch.x.T", "batch.x.T"))
    assert "All lines agree with differences." in printed(tmp_path, "exercise check softmax_regression.py")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Report]:
    """Check a file where no machine is found."""
    monkeypatch.setattr(registry, "machines_among", lambda _: [])
    return lambda path: gradparity.check(path, backends=["numpy"])


def test_the_gradients_are_those_of_a_machine(
    alone: Callable[[Path], Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    path = example(tmp_path, WRONG)
    by_differences = alone(path)
    monkeypatch.undo()
    by_torch = gradparity.check(path, backends=["numpy", "torch"])
    ours, theirs = (
        {(row.kind, row.line, row.lane): row for row in report.rows if (row.backend, row.witness) == ("numpy", witness)}
        for report, witness in ((by_differences, DIFFERENCES), (by_torch, "torch"))
    )
    assert ours.keys() == theirs.keys()
    for key, row in theirs.items():
        assert np.isclose(ours[key].error, row.error, rtol=1e-6, atol=1e-14)
        assert ours[key].limit < 2 * row.limit


def test_a_forward_pass_that_goes_on_with_its_own_variables_is_probed_where_they_lie(
    alone: Callable[[Path], Report], tmp_path: Path
) -> None:
    own = ('c["z"] = batch.x @ p["W1"] + p["b1"]', 'z = c["z"] = batch.x @ p["W1"] + p["b1"]')
    report = alone(example(tmp_path, own, ('xp.tanh(c["z"])', "xp.tanh(z)"), WRONG))
    assert [row.line for row in report.findings] == ["z"]


def test_a_wrong_line_is_told_with_the_smallest_numbers_at_which_it_is_wrong(
    alone: Callable[[Path], Report], tmp_path: Path
) -> None:
    report = alone(example(tmp_path, WRONG))
    with pytest.raises(AssertionError, match=r"smallest case: at b1 = \[1\], W2 = .*, all else 0: d\['z'\] is \[\["):
        report.assert_ok()
    assert any("smallest case: at b1" in finding for finding in report.table.findings)
    assert [row["line"] for row in report.to_dict()["rows"] if row["example"]] == ["z"]


def test_what_has_no_derivative_here_is_not_said_to_agree(alone: Callable[[Path], Report], tmp_path: Path) -> None:
    path = example(tmp_path, ('batch.x @ p["W1"] + p["b1"]', 'batch.x @ p["W1"] + xp.abs(p["b1"] - 1)'))
    init = "    return {k: rng.normal(size=s) * (k != 'b1') + (k == 'b1') for k, s in param_shapes.items()}"
    path.write_text(f"{path.read_text()}\n\ndef init(rng):\n{init}\n")
    report = alone(path)
    (kept_quiet,) = report.unchecked
    assert str(kept_quiet).startswith("d['b1'] of numpy is not checked: the loss has no derivative at a kink")
    assert not report.disagreements


def test_large_arrays_are_asked_along_random_directions_and_that_is_said(
    alone: Callable[[Path], Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "probed", partial(probed, seconds=0.0))
    right = alone(example(tmp_path))
    right.assert_ok()
    assert any(
        remark.startswith("along random directions only, for they are large: W1, b1, W2") for remark in right.remarks
    )
    wrong = alone(example(tmp_path, WRONG))
    assert "z" in {row.line for row in wrong.findings}
    assert {row.line for row in wrong.disagreements if row.kind == "whole gradient"} == {"W1", "b1"}


def test_without_numpy_s_backend_there_is_nothing_to_ask(alone: Callable[[Path], Report], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    del alone
    with pytest.raises(gradparity.UsageError, match="add numpy to the backends"):
        gradparity.check(example(tmp_path), backends=["torch-manual"])
