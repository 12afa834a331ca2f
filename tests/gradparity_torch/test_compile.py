from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.written import Written

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.models import SoftmaxRegression
from gradparity.protocol import Batch, Params
from gradparity_torch import backend as eager
from gradparity_torch.compiled import backend

SPEC = SoftmaxRegression()


def test_without_a_compiler_one_line_says_what_is_missing() -> None:
    from torch._inductor import config

    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(UsageError, match=r"needs a C\+\+ compiler.*install g\+\+") as raised,
    ):
        backend.model(SPEC)
    assert "\n" not in str(raised.value)


def test_it_is_registered_beside_the_eager_backend() -> None:
    found = registry.backend("torch-compile")
    assert (found.name, found.library, found.differentiation) == ("torch-compile", "torch", "machine")


def test_each_batch_size_is_compiled_once_and_gives_the_eager_gradient() -> None:
    from torch._dynamo.utils import counters

    rng = np.random.default_rng(0)
    params, model = SPEC.init(rng), backend.model(SPEC, "float64")
    counters.clear()
    for n in (6, 4, 6, 4):
        batch = SPEC.example_batch(rng, n)
        loss, gradients = model.value_and_grad(params, batch)
        expected_loss, expected = eager.model(SPEC, "float64").value_and_grad(params, batch)
        torch.testing.assert_close(loss, expected_loss, rtol=1e-13, atol=0)
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-12, atol=1e-15)
    assert counters["stats"]["unique_graphs"] == 2


def test_a_forward_that_looks_at_numbers_is_refused_in_one_line() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        total = (batch.x @ p["w"]).sum()
        c["loss"] = total if total > 0 else -total

    spec = Written(forward)
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match=r"torch\.compile cannot compile this model") as raised:
        backend.model(spec, "float64").value_and_grad(spec.init(rng), spec.example_batch(rng, 3))
    assert "\n" not in str(raised.value)


def test_extras_of_another_shape_have_a_program_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from gradparity_torch import compiled

    made: list[Callable[..., Any]] = []

    def program(function: Callable[..., Any]) -> Callable[..., Any]:
        made.append(function)
        return function

    monkeypatch.setattr(compiled, "_program", program)
    call = compiled._compiled(lambda _, batch: batch.extras["w"].sum())
    x, y = torch.zeros(3, 2), torch.zeros(3)
    for weights in (torch.ones(3), torch.ones(3), torch.ones(3, 2), torch.ones(3, dtype=torch.float64)):
        assert call({}, Batch(x, y, {"w": weights})) == weights.sum()
    assert len(made) == 3
