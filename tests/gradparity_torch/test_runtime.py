import re
from collections.abc import Callable
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch
from torch import Tensor

from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Batch, Dtype
from gradparity.runtime import State
from gradparity_torch import backend

SPEC = SoftmaxRegression(weight_decay=0.3)
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def draw() -> tuple[dict[str, np.ndarray], Batch]:
    """Numbers that every float dtype holds exactly."""
    rng = np.random.default_rng(4)
    params = {name: rng.integers(-8, 9, shape) / 8 for name, shape in SPEC.param_shapes.items()}
    return params, Batch(rng.integers(-8, 9, (6, SPEC.features)) / 4, rng.integers(SPEC.classes, size=6))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", FLOATS)
def test_takes_tensors_of_any_float_dtype_and_computes_in_the_models(given: torch.dtype, dtype: Dtype) -> None:
    params, batch = draw()
    model = backend.model(SPEC, dtype)
    expected, gradients = model.value_and_grad(params, batch)
    tensors = {name: torch.tensor(p, dtype=given) for name, p in params.items()}
    loss, found = model.value_and_grad(tensors, Batch(torch.tensor(batch.x, dtype=given), torch.tensor(batch.y)))
    assert loss == expected
    assert loss.dtype == getattr(torch, dtype)
    for name, gradient in found.items():
        assert gradient.dtype == getattr(torch, dtype)
        assert torch.equal(gradient, gradients[name])


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_takes_labels_of_any_integer_dtype(dtype: type) -> None:
    params, batch = draw()
    model = backend.model(SPEC)
    assert model.loss(params, Batch(batch.x, batch.y.astype(dtype))) == model.loss(params, batch)
    assert model.loss(params, Batch(batch.x, torch.tensor(batch.y.astype(dtype)))) == model.loss(params, batch)


def test_takes_arrays_that_cannot_be_written_or_run_backwards_without_a_warning() -> None:
    params, batch = draw()
    model = backend.model(SPEC, "float64")
    expected = model.loss(params, batch)
    backwards = Batch(batch.x[::-1].copy()[::-1], batch.y[::-1].copy()[::-1])
    assert model.loss(params, backwards) == expected
    for array in (batch.x, batch.y, *params.values()):
        array.flags.writeable = False
    assert model.loss(params, batch) == expected


def test_what_it_returns_is_detached() -> None:
    params, batch = draw()
    tensors = {name: torch.tensor(p, requires_grad=True) for name, p in params.items()}
    model = backend.model(SPEC, "float64")
    loss, gradients = model.value_and_grad(tensors, batch)
    returned = [loss, model.loss(tensors, batch), model.predict(tensors, batch.x), *gradients.values()]
    assert not any(tensor.requires_grad for tensor in returned)


def test_leaves_tensors_of_its_own_dtype_unchanged() -> None:
    params, batch = draw()
    tensors = {name: torch.tensor(p) for name, p in params.items()}
    on_tensors = Batch(torch.tensor(batch.x), torch.tensor(batch.y))
    model = backend.model(SPEC, "float64")
    step = model.train_step(backend.optimizer("adam", lr=0.5))
    model.value_and_grad(tensors, on_tensors)
    model.trace(tensors, on_tensors)
    step(step.start(tensors), on_tensors)
    for name, p in params.items():
        np.testing.assert_array_equal(tensors[name], p)
    np.testing.assert_array_equal(on_tensors.x, batch.x)
    np.testing.assert_array_equal(on_tensors.y, batch.y)


@pytest.mark.parametrize("layout", ["rows", "columns", "backwards"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_copies_between_numpy_and_torch_with_the_dtype_kept(dtype: type, layout: str) -> None:
    rows: np.ndarray = np.arange(6, dtype=dtype).reshape(2, 3)
    array = {"rows": rows, "columns": rows.T, "backwards": rows[:, ::-1]}[layout]
    before = array.copy()
    tensor = backend.from_numpy(array)
    back = backend.to_numpy(tensor)
    tensor += 1
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(back, before)


def test_waits_for_cuda_tensors_only(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waits.append(True))
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    on_cuda = create_autospec(Tensor, is_cuda=True)
    backend.wait((State({"W": torch.zeros(2)}, {}, optimizer, 0), [torch.zeros(3)]))
    assert not waits
    backend.wait((State({"W": on_cuda}, {}, optimizer, 0), [torch.zeros(3)]))
    assert waits == [True]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: backend.optimizer("sdg", lr=0.1), "unknown optimizer 'sdg': there is adagrad, adam, adamw"),
        (lambda: backend.optimizer("sgd", lr=0.1, decay=0.9), "unknown hyperparameter of optimizer 'sgd'"),
        (lambda: backend.optimizer("adam", lr=0.1, beta=0.9), "did you mean 'beta"),
        (lambda: backend.optimizer("momentum", momentum=0.9), "optimizer 'momentum' needs a learning rate"),
        (lambda: backend.optimizer("sgd", lr=-0.1), "optimizer 'sgd': lr must be finite and above 0, got -0.1"),
        (lambda: backend.optimizer("sgd", lr=float("nan")), "optimizer 'sgd': lr must be finite and above 0, got nan"),
        (
            lambda: backend.optimizer("adam", lr=0.1, beta2=1.0),
            "optimizer 'adam': beta2 must be finite and at least 0 and below 1, got 1.0",
        ),
        (lambda: backend.model(MLP()).train_step((1, 2)), "train_step takes an optimizer, got tuple"),
    ],
)
def test_refuses_in_one_line_what_it_cannot_use(wrong: Callable[[], object], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as raised:
        wrong()
    assert "\n" not in str(raised.value)
