"""Small samples of what ``python -m gradparity_mutants`` measures."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gradparity.drawing import Table
from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Dtype, ModelSpec
from gradparity_mutants import __main__ as command
from gradparity_mutants import run
from gradparity_mutants.others import OTHERS, check_grads_objects, gradcheck_objects
from gradparity_mutants.regimes import WHOLE, CrossEntropy, Regime, derivation_with, large_inputs, trained
from gradparity_mutants.run import CHECKERS, TriedMutant
from gradparity_mutants.tables import equivalents, per_model, regimes, sentences, side_by_side
from gradparity_mutants.trial import prepare, verdict_on

TORCH = ("torch",)


@pytest.mark.parametrize("spec", [SoftmaxRegression(features=4, classes=3, weight_decay=0.5), MLP(widths=(3, 4, 2))])
def test_every_mutant_is_caught_in_both_lanes_and_exactly_its_line_named(spec: ModelSpec) -> None:
    trial = prepare(spec, TORCH, n=5)
    assert verdict_on(trial, trial.hand).named == ()
    for mutant in list(trial.mutants())[::3]:
        verdict = verdict_on(trial, mutant.hand)
        expected = not mutant.equivalent
        assert verdict.caught == {"float64": expected, "float32": expected}, mutant
        assert verdict.named == ((mutant.where,) if expected else ()), mutant
        assert not any("  " in sentence for sentence in verdict.diagnoses), mutant


@pytest.mark.parametrize(("objects", "dtype"), OTHERS.values(), ids=OTHERS)
def test_the_other_checkers_work_as_they_should_on_a_small_problem(objects: object, dtype: Dtype) -> None:
    assert callable(objects)
    trial = prepare(SoftmaxRegression(features=4, classes=3), TORCH, n=5)
    verdicts = {name: objects(trial, derivation_with(trial, change), dtype) for name, change in WHOLE.items()}
    # gradcheck takes steps that float32 cannot resolve.
    assert verdicts == {"right": (objects, dtype) == (gradcheck_objects, "float32"), "zero": True, "negated": True}


def test_on_many_examples_an_all_zero_gradient_passes_check_grads_but_not_gradparity() -> None:
    trial = Regime("", CrossEntropy(100_000, 10), n=100_000).trial(TORCH)
    zero = derivation_with(trial, WHOLE["zero"])
    assert not check_grads_objects(trial, zero, "float32")
    assert verdict_on(trial, zero).caught == {"float64": True, "float32": True}


def test_on_large_inputs_check_grads_rejects_a_right_gradient_but_gradparity_does_not() -> None:
    trial = Regime("", SoftmaxRegression(), adjust=large_inputs).trial(TORCH)
    assert check_grads_objects(trial, trial.hand, "float64")
    assert verdict_on(trial, trial.hand).caught == {"float64": False, "float32": False}


def test_near_the_minimum_a_negated_gradient_passes_check_grads_but_not_gradparity() -> None:
    trial = Regime("", SoftmaxRegression(weight_decay=0.1), adjust=trained).trial(TORCH)
    negated = derivation_with(trial, WHOLE["negated"])
    assert not check_grads_objects(trial, negated, "float32")
    verdict = verdict_on(trial, negated)
    assert verdict.caught == {"float64": True, "float32": True}
    assert verdict_on(trial, trial.hand).caught == {"float64": False, "float32": False}


def tried(line: str, mutation: str, *, rejected: bool = True, equivalent: bool = False) -> TriedMutant:
    rejects: dict[str, bool | None] = dict.fromkeys(CHECKERS, rejected)
    said = ("because",) if rejected else ()
    return TriedMutant("m", rejects, line, mutation, equivalent, (line,) if rejected else (), said)


def cells(table: Table) -> list[list[str]]:
    return [[str(cell.entries[0]) for cell in row.cells] for row in table.rows]


def test_tables_count_caught_named_and_equivalent_mutants() -> None:
    all_tried = [
        tried("", "none", rejected=False),
        tried("d['W']", "zero"),
        tried("d['W']", "×2", rejected=False),
        tried("d['b']", "×2"),
        tried("d['b']", "swapped axes", equivalent=True, rejected=False),
    ]
    assert cells(per_model(all_tried))[0] == ["m", "2", "3", "2 of 3", "2 of 3", "2 of 3", "1"]
    rows = {row[0]: row[1:3] for row in cells(side_by_side(all_tried))}
    assert rows == {
        "right derivations rejected": ["1", "0 of 1"],
        "zero": ["1", "all"],
        "×2": ["2", "1 of 2"],
        "all mutants": ["3", "2 of 3"],
    }
    assert cells(equivalents(all_tried)) == [["m", "swapped axes", "d['b']"]]
    assert cells(sentences(all_tried)) == [["zero", "all", "because"], ["×2", "1 of 2", "because"]]


def test_a_checker_that_was_not_tried_on_every_mutant_says_on_how_many() -> None:
    caught, untried = tried("d['W']", "zero"), tried("d['b']", "zero")
    untried.rejects.update(dict.fromkeys(OTHERS))
    assert set(cells(side_by_side([caught, untried]))[1][2:]) == {"all", "all 1"}
    assert set(cells(side_by_side([untried]))[1][2:]) == {"all", "not tried"}


def test_a_regime_says_which_verdicts_are_wrong() -> None:
    own = [tried("", "right"), tried("", "zero", rejected=False), tried("", "negated")]
    assert set(cells(regimes(own))[0][1:]) == {"rejects the right one, passes zero"}


def command_line() -> typer.Typer:
    app = typer.Typer()
    app.command()(command.main)
    return app


def test_the_command_fails_where_a_mutant_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [tried("", "none", rejected=False), tried("d['W']", "zero")]
    monkeypatch.setattr(run, "try_mutants", lambda *_: found)
    path = tmp_path / "out.json"
    arguments = ["--model", "softmax_regression", "--markdown", "--json", str(path)]
    passed = CliRunner().invoke(command_line(), arguments)
    assert passed.exit_code == 0, passed.output
    assert "| softmax" not in passed.output
    assert "| m | 1 | 1 | all | all | all | 0 |" in passed.output
    assert [t["mutation"] for t in json.loads(path.read_text())["mutants"]] == ["none", "zero"]
    found.append(tried("d['b']", "zero", rejected=False))
    assert CliRunner().invoke(command_line(), arguments).exit_code == 1


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown model 'mpl'"):
        command.main(model="mpl")
