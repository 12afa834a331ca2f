"""A symptom says what kind of error it is, for every kind that the diagnosis knows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gradparity.exercise import Outcome, exercise
from gradparity.exercise.symptom import KINDS
from gradparity.parity import diagnosis
from gradparity.parity.diagnosis.factors import constant_factor, known_factor

W, B, N = 'batch.x.T @ d["logits"]', 'd["logits"].sum(axis=0)', "len(batch.x)"
SAID = {
    f'd["W"] = 0 * ({W})': "it is zero everywhere",
    f'd["W"] = -({W})': "it has the wrong sign",
    f'd["W"] = {N} * ({W})': "all of it is off by one and the same factor, which depends on n, the number of examples",
    f'd["W"] = ({W}) / {N}': "all of it is off by one and the same factor, which depends on n, the number of examples",
    f'd["W"] = -({W}) / ({N} - 1)': "it has the wrong sign, and all of it is off by one and the same factor, "
    "which depends on n, the number of examples",
    f'd["W"] = 2 * ({W})': "all of it is off by one and the same factor",
    f'd["W"] = ({W}).T': "its axes are the other way round: its shape is (5, 7), that of W is (7, 5)",
    f'd["W"] = ({W}).T.reshape(7, 5)': "it holds the right numbers in the wrong places",
    f'd["W"] = ({W})[::-1]': "it holds the right numbers in the wrong places",
    f'd["W"] = ({W}).sum(axis=0, keepdims=True) + np.zeros((7, 5))': "it is added up along an axis that should have "
    "stayed",
    f'd["W"] = ({W}) + np.arange(1, 6)': "its numbers are wrong, in no simple way",
    f'd["W"] = ({W}) + np.arange(5)': "some entries are right, the others are wrong",
    f'd["W"] = ({W}) + p["W"]': "a term is missing from it, or one is there that does not belong",
    f'd["W"] = ({W}) * p["W"]': "it is off by a factor that differs from entry to entry",
    f'd["W"] = np.abs({W})': "some entries have the wrong sign, and all have the right size",
    f'd["W"] = np.maximum({W}, 0)': "some entries are zero that should not be, or the other way round",
    'd["W"] = batch.x[1:].T @ d["logits"][1:]': "one example is left out, or counted twice",
    f'd["W"] = ({W}) * (np.arange(35).reshape(7, 5) != 4)': "one entry is wrong, all others are right",
    f'd["W"] = ({W}) * (np.arange(7) != 4)[:, None]': "some of its rows or columns are wrong, the others are right",
    'd["W"] = batch.x.T @ c["logits"]': "it is made from the wrong arrays",
    f'd["W"] = ({W}) * np.nan': "it is infinite or not a number somewhere",
    f'd["W"] = ({W}).astype("float32")': "it is nearly right: something in it is rounded, or a small number is in the "
    "way",
    f'd["w"] = {W}': "it is never written, but d['w'] of the same shape is",
    'd["b"] = d["logits"]': "its shape is (11, 5), that of b is (5,)",
    'd["b"] = d["logits"].sum()': "its shape is (), that of b is (5,)",
    f'd["b"] = np.full(5, ({B}).sum())': "it is zero everywhere",
}
"""A line -> what is said of it."""


@pytest.mark.parametrize("line", SAID)
def test_the_kind_of_error_is_said(line: str, solved: Callable[..., Path], judged: Callable[..., Outcome]) -> None:
    outcome = judged(solved({"W" if line[3] in "Ww" else "b": line}))
    assert outcome.wrong is not None
    assert outcome.wrong.symptom == SAID[line]


def test_every_cause_of_the_diagnosis_has_a_kind_in_the_same_order() -> None:
    """Factors are told apart here: whether they depend on n."""
    assert list(KINDS) == [cause for cause in diagnosis.CAUSES if cause not in (known_factor, constant_factor)]


NEURON = {
    'd["b"] = d["z"].mean()': "all of it is off by one and the same factor, which depends on n, the number of examples",
    'd["u"] = (d["z"] * batch.x[:, 1]).sum()': "its value is wrong",
}
POOLED = {
    'np.broadcast_to(d["top"][:, None, :], c["z"].shape)': "some entries are zero that should not be, or the other way "
    "round",
    'np.broadcast_to(d["top"][:, None, :] / 5, c["z"].shape)': "some entries are zero that should not be, or the other "
    "way round",
}


@pytest.mark.parametrize("line", NEURON)
def test_of_a_single_number_no_more_is_said_than_it_tells(line: str, judged: Callable[..., Outcome]) -> None:
    assert _symptom("gated-neuron", line[3:4], line, judged) == NEURON[line]


@pytest.mark.parametrize("line", POOLED)
def test_a_gradient_that_goes_to_the_losers_of_a_window_too_lacks_zeros(
    line: str, judged: Callable[..., Outcome]
) -> None:
    assert _symptom("text-filter", "z", f'd["z"] = {line}', judged) == POOLED[line]


def _symptom(name: str, line: str, wrong: str, judged: Callable[..., Outcome]) -> str:
    chosen = exercise(name)
    path = Path("my_answer.py")
    path.write_text(replace(chosen, solution={**chosen.solution, line: wrong}).solved(), encoding="utf-8")
    outcome = judged(path, name)
    assert outcome.wrong is not None
    assert outcome.wrong.line == line
    return outcome.wrong.symptom
