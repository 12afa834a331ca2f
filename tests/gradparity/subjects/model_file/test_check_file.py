"""A user's file through the command line: a right one agrees, a wrong line is named and no other."""

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradparity import registry
from gradparity.__main__ import run
from gradparity.subjects.plain import is_plain

REGRESSION = textwrap.dedent("""\
    from array_api_compat import array_namespace


    class Regression:
        def __init__(self, hidden=4):
            self.param_shapes = {"W": (5, hidden), "v": hidden, "scale": ()}
            self.input_shape = (5,)
            self.target_shape = ()

        def forward(self, p, batch, c):
            xp = array_namespace(batch.x)
            c["a"] = xp.tanh(batch.x @ p["W"])
            c["out"] = p["scale"] * (c["a"] @ p["v"])
            c["loss"] = xp.mean((c["out"] - batch.y) ** 2) + xp.sum(p["W"] ** 2)

        def backward(self, p, batch, c, d):
            xp = array_namespace(batch.x)
            d["out"] = 2 * d["loss"] * (c["out"] - batch.y) / len(batch.y)
            d["scale"] = xp.sum(d["out"] * (c["a"] @ p["v"]))
            d["v"] = p["scale"] * (c["a"].T @ d["out"])
            d["a"] = p["scale"] * d["out"][:, None] * p["v"]
            d.add("W", batch.x.T @ (d["a"] * (1 - c["a"] ** 2)))
            d.add("W", 2 * d["loss"] * p["W"])
""")
"""Real targets, a scalar parameter, a sum over two uses, in a class."""


@pytest.fixture(scope="module")
def either() -> str:
    """One backend that differentiates by machine; PyTorch where there is a choice, since it compiles nothing."""
    for name in ("torch", "jax"):
        if registry.availability(name).backend is not None:
            return name
    pytest.skip("neither JAX nor PyTorch is installed: pip install 'gradparity[all]'")


@pytest.fixture(params=["jax", "torch"])
def machine(request: pytest.FixtureRequest) -> str:
    if (found := registry.availability(request.param)).backend is None:
        pytest.skip(f"{found.problem}: {found.install}")
    return found.name


@pytest.mark.parametrize("form", ["module", "class", "instance"])
def test_a_right_model_agrees(form: str, machine: str, check: Callable[..., Any], right: str) -> None:
    text = right if form == "module" else f"{REGRESSION}\n\nmine = Regression(hidden=3)\n"
    model = "my_model.py:mine" if form == "instance" else "my_model.py"
    outcome = check(text=text, model=model, backends=f"numpy,{machine}")
    assert (outcome.status, outcome.err) == (0, ""), outcome.out
    name = {"module": "my_model", "class": "Regression", "instance": "mine"}[form]
    assert outcome.out.startswith(f"{name}: 11 examples")
    assert re.search(rf"All \d+ comparisons of numpy, {machine} agree", outcome.out)


@pytest.mark.parametrize("by_hand", ["jax-manual", "torch-manual"])
def test_a_derivation_in_xp_runs_on_every_library(by_hand: str, check: Callable[..., Any]) -> None:
    if (found := registry.availability(by_hand)).backend is None:
        pytest.skip(f"{found.problem}: {found.install}")
    outcome = check(text=REGRESSION, backends=by_hand, dtype="float64")
    assert (outcome.status, outcome.err) == (0, ""), outcome.out


def test_a_mask_may_be_kept_for_the_backward_pass(machine: str, check: Callable[..., Any]) -> None:
    relu = """c["z"] = batch.x @ p["W"]
        c["mask"] = c["z"] > 0
        c["a"] = xp.where(c["mask"], c["z"], xp.zeros_like(c["z"]))"""
    outcome = check(
        ('c["a"] = xp.tanh(batch.x @ p["W"])', relu),
        (
            'd.add("W", batch.x.T @ (d["a"] * (1 - c["a"] ** 2)))',
            'd["z"] = d["a"] * c["mask"]\n        d.add("W", batch.x.T @ d["z"])',
        ),
        text=REGRESSION,
        backends=f"numpy,{machine}",
    )
    assert (outcome.status, outcome.err) == (0, ""), outcome.out
    assert "c['mask']" in outcome.out
    assert "d['mask']" not in outcome.out


PLANTED = {
    # what is written instead: the line that is wrong
    ('(d["a"] * (1 - c["a"] ** 2))', 'd["a"]'): "W",
    ('d["v"] = p["scale"] *', 'd["v"] = -p["scale"] *'): "v",
    (' / len(batch.y)', ''): "out",
    ('d["scale"] = xp.sum(d["out"]', 'd["scale"] = 1.001 * xp.sum(d["out"]'): "scale",
    ('        d.add("W", 2 * d["loss"] * p["W"])\n', ""): "W",
    ('d["a"] = p["scale"] * d["out"]', 'd["a"] = 0 * d["out"]'): "a",
}  # fmt: skip


@pytest.mark.parametrize("edit", PLANTED, ids=PLANTED.values())
def test_exactly_the_wrong_line_is_named(edit: tuple[str, str], either: str, check: Callable[..., Any]) -> None:
    outcome = check(edit, text=REGRESSION, backends=f"numpy,{either}")
    assert outcome.status == 1
    assert outcome.err == ""
    crossed = re.findall(r"^ *(\S+) +✗", outcome.out, flags=re.MULTILINE)
    assert [line for line in crossed if line[0] in "cd"] == [f"d['{PLANTED[edit]}']"], outcome.out


def test_the_results_are_written_as_json(either: str, check: Callable[..., Any], tmp_path: Path) -> None:
    backends = f"numpy,{either}"
    assert check(backends=backends).status == 0
    assert run(["check", "my_model.py", "--backends", backends, "--json", "out.json"]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["model"] == "my_model"


def test_gradients_stand_in_the_order_of_the_backward_pass(machine: str, check: Callable[..., Any]) -> None:
    out = check(text=REGRESSION, backends=f"numpy,{machine}").out
    lines = re.findall(r"^ *d\['(\w+)'\] ", out, flags=re.MULTILINE)
    assert [line for line in lines if line != "loss"] == ["out", "a", "scale", "v", "W"]


def test_a_star_may_import_the_half_that_a_file_does_not_write(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text(REGRESSION)
    half = "def backward(p, batch, c, d): ...\n"
    (tmp_path / "own.py").write_text(f"from base import *\n{half}")
    assert not is_plain(str(tmp_path / "own.py"))
    (tmp_path / "own.py").write_text(f"from base import *\n\ndef forward(x, W): ...\n{half}")
    assert is_plain(str(tmp_path / "own.py"))
