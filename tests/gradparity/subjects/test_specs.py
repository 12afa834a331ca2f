"""``gradparity.check``: what it takes as a model, and which backends it takes without being told."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import gradparity
from gradparity import registry
from gradparity.errors import UsageError
from gradparity.inputs import require_batch, require_whole
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Batch
from gradparity.subjects import specs
from gradparity.subjects.model_file import UserModel, adopt


def forward(p: Any, batch: Batch, c: Any) -> None:
    c["error"] = batch.x @ p["w"] - batch.y
    c["loss"] = (c["error"] ** 2).sum()


def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
    d["error"] = 2 * d["loss"] * c["error"]
    d["w"] = batch.x.T @ d["error"]


OWN: dict[str, Any] = {
    "param_shapes": {"w": 3}, "input_shape": 3, "target_shape": (), "forward": forward, "backward": backward,
}  # fmt: skip


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make backends look as if their libraries were not installed."""
    real = registry.availability

    def without(*missing: str) -> None:
        def availability(name: str) -> registry.Availability:
            if name.startswith(missing):
                return registry.Availability(name, "gradparity", None, f"'{name}' is not installed", "pip install it")
            return real(name)

        monkeypatch.setattr(registry, "availability", availability)

    return without


@pytest.fixture
def machine(without: Callable[..., None]) -> str:
    """One backend that differentiates by machine, the only one that seems to be installed."""
    for name, other in (("torch", "jax"), ("jax", "torch")):
        if registry.availability(name).backend is not None:
            without(other)
            return name
    pytest.skip("neither JAX nor PyTorch is installed: pip install 'gradparity[all]'")


@pytest.mark.parametrize(
    "model", ["softmax_regression", SoftmaxRegression(), SoftmaxRegression, OWN, SimpleNamespace(**OWN), adopt(OWN)]
)
def test_takes_specs_names_and_what_declares_a_model(model: Any, machine: str) -> None:
    report = gradparity.check(model, n=5, seed=3, lanes=["float64"])
    report.assert_ok()
    assert report.backends == ("numpy", machine)
    assert (report.n, report.seed) == (5, 3)
    assert {row.lane for row in report.rows} == {"float64"}


@pytest.mark.parametrize("suffix", ["", ":Mine"])
@pytest.mark.parametrize("kind", [str, Path])
def test_takes_a_file(kind: type, suffix: str, tmp_path: Path) -> None:
    body = 'param_shapes, input_shape, num_classes = {"W": (3, 2)}, 3, 2\n    forward = backward = print'
    (tmp_path / "mine.py").write_text(f"class Mine:\n    {body}\n", encoding="utf-8")
    model = specs.spec_of(kind(f"{tmp_path / 'mine.py'}{suffix}"))
    assert isinstance(model, UserModel)
    assert (model.name, model.param_shapes) == ("Mine", {"W": (3, 2)})


def test_takes_a_batch(machine: str) -> None:
    batch = Batch([[1.0, 2.0, 3.0]] * 4, [0.0] * 4)
    assert gradparity.check(OWN, backends=["numpy", machine], batch=batch).n == 4


def test_settings_reach_a_built_in_model() -> None:
    assert specs.spec_of("mlp", ["widths=5,4,3"]) == MLP(widths=(5, 4, 3))


@pytest.mark.fault(kind="python")
@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("softmax", "unknown model 'softmax'.*did you mean 'softmax_regression'"),
        ("mine.py", "there is no model file 'mine.py'"),
        (np.ones(3), "ndarray: 'param_shapes' is missing"),
        (None, "NoneType: 'param_shapes' is missing"),
        (int, "int: 'param_shapes' is missing"),
    ],
)
def test_says_what_it_cannot_take(model: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        gradparity.check(model)


def test_without_a_library_the_other_is_enough(without: Callable[..., None]) -> None:
    here = {name for name in ("jax", "torch") if registry.availability(name).backend is not None}
    for missing in here:
        without(missing)
        assert registry.installed() == ["numpy", *sorted(here - {missing})]


def test_without_any_machine_the_loss_itself_is_the_witness(without: Callable[..., None]) -> None:
    without("jax", "torch", "numpy-autograd")
    report = gradparity.check(OWN)
    report.assert_ok()
    assert report.witnesses == ("differences",)


@pytest.mark.fault(kind="python")
def test_a_backend_that_is_named_must_be_installed(without: Callable[..., None]) -> None:
    without("jax")
    with pytest.raises(UsageError, match="backend 'jax' cannot be used, 'jax' is not installed"):
        gradparity.check(OWN, backends=["numpy", "jax"])


def test_the_package_offers_exactly_its_public_names() -> None:
    assert set(gradparity.__all__) <= set(dir(gradparity))
    assert gradparity.check is specs.check
    with pytest.raises(AttributeError, match="module 'gradparity' has no attribute 'chekc'"):
        gradparity.chekc  # type: ignore[attr-defined]  # noqa: B018


SPEC = SoftmaxRegression(features=7, classes=5)


def _examples(n: int, features: int = 7, labels: type = int) -> Batch:
    return Batch(np.ones((n, features)), np.ones(n, labels))


@pytest.mark.fault(kind="python")
@pytest.mark.parametrize(
    ("batch", "says"),
    [
        (3, r"batch must be x and y, got 3: write gradparity.protocol.Batch\(x, y\)"),
        ((3, 4), r"batch must hold as many examples .* got x of shape \(\)"),
        (_examples(0), r"batch must hold as many examples .* got x of shape \(0, 7\)"),
        (_examples(3, features=2), r"of x in the shape \(n, ...\) of \(3, 7\), got x of shape \(3, 2\)"),
        (_examples(3)._replace(y=np.ones(2, int)), r"as many examples .* y of shape \(2,\)"),
        (_examples(3, labels=float), "batch.y must hold whole numbers for softmax_regression, got float64"),
        (([["a"]], [1]), "batch.x must hold real numbers for softmax_regression, got <U1"),
    ],
)
def test_a_batch_that_a_model_cannot_take_is_refused(batch: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        require_batch(SPEC, batch)


@pytest.mark.fault(kind="python")
@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"n": 0}, "n must be a whole number of at least 1, got 0"),
        ({"n": True}, "n must be a whole number of at least 1, got True"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"batch": _examples(3, features=2)}, "batch must hold as many examples"),
    ],
)
def test_what_nothing_can_be_drawn_with_is_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=f"^{says}"):
        gradparity.check(SPEC, backends=["numpy"], **asked)


@pytest.mark.parametrize("value", [1.5, "3", None, True, np.float64(2), 1])
def test_a_whole_number_is_an_integer_that_is_large_enough(value: object) -> None:
    require_whole("n", np.int64(2), 2)
    with pytest.raises(UsageError, match="n must be a whole number of at least 2, got"):
        require_whole("n", value, 2)


@pytest.mark.fault(kind="python")
@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            "backend('numpy').model(SoftmaxRegression(), 'float16')",
            "unknown dtype 'float16': there is float32, float64",
        ),
        ("backend(3)", "backend must be a name, got 3: there is"),
        ("check('softmax_regression', backends=3)", "backends must be a list of at least one, got 3"),
    ],
)
def test_a_value_of_another_type_is_refused_where_no_types_are_checked(call: str, says: str) -> None:
    code = f"import gradparity\ntry: gradparity.{call.replace('Softmax', 'gradparity.Softmax')}\n"
    code += "except gradparity.UsageError as error: print(error)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.startswith(says), ran.stderr
