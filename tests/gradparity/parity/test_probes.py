"""The witness that needs no machine: what it measures is the derivative, and what it cannot measure it says."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from jaxtyping import Float

from gradparity.parity.norms import relative_error
from gradparity.parity.probes import Probed, probed
from gradparity.protocol import Array

X = np.random.default_rng(0).normal(size=(5, 3))
W = np.random.default_rng(1).normal(size=(3, 4))


def loss_through(activation: Callable[[Array], Array]) -> Callable[[Mapping[str, Array]], Array]:
    def loss(change: Mapping[str, Array]) -> Array:
        z = X @ (W + change.get("W", 0)) + change.get("z", 0)
        return np.mean(activation(z) ** 2)

    return loss


def measured(loss: Callable[[Mapping[str, Array]], Array], seconds: float = 60.0) -> Probed:
    return probed(loss, {"z": X @ W, "W": W}, np.random.default_rng(2), seconds)


def by_hand(z: Float[np.ndarray, "n k"], slope: Float[np.ndarray, "n k"], activation: Array) -> dict[str, np.ndarray]:
    dz = 2 * activation(z) * slope / z.size
    return {"z": dz, "W": X.T @ dz}


def test_an_analytic_loss_is_differentiated_exactly_by_complex_steps() -> None:
    expected = by_hand(X @ W, 1 - np.tanh(X @ W) ** 2, np.tanh)
    for name, found in measured(loss_through(np.tanh)).gradients.items():
        assert found.exactly
        assert relative_error(found.gradient, expected[name]) < 1e-14
        assert found.accuracy < 1e-11


def test_where_complex_numbers_lose_their_imaginary_part_differences_are_taken_within_their_accuracy() -> None:
    def softened(z: Array) -> Array:
        return np.log1p(np.exp(np.real(z)))

    expected = by_hand(X @ W, 1 / (1 + np.exp(-(X @ W))), softened)
    for name, found in measured(loss_through(softened)).gradients.items():
        assert not found.exactly
        assert np.linalg.norm(found.gradient - expected[name]) <= found.accuracy
        assert found.accuracy < 1e-9 * np.linalg.norm(expected[name])


def test_beside_a_kink_that_nobody_declared_the_derivative_is_that_of_its_own_side() -> None:
    def relu(z: Array) -> Array:
        return np.maximum(np.real(z), 0)

    expected = by_hand(X @ W, (X @ W > 0) * 1.0, relu)
    for name, found in measured(loss_through(relu)).gradients.items():
        assert np.linalg.norm(found.gradient - expected[name]) <= found.accuracy < 1e-6


def test_at_a_kink_no_derivative_is_made_up() -> None:
    def loss(change: Mapping[str, Array]) -> Array:
        return np.sum(np.abs(np.array([0.0, 1.0]) + change.get("z", 0)))

    found = probed(loss, {"z": np.array([0.0, 1.0])}, np.random.default_rng(0))
    assert found == ({}, ("z",), ())


def test_a_loss_that_is_not_a_number_has_no_derivative() -> None:
    found = probed(lambda _: np.float64(np.nan), {"z": np.ones(2)}, np.random.default_rng(0))
    assert found.at_kinks == ("z",)


def test_what_would_take_too_long_is_left_out_and_named() -> None:
    found = measured(loss_through(np.tanh), seconds=0.0)
    assert found == ({}, (), ("z", "W"))


@pytest.mark.parametrize("size", [0, 1])
def test_an_array_of_no_entry_or_one_is_measured_too(size: int) -> None:
    value = np.full(size, 2.0)
    found = probed(lambda change: np.sum((value + change.get("b", 0)) ** 2), {"b": value}, np.random.default_rng(0))
    np.testing.assert_allclose(found.gradients["b"].gradient, 2 * value, rtol=1e-14)
