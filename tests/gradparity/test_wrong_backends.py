"""Backends that look right and are wrong: what they say in one place and do in another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.comparison import compare
from gradparity.comparison_file import to_dict
from gradparity.data import Dataset, load
from gradparity.model import RuntimeBackend
from gradparity.models import SoftmaxRegression
from gradparity.protocol import ModelSpec
from gradparity.runtime import ModelFunctions
from gradparity.subjects.specs import check
from gradparity.training import Settings

SPEC = SoftmaxRegression(features=64, classes=10)
Register = Callable[[RuntimeBackend], None]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Put a backend beside those that are registered, under the name that it has."""
    real = registry.availability

    def add(backend: RuntimeBackend) -> None:
        own = registry.Availability(backend.name, "mine", backend)
        names = [*registry.names(), backend.name]
        monkeypatch.setattr(registry, "names", lambda: names)
        monkeypatch.setattr(registry, "availability", lambda name: own if name == backend.name else real(name))

    return add


@pytest.fixture(scope="module")
def few() -> Dataset:
    """Digits, but only as many as three batches of eight need."""
    digits = load("digits")
    return replace(digits, train=replace(digits.train, x=digits.train.x[:70], y=digits.train.y[:70]))


def built_in(name: str) -> RuntimeBackend:
    found = registry.backend(name)
    assert isinstance(found, RuntimeBackend)
    return found


class Instead:
    """A runtime with one of its members replaced."""

    def __init__(self, runtime: Any, **members: Any) -> None:
        self._runtime = runtime
        vars(self).update(members)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)


@pytest.mark.fault(kind="lie")
@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_a_gradient_of_training_that_is_not_the_traces_is_told(name: str, register: Register) -> None:
    right = built_in(name)

    def functions(spec: ModelSpec) -> ModelFunctions:
        own = right.functions(spec)

        def value_and_grad(params: Any, batch: Any) -> tuple[Any, dict[str, Any]]:
            loss, gradients = own.value_and_grad(params, batch)
            return loss, gradients | {"W": 1.01 * gradients["W"]}

        return own._replace(value_and_grad=value_and_grad)

    register(replace(right, name="mine", functions=functions))
    report = check(SoftmaxRegression(features=4, classes=3), backends=["mine", "numpy", "torch"], n=5)
    assert not report.agrees_for("mine")
    assert {(row.backend, row.line) for row in report.disagreements} == {("mine", "W")}
    assert report.agrees_for("numpy")


@pytest.mark.fault(kind="lie")
@pytest.mark.usefixtures("quickly_timed")
def test_an_epoch_that_is_not_its_steps_is_told_and_not_timed(few: Dataset, register: Register) -> None:
    right = built_in("numpy")

    def epoch(*about: Any) -> Callable[..., Any]:
        own = right.runtime.epoch(*about)  # type: ignore[attr-defined]
        return lambda state, loaded, order, size: own(state, loaded, np.resize(order[:5], len(order)), size)

    register(replace(right, name="mine", runtime=Instead(right.runtime, epoch=epoch)))
    found = compare(SPEC, few, Settings(epochs=1, batch_size=8), ["numpy", "mine", "torch"])
    assert not found.agrees
    assert [name for name in ("numpy", "mine", "torch") if found.agrees_for(name)] == ["numpy", "torch"]
    assert found.timings is not None
    assert "mine" not in found.timings.seconds
    assert found.headline == "Epochs of mine train otherwise than the steps that they are made of."
    (finding,) = found.findings
    assert finding.startswith("an epoch of mine is not its steps one by one: relative error ")
    assert to_dict(found)["epoch_errors"]["mine"] > 1e-3
    assert to_dict(found)["epoch_errors"]["numpy"] < 1e-12


@pytest.mark.fault(kind="lie")
@pytest.mark.usefixtures("quickly_timed")
def test_a_backend_cannot_change_the_examples_that_all_share(few: Dataset, register: Register) -> None:
    right = built_in("numpy")

    def spoilt(examples: Any, dtype: Any) -> Any:  # noqa: ARG001 (the protocol's signature)
        examples.x[:] = 0

    register(replace(right, name="mine", runtime=Instead(right.runtime, load=spoilt)))
    before = few.train.x.copy()
    found = compare(SPEC, few, Settings(epochs=1, batch_size=8), ["numpy", "mine", "torch"])
    assert found.headline == "Training of mine failed."
    (finding,) = found.findings
    assert finding.startswith("mine could not be trained: it raised ValueError: assignment destination is read-only: ")
    np.testing.assert_array_equal(few.train.x, before)


@pytest.mark.fault(kind="lie")
def test_a_backend_cannot_change_the_parameters_and_the_batch_of_a_check(register: Register) -> None:
    right = built_in("numpy")

    def functions(spec: ModelSpec) -> ModelFunctions:
        def trace(params: Any, batch: Any) -> Any:  # noqa: ARG001
            params["W"][:] = 0

        return right.functions(spec)._replace(trace=trace)

    register(replace(right, name="mine", functions=functions))
    report = check(SPEC, backends=["mine", "torch"], n=5, lanes=["float64"])
    assert report.unchecked[0].backend == "mine"
    assert "read-only" in report.unchecked[0].reason
