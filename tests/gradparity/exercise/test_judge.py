"""Which line is named first, that right answers pass however they are written, and what cannot be judged."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.exercise import Outcome, exercise
from gradparity.exercise.problem import MACHINES, drawn, of_machine, problems
from gradparity.parity.problem import Problem

Solved = Callable[..., Path]
Judged = Callable[..., Outcome]

OTHER_WAYS = {
    "loop over the examples": {
        "logits": 'g = np.zeros_like(c["logits"])\n'
        "    for i, label in enumerate(batch.y):\n"
        '        e = np.exp(c["logits"][i] - c["logits"][i].max())\n'
        "        g[i] = e / e.sum()\n"
        "        g[i, label] -= 1\n"
        '    d["logits"] = d["loss"] * g / len(g)'
    },
    "einsum": {"W": 'd["W"] = np.einsum("ij,ik->jk", batch.x, d["logits"])'},
    "transposed twice": {"W": 'd["W"] = (d["logits"].T @ batch.x).T'},
    "shares": {"W": 'for x, g in zip(batch.x, d["logits"]):\n        d.add("W", np.outer(x, g))'},
    "matrix product": {"b": 'd["b"] = np.ones(len(batch.y)) @ d["logits"]'},
    "plain numbers": {"b": 'd["b"] = np.array([sum(column) for column in d["logits"].T.tolist()])'},
    "a name of one's own": {
        "logits": 'd["exponent"] = np.exp(c["logits"])\n'
        '    p_k = d["exponent"] / d["exponent"].sum(axis=1, keepdims=True)\n'
        '    d["logits"] = (p_k - np.eye(5)[batch.y]) / len(batch.y)'
    },
}


@pytest.mark.parametrize("lines", OTHER_WAYS.values(), ids=OTHER_WAYS)
def test_a_right_answer_written_another_way_passes(lines: dict[str, str], solved: Solved, judged: Judged) -> None:
    outcome = judged(solved(lines))
    assert outcome.wrong is None
    assert outcome.right == ("logits", "W", "b")


def test_the_lines_may_stand_in_another_order(solved: Solved, judged: Judged) -> None:
    both = 'd["b"] = d["logits"].sum(axis=0)\n    d["W"] = batch.x.T @ d["logits"]'
    assert judged(solved({"W": both, "b": ""})).wrong is None


def test_an_intermediate_may_be_added_to_the_forward_pass(solved: Solved, judged: Judged) -> None:
    edit = ("    log_sum = ", '    c["e"] = xp.exp(c["logits"])\n    log_sum = ')
    logits = 'd["logits"] = (c["e"] / c["e"].sum(axis=1, keepdims=True) - np.eye(5)[batch.y]) / len(batch.y)'
    assert judged(solved({"logits": logits}, edit)).wrong is None


@pytest.mark.parametrize(
    ("wrong", "first"),
    [
        (("b",), "b"),
        (("W", "b"), "W"),
        (("logits", "W", "b"), "logits"),
        (("logits", "b"), "logits"),
    ],
)
def test_the_first_wrong_line_is_the_one_nearest_the_loss(
    wrong: tuple[str, ...], first: str, solved: Solved, judged: Judged
) -> None:
    doubled = {
        "logits": 'd["logits"] = 0 * c["logits"]',
        "W": 'd["W"] = -batch.x.T @ d["logits"]',
        "b": 'd["b"] = -d["logits"].sum(axis=0)',
    }
    path = solved({line: doubled[line] for line in wrong})
    outcome = judged(path)
    assert outcome.wrong is not None
    assert outcome.wrong.line == first
    number = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if doubled[first] in text)
    assert outcome.wrong.place == f"{path}:{number}"
    assert outcome.right == ("logits", "W", "b")[: ("logits", "W", "b").index(first)]


def test_a_wrong_line_is_named_before_a_blank_one_and_a_blank_one_before_a_failing_one(
    solved: Solved, judged: Judged
) -> None:
    outcome = judged(solved({"logits": 'd["logits"] = 0 * c["logits"]', "W": 'd["W"] = ...'}))
    assert outcome.wrong is not None
    assert (outcome.wrong.line, outcome.wrong.blank) == ("logits", False)
    outcome = judged(solved({"W": 'd["W"] = ...', "b": 'd["b"] = d["logits"] @ batch.x'}))
    assert outcome.wrong is not None
    assert (outcome.wrong.line, outcome.wrong.blank) == ("W", True)


def test_a_number_in_place_of_n_is_wrong_whatever_number_it_is(solved: Solved, judged: Judged) -> None:
    for n in (11, 6):
        logits = (
            'd["logits"] = (np.exp(c["logits"]) / np.exp(c["logits"]).sum(axis=1, keepdims=True)'
            f" - np.eye(5)[batch.y]) / {n}"
        )
        outcome = judged(solved({"logits": logits}))
        assert outcome.wrong is not None
        assert outcome.wrong.symptom == "all of it is off by one and the same factor"


@pytest.mark.fault(kind="exercise")
@pytest.mark.parametrize("value", ["None", '"right"', "[1, 2]", 'c["logits"] + 0j'])
def test_what_is_not_an_array_of_real_numbers_is_a_wrong_line(value: str, solved: Solved, judged: Judged) -> None:
    outcome = judged(solved({"logits": f'd["logits"] = {value}'}))
    assert outcome.wrong is not None
    assert outcome.wrong.symptom == "it is not an array of real numbers"


def test_a_line_that_was_deleted_is_named_where_backward_begins(solved: Solved, judged: Judged) -> None:
    path = solved({"b": ""})
    outcome = judged(path)
    assert outcome.wrong is not None
    assert (outcome.wrong.line, outcome.wrong.symptom) == ("b", "it is never written")
    begins = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("def backward"))
    assert outcome.wrong.place == f"{path}:{begins}"


REFUSED: list[tuple[dict[str, str], list[tuple[str, str]], str]] = [
    ({}, [("xp.mean(log_sum", "xp.sum(log_sum")], "forward is given in this exercise"),
    ({}, [('c["loss"] =', 'c["cost"] =')], "forward is given in this exercise"),
    ({}, [('"W": (7, 5)', '"W": (7, 6)')], "param_shapes is given in this exercise"),
    ({"b": 'd["logits"] /= 2'}, [], "must not change"),
    ({"b": 'g = d["logits"]\n    g /= 2'}, [], "must not change"),
    ({"b": "batch.x[0] = 0"}, [], "must not change"),
    ({"b": 'd["b"] = d["logits"].sum(axis=0)\n    1 / 0'}, [], "backward raised ZeroDivisionError"),
]


@pytest.mark.fault(kind="exercise")
@pytest.mark.parametrize(("lines", "edits", "says"), REFUSED)
def test_what_cannot_be_judged_is_refused_with_its_line(
    lines: dict[str, str], edits: list[tuple[str, str]], says: str, solved: Solved, judged: Judged
) -> None:
    with pytest.raises(UsageError, match=rf"^my_answer\.py:\d+: .*{says}"):
        judged(solved(lines, *edits))


BROKE_OFF = {
    "b": ('d["b"] = d["logit"].sum(axis=0)', "d['logit'] is read before it is written: .*did you mean 'logits'"),
    "W": ('d["W"] = batch.x @ d["logits"]', r"batch\.x of shape .* do not multiply as matrices$"),
    "logits": ('other = c["logit"]\n    d["logits"] = other', "c['logit'] is read .*did you mean 'logits'"),
}


@pytest.mark.fault(kind="exercise")
@pytest.mark.parametrize("line", BROKE_OFF)
def test_the_line_in_which_the_pass_breaks_off_is_named_with_the_reason_and_no_formula(
    line: str, solved: Solved, judged: Judged
) -> None:
    text, reason = BROKE_OFF[line]
    path = solved({line: text})
    outcome = judged(path)
    assert outcome.wrong is not None
    assert (outcome.wrong.line, outcome.wrong.raised) == (line, True)
    assert re.search(reason.replace("['", r"\['").replace("']", r"'\]"), outcome.wrong.symptom)
    number = next(n for n, row in enumerate(path.read_text().splitlines(), 1) if text.splitlines()[0] in row)
    assert outcome.wrong.place == f"my_answer.py:{number}"
    assert outcome.right == ("logits", "W", "b")[: ("logits", "W", "b").index(line)]


def test_a_line_that_is_written_again_is_the_wrong_one(solved: Solved, judged: Judged) -> None:
    wrong = judged(solved({"b": 'd["logits"] = d["logits"] / 2'})).wrong
    assert wrong is not None
    assert wrong.line == "logits"
    assert "d['logits'] is written twice" in wrong.symptom


def test_the_machine_is_asked_about_the_exercise_s_own_forward_pass(posed: Callable[[str], list[Problem]]) -> None:
    """By hand, from the sum over examples of softmax minus one-hot."""
    for problem in posed("softmax-regression"):
        z = problem.batch.x @ problem.params["W"] + problem.params["b"]
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        g = (p - np.eye(5)[problem.batch.y]) / len(z)
        assert np.allclose(problem.first.gradients["logits"], g, rtol=1e-12, atol=1e-15)
        assert np.allclose(problem.first.gradients["b"], g.sum(axis=0), rtol=1e-12, atol=1e-15)


def test_pytorch_and_jax_check_alike() -> None:
    chosen = exercise("softmax-regression")
    machines = [registry.availability(name).backend for name in MACHINES]
    if None in machines:
        pytest.skip("JAX and PyTorch are not both installed: pip install 'gradparity[all]'")
    first, second = (
        next(problems(chosen, of_machine(machine), drawn(chosen))).first for machine in machines if machine is not None
    )
    assert first.gradients.keys() == second.gradients.keys() >= set(chosen.questions)
    assert all(np.allclose(first.gradients[line], second.gradients[line], rtol=1e-12) for line in chosen.questions)


IN_A_LOOP = {
    "a share of the next time": ('keep * d["m", t + 1]', '0 * d["m", t + 1]', "m", 1),
    "what is made from it is not blamed": ('(1 - keep) * d["m", t]', 'd["m", t]', "z", 2),
    "the first time only": ('(1 - np.tanh(c["z", t]) ** 2)', '(1 - np.tanh(c["z", t]) ** 2) * (t > 0)', "z", 0),
    "a sum": ('d.add("b", d["z", t].sum(axis=0))', 'd.add("b", d["z", t].sum())', "b", None),
    "still blank": ('c["m", t - 1].T @ d["z", t]', "...", "U", None),
}


@pytest.mark.parametrize(("old", "new", "line", "number"), IN_A_LOOP.values(), ids=IN_A_LOOP)
def test_in_a_loop_the_first_wrong_pass_is_named(
    old: str, new: str, line: str, number: int | None, judged: Judged
) -> None:
    outcome = judged(_looping(old, new), "leaky-memory")
    assert outcome.wrong is not None
    assert (outcome.wrong.line, outcome.wrong.number) == (line, number)
    assert outcome.wrong.blank == (new == "...")
    assert line not in outcome.right
    assert outcome.shapes["m"] == "(n, 4)"


@pytest.mark.fault(kind="exercise")
def test_a_sum_over_a_loop_that_broke_off_is_not_blamed(judged: Judged) -> None:
    wrong = judged(
        _looping('d.add("b", d["z", t].sum(axis=0))', 'd["b"] = d["z", t].sum(axis=0)'), "leaky-memory"
    ).wrong
    assert wrong is not None
    assert wrong.line == "b"
    assert re.match(r"d\['b'\] is written twice: .* through d\.add", wrong.symptom)


def _looping(old: str, new: str) -> Path:
    """Write leaky-memory, whose backward pass is a loop through time, solved but for one piece."""
    text, path = exercise("leaky-memory").solved(), Path("my_answer.py")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path
