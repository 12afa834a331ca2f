"""``gradparity exercise`` as a learner types it: what it prints in 80 columns, and its exit status."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import gradparity.exercise
from gradparity import __main__
from gradparity.exercise import Outcome, Wrong

Run = Callable[..., tuple[int, str, str]]
Solved = Callable[..., Path]

WRONG = Wrong("W", "my_answer.py:34", "it holds the right numbers in the wrong places", blank=False)
ONE = "softmax-regression"
SHAPES = {"logits": "(n, 5)", "W": "(7, 5)", "b": "(5,)"}
BLANK = Wrong("W", "my_answer.py:34", "it is blank", blank=True)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[Outcome], None]:
    """Make the next checks find this."""

    def settle(outcome: Outcome) -> None:
        monkeypatch.setattr(gradparity.exercise, "judge_file", lambda _: outcome)

    return settle


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    __main__.run(["exercise"])
    shown = "".join(capsys.readouterr())
    assert all(command in shown for command in ("list", "start", "check", "hint"))


def test_list_names_each_exercise_and_how_to_begin(run: Run) -> None:
    status, out, err = run("list")
    assert (status, err) == (0, "")
    assert out.index("softmax-regression") < out.index("bug-hunt-1")
    assert out.splitlines()[-1] == "to begin:  gradparity exercise start NAME"
    assert max(map(len, out.splitlines())) <= 80


def test_start_says_what_to_do_next_and_a_second_start_is_refused(run: Run) -> None:
    status, out, err = run("start", "softmax-regression")
    assert (status, err) == (0, "")
    assert "gradparity exercise check softmax_regression.py" in out
    status, out, err = run("start", "softmax-regression")
    assert (status, out) == (2, "")
    assert err.startswith("gradparity: 'softmax_regression.py' is there already")


def test_a_command_to_copy_quotes_a_name_with_a_space(run: Run, found: Callable[[Outcome], None]) -> None:
    found(Outcome(ONE, (), WRONG, "torch", SHAPES))
    assert "gradparity exercise hint 'my answer.py'" in run("check", "my answer.py")[1]


def test_a_wrong_line_is_named_with_its_symptom_and_the_status_is_1(run: Run, found: Callable[[Outcome], None]) -> None:
    found(Outcome(ONE, ("logits",), WRONG, "torch", SHAPES))
    status, out, err = run("check", "my_answer.py")
    assert (status, err) == (1, "")
    assert out.startswith("✓ d['logits'] (n, 5)\n✗ d['W'] (7, 5), my_answer.py:34: it holds the right numbers")
    assert "gradparity exercise hint my_answer.py" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_blank_line_is_unusable_input(run: Run, found: Callable[[Outcome], None]) -> None:
    found(Outcome(ONE, ("logits",), BLANK, "torch", SHAPES))
    status, out, err = run("check", "my_answer.py")
    assert (status, out) == (2, "")
    assert err == (
        "gradparity: my_answer.py:34: d['W'] (7, 5) is still blank: write an expression in place of the three dots; "
        "right so far: d['logits'] (n, 5)\n"
    )


def test_what_the_file_prints_and_writes_is_told_in_a_sentence_each(
    run: Run, found: Callable[[Outcome], None], solved: Solved
) -> None:
    path = solved()
    found(Outcome(ONE, ("logits",), WRONG, "torch", SHAPES, printed="\\x1b[2J", wrote=True))
    for command in ("check", "hint"):
        _, out, _ = run(command, path)
        assert out.count("is discarded") == 1
        assert out.startswith("The file prints:\n  \\x1b[2J\n")


def test_when_all_lines_agree_the_next_things_to_try_are_told(run: Run, solved: Solved) -> None:
    path = solved()
    status, out, err = run("check", path)
    assert (status, err) == (0, "")
    assert out.startswith("✓ d['logits'] (n, 5)\n✓ d['W'] (7, 5)\n✓ d['b'] (5,)\nAll lines agree with ")
    assert "gradparity explain my_answer.py" in out
    assert "gradparity exercise start bug-hunt-1" in out
    assert max(map(len, out.splitlines())) <= 80
    status, out, _ = run("hint", path)
    assert status == 0
    assert out.startswith("All lines are right: there is nothing to hint at.")


def test_a_right_answer_agrees_as_a_model_too_whatever_dtype_it_mixes_in(
    solved: Solved, capsys: pytest.CaptureFixture[str]
) -> None:
    path = solved()
    text = path.read_text()
    assert text.count('    d["logits"] = ') == 1
    path.write_text(text.replace('    d["logits"] = ', '    d["logits"] = np.float64(1) * '))
    assert __main__.run(["check", str(path), "--backends", "numpy,torch"]) == 0
    assert "comparisons of numpy, torch agree." in capsys.readouterr().out


def test_hints_go_up_one_rung_at_a_time_and_begin_again_at_the_next_wrong_line(
    run: Run, found: Callable[[Outcome], None], solved: Solved
) -> None:
    path = solved()
    content, changed = path.read_bytes(), path.stat().st_mtime_ns
    found(Outcome(ONE, ("logits",), WRONG, "torch", SHAPES))
    rungs = [run("hint", path) for _ in range(4)]
    assert [status for status, *_ in rungs] == [0] * 4
    line, symptom, question, again = (out for _, out, _ in rungs)
    assert line == "1 of 3, the line: my_answer.py:34, d['W'] (7, 5)\nAsk again for the next hint.\n"
    assert symptom.startswith(line.splitlines()[0])
    assert "2 of 3, the symptom: it holds the right numbers" in symptom
    assert "the question" not in symptom
    assert "3 of 3, the question: W[j, k] is multiplied" in question
    assert question == again
    assert max(map(len, question.splitlines())) <= 80
    found(
        Outcome(
            ONE, ("logits", "W"), Wrong("b", "my_answer.py:35", "it is zero everywhere", blank=False), "torch", SHAPES
        )
    )
    assert run("hint", path)[1].startswith("1 of 3, the line: my_answer.py:35, d['b'] (5,)\n")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (content, changed)


def test_a_file_that_is_started_anew_has_its_hints_from_the_first_rung(
    run: Run, found: Callable[[Outcome], None]
) -> None:
    found(Outcome(ONE, (), Wrong("logits", "softmax_regression.py:31", "it is blank", blank=True), "torch", SHAPES))
    run("start", "softmax-regression")
    for _ in range(2):
        _, out, _ = run("hint", "softmax_regression.py")
    assert "2 of 3" in out
    Path("softmax_regression.py").unlink()
    run("start", "softmax-regression")
    assert "2 of 3" not in run("hint", "softmax_regression.py")[1]


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize("command", ["check", "hint"])
def test_bad_input_is_one_line_and_status_2(command: str, run: Run) -> None:
    for name, text in (("gone.py", None), ("empty.py", ""), ("broken.py", "1 +")):
        if text is not None:
            Path(name).write_text(text)
        status, out, err = run(command, name)
        assert (status, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert name in err


def test_the_solution_comes_after_the_last_hint_and_for_this_line_only(
    run: Run, found: Callable[[Outcome], None], solved: Solved
) -> None:
    path = solved({"W": 'd["W"] = 0 * p["W"]'})
    found(Outcome(ONE, ("logits",), WRONG, "torch", SHAPES))
    for _ in range(2):
        run("hint", path)
    status, out, err = run("solution", path)
    assert (status, out) == (2, "")
    assert "after the last hint for d['W'] (7, 5)" in err
    assert "gradparity exercise solution my_answer.py" in run("hint", path)[1]
    assert run("solution", path)[:2] == (
        0,
        'd[\'W\'] (7, 5) may be written so:\n    d["W"] = batch.x.T @ d["logits"]\n',
    )
    found(Outcome(ONE, ("logits", "W", "b"), None, "torch", SHAPES))
    assert run("solution", path)[1].count("d[") > 3


def test_list_ticks_what_is_right_and_counts_what_is_begun(
    run: Run, found: Callable[[Outcome], None], solved: Solved
) -> None:
    path = solved()
    for right, shown in ((1, r" 1/3 +1 +softmax-regression"), (3, r" ✓ +1 +softmax-regression")):
        found(Outcome(ONE, tuple(SHAPES)[:right], WRONG if right < 3 else None, "torch", SHAPES))
        run("check", path)
        assert re.search(shown, run("list")[1])


def test_watching_checks_at_each_save_until_all_is_right(
    run: Run, solved: Solved, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = solved()
    outcomes = iter(
        [
            Outcome(ONE, (), BLANK, "torch", SHAPES),
            Outcome(ONE, (), WRONG, "torch", SHAPES),
            Outcome(ONE, ("W",), None, "torch", SHAPES),
        ]
    )
    saved = iter([1, 1, 1, None, 2, 2, 2, 3, 3])
    monkeypatch.setattr(gradparity.exercise, "judge_file", lambda _: next(outcomes))
    monkeypatch.setattr("gradparity.report.cli.exercise._saved", lambda _: next(saved))
    monkeypatch.setattr("gradparity.report.cli.exercise.LOOKS_AGAIN", 0)
    status, out, _ = run("check", path, "--watch")
    assert status == 0
    parts = out.split("Waiting until the file is saved again; Ctrl-C ends it.\n")
    assert ["still blank" in parts[0], "✗ d['W']" in parts[1], "All lines agree" in parts[2]] == [True] * 3
