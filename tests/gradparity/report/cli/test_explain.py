"""``gradparity explain`` as a user types it: what it prints in 80 columns, its files and its exit status."""

import builtins
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from gradparity import __main__
from gradparity.explain import Explanation, explain
from gradparity.models import MLP, SoftmaxRegression
from gradparity.report.cli import derivation

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "my_model.py"


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def mlp() -> Explanation:
    return explain(MLP(widths=(5, 4, 3)), n=6)


def test_the_command_prints_every_line_forwards_and_backwards_in_80_columns(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "out.json"
    status = __main__.run(["explain", "softmax_regression", "--set", "weight_decay=0.1", "--json", str(target)])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    forward, _, backward = out.partition("BACKWARD")
    for name in ("W", "b", "logits", "cross_entropy", "penalty", "loss"):
        assert f"\n{name}  " in forward
        assert f"\nd({name})  " in backward
    assert "dZ = 1/n (P − Y),  P = softmax(Z)" in backward
    assert "AddmmBackward0" in backward
    assert "more: --equations" in backward
    assert out.splitlines()[-1] == "No line differs from the machine by more than rounding."
    assert json.loads(target.read_text())["agrees"] is True


def test_a_wrong_line_of_a_file_is_named_and_the_status_is_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(EXAMPLE.read_text().replace(' * (1 - c["a"] ** 2)', ""))
    status = __main__.run(["explain", str(wrong)])
    out, _ = capsys.readouterr()
    assert status == 1
    assert out.splitlines()[-1] == "✗ Different from the machine: z."
    assert max(map(len, out.splitlines())) <= 80


def test_the_page_and_the_data_are_written_and_the_status_stays_the_verdict(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wrong, page, data = tmp_path / "wrong.py", tmp_path / "out.html", tmp_path / "out.json"
    wrong.write_text(EXAMPLE.read_text().replace(' * (1 - c["a"] ** 2)', ""))
    assert __main__.run(["explain", str(wrong), "--html", str(page), "--json", str(data)]) == 1
    out, err = capsys.readouterr()
    assert (out.splitlines()[-1], err) == (f"The page is {page}", "")
    assert "Different from the machine: z." in page.read_text(encoding="utf-8")
    assert json.loads(data.read_text())["agrees"] is False


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    "arguments",
    [
        ["no_such_model"],
        ["no_such_file.py"],
        ["--batch-size", "0"],
        ["--seed", "-1"],
        ["--set", "nonsense=1"],
        ["--json", "no/such/folder/out.json"],
        ["--html", "no/such/folder/out.html"],
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    status = __main__.run(["explain", *arguments])
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("gradparity: ")


def test_equations_are_folded_unless_all_are_asked_for(capsys: pytest.CaptureFixture[str], mlp: Explanation) -> None:
    derivation.print_explanation(mlp, all_equations=False)
    folded = capsys.readouterr().out
    derivation.print_explanation(mlp, all_equations=True)
    everything = capsys.readouterr().out
    assert "more: --equations" in folded
    assert "more: --equations" not in everything
    texts = [op.text for line in mlp.lines for op in line.machine["jax"].forward + line.machine["jax"].backward]
    joined = " ".join(everything.split())
    assert all(" ".join(text.split()) in joined for text in texts)


def test_in_a_pipe_the_walk_goes_all_the_way(capsys: pytest.CaptureFixture[str], mlp: Explanation) -> None:
    derivation.walk(mlp, all_equations=False)
    out = capsys.readouterr().out
    headings = [line.split()[0] for line in out.splitlines() if line.startswith("d(")]
    assert headings == ["d(loss)", "d(a2)", "d(z2)", "d(a1)", "d(z1)", "d(W1)"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal on both sides."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, force_interactive=True, width=80, highlight=False)
    monkeypatch.setattr(derivation, "console", console)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    return screen


@pytest.mark.parametrize(("keys", "steps"), [(["", "", "q"], 3), ([""] * 5, 6), ([EOFError()], 1)])
def test_on_a_terminal_each_step_waits_for_enter(
    terminal: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    mlp: Explanation,
    keys: list[str | EOFError],
    steps: int,
) -> None:
    waiting = iter(keys)

    def pressed(*_: object) -> str:
        key = next(waiting)
        if isinstance(key, EOFError):
            raise key
        return key

    monkeypatch.setattr(builtins, "input", pressed)
    derivation.walk(mlp, all_equations=False)
    assert terminal.getvalue().count("receives it") == steps
    assert next(waiting, None) is None


def test_a_scalar_takes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    derivation.print_explanation(explain(SoftmaxRegression(), n=4), all_equations=False)
    assert "  by hand 1   jax 1   torch 1\n" in capsys.readouterr().out


def test_how_to_install_what_is_missing_is_printed_as_it_is_typed(
    capsys: pytest.CaptureFixture[str], mlp: Explanation
) -> None:
    remark = (
        f"no column jax: 'jax' is not installed, run  {'a/long/path/' * 4}bin/python -m pip install 'gradparity[jax]'"
    )
    derivation.walk(replace(mlp, remarks=(remark,)), all_equations=False)
    assert remark in capsys.readouterr().out
