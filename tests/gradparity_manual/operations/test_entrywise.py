from typing import Any

import jax
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gradparity_manual.operations.machines import Named, Operation, hold, sizes

from gradparity import operations
from gradparity.recording import View
from gradparity_jax import mlp as in_jax
from gradparity_jax.mlp import ACTIVATION
from gradparity_manual.operations import entrywise
from gradparity_manual.operations.entrywise import FUNCTIONS
from gradparity_torch import mlp as in_torch
from gradparity_torch.mlp import ACTIVATIONS


def operation(phi: str, leak: float) -> Operation:
    def backward(a: Named, c: Any, d: Any) -> None:
        d["z"] = entrywise.backward(phi, a["z"], c, d, leak)

    return Operation(
        lambda a, c: entrywise.forward(phi, a["z"], c, leak),
        backward,
        lambda **arrays: in_jax.activation(phi, leak)(arrays["z"]),
        lambda **arrays: in_torch.activation(phi, leak)(arrays["z"]),
    )


@pytest.mark.parametrize("phi", FUNCTIONS)
@settings(max_examples=4)
@given(shape=st.lists(sizes, max_size=3).map(tuple), leak=st.sampled_from([0.01, 0.2]))
def test_a_function_of_each_entry_is_derived_as_machines_do(phi: str, shape: tuple[int, ...], leak: float) -> None:
    hold(operation(phi, leak), z=shape)


@pytest.mark.parametrize("phi", FUNCTIONS)
def test_at_zero_all_take_the_same_side_of_a_kink(phi: str) -> None:
    by_hand = FUNCTIONS[phi].derivative(np.zeros(1), FUNCTIONS[phi].function(np.zeros(1)))
    zero = torch.zeros(1, requires_grad=True)
    (by_torch,) = torch.autograd.grad(ACTIVATIONS[phi](zero), zero, torch.ones(1))
    assert by_hand[0] == pytest.approx(float(jax.grad(ACTIVATION[phi])(0.0)))
    assert by_hand[0] == pytest.approx(by_torch.item())


@pytest.mark.parametrize("phi", FUNCTIONS)
@pytest.mark.parametrize("z", [-1e4, 1e4])
def test_far_out_it_saturates_without_overflow(phi: str, z: float) -> None:
    a = FUNCTIONS[phi].function(np.array([z]))
    assert np.isfinite(a).all()
    assert np.isfinite(FUNCTIONS[phi].derivative(np.array([z]), a)).all()


def test_an_entrywise_function_multiplies_entry_by_entry() -> None:
    z, d = np.array([-1.0, 2.0]), {"a1": np.array([3.0, 4.0])}
    c: dict[str, np.ndarray] = {}
    at = {"out": "a1"}
    assert entrywise.forward("relu", z, View(c, at)).tolist() == [0.0, 2.0]
    assert entrywise.backward("relu", z, View(c, at), View(d, at)).tolist() == [0.0, 4.0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_diagnosis_tries_is_what_the_derivation_computes(name: str) -> None:
    z = np.linspace(-2, 2, 7)
    declared, by_hand = operations.entrywise.FUNCTIONS[name], FUNCTIONS[name]
    a = by_hand.function(z)
    np.testing.assert_allclose(declared.value(z), a, rtol=1e-12)
    of = z if "{z}" in declared.derivative_latex else a
    np.testing.assert_allclose(declared.derivative(of), by_hand.derivative(z, a), rtol=1e-12)
