"""The rules: one message from every backend, and how much each magnifies rounding."""

import math
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.optimizers import RULES, SGD, Adam, named, worded


@pytest.mark.fault(kind="python")
@pytest.mark.parametrize("lr", [math.inf, math.nan, -1.0, 0.0])
@pytest.mark.parametrize("name", RULES)
def test_a_learning_rate_is_finite_and_above_zero(name: str, lr: float) -> None:
    with pytest.raises(UsageError, match=f"lr must be finite and above 0, got {lr}"):
        named(name, lr=lr)


@pytest.mark.fault(kind="python")
@pytest.mark.parametrize(
    ("name", "hyperparameters", "says"),
    [
        (
            "sdg",
            {"lr": 0.1},
            "there is adagrad, adam, adamw, momentum, rmsprop, sgd; did you mean 'sgd'",
        ),
        ("adam", {"lr": 0.1, "momentum": 0.9}, "unknown hyperparameter of optimizer 'adam' 'momentum': there is"),
        ("adamw", {"lr": 0.1, "weight_decay": -1.0}, "weight_decay must be finite and at least 0, got -1.0"),
        ("rmsprop", {"lr": 0.1, "clip_norm": 0.0}, "optimizer 'rmsprop': clip_norm must be above 0, got 0.0"),
        ("momentum", {"momentum": 0.9}, "optimizer 'momentum' needs a learning rate, got none"),
        ("momentum", {"lr": 0.1, "momentum": 1.0}, "momentum must be finite and at least 0 and below 1, got 1.0"),
        ("adam", {"lr": 0.1, "beta1": -0.1}, "beta1 must be finite and at least 0 and below 1, got -0.1"),
        ("adam", {"lr": 0.1, "eps_inside": True, "eps_hat": True}, "stands in one place, got eps_inside and eps_hat"),
        ("adam", {"lr": 0.1, "eps": -1e-8}, "eps must be finite and at least 0, got -1e-08"),
    ],
)
def test_every_backend_refuses_in_the_same_line(name: str, hyperparameters: dict[str, Any], says: str) -> None:
    found = set()
    for backend in ("numpy", "jax", "torch"):
        with pytest.raises(UsageError) as raised:
            registry.backend(backend).optimizer(name, **hyperparameters)
        found.add(str(raised.value))
    (line,) = found
    assert says in line
    assert "\n" not in line


def test_a_name_gives_the_rule_with_its_defaults() -> None:
    assert named("sgd", lr=0.1) == SGD(0.1)
    assert named("momentum", lr=0.1) == SGD(0.1, momentum=0.9)
    assert named("adam", lr=0.1) == Adam(0.1, beta1=0.9, beta2=0.999, eps=1e-8)


def test_magnification_is_that_of_a_small_change_of_beta2() -> None:
    steps, h = np.array([1, 2, 10, 1000]), 1e-7
    change = [np.sqrt((1 - 0.999**t) / (1 - (0.999 + h) ** t)) - 1 for t in steps]
    np.testing.assert_allclose(named("adam", lr=0.1).magnification(steps), np.array(change) / h, rtol=1e-3)
    np.testing.assert_array_equal(named("sgd", lr=0.1).magnification(steps), 1)


def test_the_words_of_the_command_line_are_a_name_and_its_hyperparameters() -> None:
    assert worded("adam") == ("adam", {})
    assert worded("sgd,momentum=0.9,nesterov=true") == ("sgd", {"momentum": 0.9, "nesterov": True})


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "adam,0.9",
            "a name, then settings such as momentum=0.9 after commas, got '0.9' in 'adam,0.9'",
        ),
        ("adam,", "got '' in 'adam,'"),
        ("adam,lr=0.1", "the learning rate is --lr, got 'adam,lr=0.1'"),
        ("adam,betas=0.9", "unknown hyperparameter of optimizer 'adam' 'betas': there is "),
    ],
)
def test_words_that_are_no_rule_are_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        worded(text)
