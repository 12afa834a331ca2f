"""A backend that breaks, whichever way, costs its own row, with a sentence, and nobody else's."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.gradparity import broken

from gradparity import registry
from gradparity.comparison import compare
from gradparity.data import load
from gradparity.errors import UsageError
from gradparity.models import SoftmaxRegression
from gradparity.subjects import trial
from gradparity.subjects.specs import check
from gradparity.training import Settings
from gradparity_bench.engine.guard import gradient_refusal

SPEC = SoftmaxRegression(features=64, classes=10)
SMALL = SoftmaxRegression(features=4, classes=3)
RIGHT = ("numpy", "torch")


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("broken")
    broken.install(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.fixture(autouse=True)
def _impatient(quickly_timed: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 (asked for its effect)
    monkeypatch.setattr(trial, "PATIENCE", 3.0)


def test_every_broken_backend_is_registered() -> None:
    assert set(broken.NAMES) <= set(registry.names())


@pytest.mark.fault(kind="backend", cases=len(broken.NAMES) - len(broken.IN_TRAINING))
def test_a_check_says_what_is_wrong_with_each_and_compares_the_others() -> None:
    wrong = [name for name in broken.NAMES if name not in broken.IN_TRAINING]
    report = check(SPEC, backends=[*RIGHT, *wrong], n=5)
    assert [name for name in (*RIGHT, *wrong) if report.agrees_for(name)] == list(RIGHT)
    said = {each.backend: each.reason for each in report.unchecked}
    said |= {row.backend: row.note for row in report.findings}
    assert set(said) == set(wrong)
    assert all(said.values())
    assert said["hangs"] == "it gave no answer within 3 s"
    assert said["raises"] == "it raised ZeroDivisionError: of mine"
    assert said["exits"] == "it raised SystemExit: 0"
    assert said["spoils_parameters"].endswith("it changes what all backends share, so let it work on a copy")
    assert said["twice"].endswith("must be the same each time on the same numbers, two answers differ")
    assert said["misnamed"].startswith("it cannot be used, broken_backends:misnamed is registered as 'misnamed' and")


@pytest.mark.fault(kind="backend", cases=len(broken.NAMES))
def test_compare_trains_and_times_the_others() -> None:
    digits = load("digits")
    few = replace(digits, train=replace(digits.train, x=digits.train.x[:20], y=digits.train.y[:20]))
    found = compare(SPEC, few, Settings(epochs=1, batch_size=8), [*RIGHT, *broken.NAMES])
    assert not found.agrees
    assert [name for name in (*RIGHT, *broken.NAMES) if found.agrees_for(name)] == list(RIGHT)
    assert found.timings is not None
    assert set(found.timings.seconds) == set(RIGHT)
    lost = " ".join(found.findings)
    assert all(f"{name} could not be trained: it " in lost for name in broken.IN_TRAINING)


@pytest.mark.fault(kind="backend")
@pytest.mark.parametrize(
    ("name", "said"),
    [("twice", "must be the same each time on the same numbers, two answers differ"), ("words", "of real numbers")],
)
def test_the_guard_of_a_benchmark_lets_none_be_timed_whose_gradients_cannot_be_checked(name: str, said: str) -> None:
    status, reason = gradient_refusal(SMALL, name, "float64", 3)
    assert status == "failed"
    assert said in reason


@pytest.mark.fault(kind="backend", cases=len(broken.UNUSABLE))
def test_each_that_does_not_load_is_listed_with_the_reason_and_hides_no_other() -> None:
    found = {name: registry.availability(name) for name in registry.names()}
    assert all(found[name].backend is None and found[name].problem for name in broken.UNUSABLE)
    assert all(found[name].backend for name in (*RIGHT, *broken.NAMES) if name not in broken.UNUSABLE)


@pytest.mark.fault(kind="backend")
def test_where_every_backend_breaks_nothing_is_compared() -> None:
    with pytest.raises(UsageError, match="raises: it raised ZeroDivisionError: of mine"):
        check(SPEC, backends=["raises", "nothing"], n=5)
