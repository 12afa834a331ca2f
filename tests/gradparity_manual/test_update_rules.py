"""Each rule against its formula written out for a single number."""

import numpy as np
import pytest

from gradparity.optimizers import named
from gradparity_manual.update_rules import optimizer

GRADIENTS = [0.5, -1.5, 2.0]


def run(name: str, **hyperparameters: float) -> float:
    rule = optimizer(named(name, **hyperparameters))
    params, memory = rule.start({"w": np.array([3.0])})
    for step, g in enumerate(GRADIENTS):
        params, memory = rule.update(params, {"w": np.array([g])}, memory, step)
    return float(params["w"][0])


def test_sgd_subtracts_the_scaled_gradients() -> None:
    assert run("sgd", lr=0.1) == pytest.approx(3.0 - 0.1 * sum(GRADIENTS))


def test_momentum_remembers_earlier_gradients() -> None:
    velocities = [0.5, 0.8 * 0.5 - 1.5, 0.8 * (0.8 * 0.5 - 1.5) + 2.0]
    assert run("momentum", lr=0.1, momentum=0.8) == pytest.approx(3.0 - 0.1 * sum(velocities))


def test_adam_moves_by_the_learning_rate_at_first() -> None:
    rule = optimizer(named("adam", lr=0.01))
    params, memory = rule.start({"w": np.array([3.0, -3.0])})
    rule.update(params, {"w": np.array([1e-3, -1e3])}, memory, 0)
    np.testing.assert_allclose(params["w"], [2.99, -2.99], rtol=1e-6)


def test_adam_corrects_its_moments_for_their_start_at_zero() -> None:
    w, m, v = 3.0, 0.0, 0.0
    for t, g in enumerate(GRADIENTS, start=1):
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g**2
        w -= 0.05 * (m / (1 - 0.8**t)) / ((v / (1 - 0.9**t)) ** 0.5 + 1e-3)
    assert run("adam", lr=0.05, beta1=0.8, beta2=0.9, eps=1e-3) == pytest.approx(w)
