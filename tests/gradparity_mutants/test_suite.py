"""``gradparity mutate``: which known mistakes a user's own tests let pass, without a change to the user's files."""

import ast
import json
import sys
from pathlib import Path

import pytest

from gradparity.__main__ import run
from gradparity_mutants.suite.edits import edits, find
from gradparity_mutants.suite.trial import TriedMistake, tolerances, try_all

RULE = """
import numpy as np

class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        dx = dy * (1 - self.y**2)
        return dx
"""
TESTS = """
import numpy as np
from my_rule import Tanh

x, dy = np.array([0.5, -1.0]), np.array({dy})
layer = Tanh()
layer.forward(x)
np.testing.assert_allclose(layer.backward(dy), dy / np.cosh(x) ** 2, rtol={rtol})
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a rule and tests of it that are sharp."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "my_rule.py").write_text(RULE)
    (tmp_path / "tests.py").write_text(TESTS.format(dy="[2.0, 3.0]", rtol=1e-6))
    return tmp_path


def mistakes(body: str) -> list[str]:
    path = Path("my_rule.py")
    path.write_text(f"def rule(x, dy):\n    {body}\n")
    return [edit.what for edit in edits(find("my_rule.py:rule"))]


@pytest.mark.usefixtures("suite")
def test_the_mistakes_are_those_that_people_make() -> None:
    scaled = ["left out", "negated", "twice as large", "1 % too large", "0.1 % too large"]
    assert mistakes("return dy * x") == [*scaled, "without the factor x", "without the factor dy"]
    assert mistakes("return dy - x") == [*scaled, "without − x", "without dy"]
    assert mistakes("return dy / 3") == [*scaled, "not divided by 3"]
    assert mistakes("return x.T @ dy") == [*scaled, "x not transposed"]
    assert mistakes("return dy.sum(axis=0)") == [*scaled, "mean for sum"]
    assert mistakes("return x ** 2") == [*scaled, "without the power 2"]
    assert mistakes("return dy[x > 0]") == [*scaled, "mask turned round"]
    assert mistakes("return -dy, -x") == scaled * 2
    assert mistakes("n = len(x); return dy") == []


@pytest.mark.usefixtures("suite")
def test_a_mistake_stands_in_its_line_and_the_rest_of_the_file_as_it_was() -> None:
    rule = find("my_rule.py:Tanh")
    (negated,) = (edit for edit in edits(rule) if edit.what == "negated")
    assert (negated.line, rule.source(negated.line)) == (10, "dx = dy * (1 - self.y**2)")
    assert ast.unparse(negated.function.body[0]) == "dx = _gradparity_scaled(dy * (1 - self.y ** 2), -1.0)"
    assert ast.unparse(rule.tree) == ast.unparse(ast.parse(RULE))
    assert "np.tanh(x)" in ast.unparse(rule.mutated(negated))


def test_sharp_tests_catch_all_and_no_file_is_changed_or_left(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in suite.iterdir()}
    assert run(["mutate", "my_rule.py:Tanh", "--", sys.executable, "tests.py"]) == 0
    assert "All of them are caught." in capsys.readouterr().out
    assert {path: path.read_bytes() for path in suite.iterdir()} == before


def test_what_loose_tests_let_pass_is_shown_with_the_tolerances_that_would_catch_it(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite / "tests.py").write_text(TESTS.format(dy="[1.0, 1.0]", rtol=0.005))
    command = ["mutate", "my_rule.py:Tanh", "--json", "out.json", "--", sys.executable, "tests.py"]
    assert run(command) == 1
    shown = capsys.readouterr().out
    assert "10  dx = dy * (1 - self.y**2)   0.1 % too large   1e-03   ✗ survives" in shown
    assert "1 change no gradient that the tests ask for (lines 10)" in shown  # dy is 1 in every entry
    assert "rtol=0.0002, atol=0.0005" in " ".join(shown.split())  # wherever the console breaks its lines
    assert "Not caught: 1; caught: 8." in shown
    found = {each["what"]: each["verdict"] for each in json.loads((suite / "out.json").read_text())["mutants"]}
    assert found["without the factor dy"] == "changes nothing"
    assert found["1 % too large"] == "caught"


def test_a_rule_that_hangs_with_a_mistake_is_caught(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradparity_mutants.suite.trial.PATIENCE", 0.5)
    (suite / "tests.py").write_text(
        "from my_rule import Tanh\nt = Tanh()\nt.forward(0.5)\nwhile t.backward(1.0) < 0.1: pass\n"
    )
    first = next(try_all(find("my_rule.py:Tanh"), [sys.executable, "tests.py"]))
    assert (first.what, first.verdict) == ("left out", "caught")


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["my_rule.py", "--", "true"], "a rule is a file and a name, got 'my_rule.py': write my_kernel.py:Rule"),
        (["other.py:Tanh", "--", "true"], "there is no file 'other.py'"),
        (["my_rule.py:Tan", "--", "true"], "unknown rule in my_rule.py 'Tan'"),
        (["my_rule.py:Tanh.forwards", "--", "true"], "did you mean 'Tanh.forward'"),
        (["my_rule.py:Tanh"], "there is no command to run your tests with"),
        (["my_rule.py:Tanh", "--"], "there is no command to run your tests with"),
        (["my_rule.py:Tanh", "--", "no-such-command"], "'no-such-command' cannot be run"),
        (["my_rule.py:Tanh", "--", "false"], "'false' fails before any mistake is made"),
        (["my_rule.py:Tanh", "--", "true"], "'true' never runs Tanh.backward"),
        (["empty.py:rule", "--", "true"], "rule computes nothing that a mistake could be made in"),
        (["broken.py:rule", "--", "true"], "broken.py:1: Python cannot read the file"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_status_2(
    arguments: list[str], says: str, suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (suite / "empty.py").write_text("def rule(dy):\n    return dy\n")
    (suite / "broken.py").write_text("def rule(dy:\n")
    assert run(["mutate", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def tried(*off: tuple[float, float]) -> TriedMistake:
    return TriedMistake(1, "", "", "survives", off)


def test_tolerances_catch_every_mistake_that_changed_a_gradient() -> None:
    assert tolerances([tried()]) is None
    found = tolerances([tried((0.01, 1.0)), tried((2.0, 1.0)), tried((0.05, 10.0), (0.002, 0.1))])
    assert found is not None
    rtol, atol = found
    assert (rtol, atol) == (0.002, 0.005)
    assert atol + rtol * 1.0 < 0.01


def test_a_gradient_that_should_be_zero_asks_for_an_absolute_tolerance() -> None:
    assert tolerances([tried((0.3, 0.0))]) == (2.0, 0.2)
