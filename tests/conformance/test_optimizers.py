"""Every rule in every setting: NumPy's by hand, optax's and PyTorch's take the same 100 steps, and stop and go on."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from gradparity import SoftmaxRegression, registry
from gradparity.schedules import Cosine, StepDecay

SPEC = SoftmaxRegression(features=5, classes=3)
STEPS = 100
COSINE = Cosine(0.2, steps=80, warmup=10, final=0.1)
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {"lr": 0.1}),
    "momentum": ("momentum", {"lr": COSINE}),
    "nesterov": ("sgd", {"lr": COSINE, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "lr in velocity": ("sgd", {"lr": COSINE, "momentum": 0.9, "lr_in_velocity": True, "weight_decay": 0.03}),
    "both": ("sgd", {"lr": COSINE, "momentum": 0.9, "lr_in_velocity": True, "nesterov": True}),
    "adagrad": ("adagrad", {"lr": 0.1, "eps": 1e-3}),
    "adagrad without eps": ("adagrad", {"lr": StepDecay(0.1, 7, 0.5), "eps": 0.0}),
    "adagrad from 0.1": ("adagrad", {"lr": 0.1, "initial": 0.1, "weight_decay": 0.03}),
    "rmsprop": ("rmsprop", {"lr": 0.1, "eps": 1e-2}),
    "rmsprop, eps inside": ("rmsprop", {"lr": COSINE, "eps": 1e-2, "eps_inside": True, "weight_decay": 0.03}),
    "adam": ("adam", {"lr": 0.1, "eps": 1e-3}),
    "adam, eps hat": ("adam", {"lr": COSINE, "eps": 1e-3, "eps_hat": True, "weight_decay": 0.03}),
    "adam, eps inside": ("adam", {"lr": COSINE, "eps": 1e-3, "eps_inside": True, "weight_decay": 0.03}),
    "adam, uncorrected": ("adam", {"lr": COSINE, "eps": 1e-3, "bias_correction": False}),
    "adam, clipped": ("adam", {"lr": COSINE, "clip_norm": 0.01}),
    "sgd, clipped at times": ("sgd", {"lr": 0.1, "clip_norm": 0.3}),
    "sgd, entries clipped": ("sgd", {"lr": 0.1, "clip_value": 0.05, "clip_norm": 0.2}),
    "adamw": ("adamw", {"lr": COSINE, "weight_decay": 0.3}),
    "adamw, uncorrected": ("adamw", {"lr": 0.1, "weight_decay": 0.3, "bias_correction": False}),
    "adamw, inside": ("adamw", {"lr": 0.1, "eps": 1e-3, "eps_inside": True, "bias_correction": False}),
}
BACKENDS = ("numpy", "jax", "torch")


@cache
def _started() -> tuple[dict[str, np.ndarray], list[Any]]:
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape) for name, shape in SPEC.param_shapes.items()}
    return params, [SPEC.example_batch(rng, 7) for _ in range(9)]


@cache
def _trained(case: str, backend: str, stop: int | None = None) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Take the steps; stop after ``stop`` of them and go on from NumPy arrays. Return parameters and memory."""
    name, hyperparameters = CASES[case]
    library = registry.backend(backend)
    step = library.model(SPEC, "float64").train_step(library.optimizer(name, **hyperparameters))
    params, batches = _started()
    state = step.start(params)

    def of(named: dict[str, Any]) -> dict[str, np.ndarray]:
        return {name: library.to_numpy(value) for name, value in named.items()}

    for i in range(STEPS):
        if i == stop:
            state = step.start(of(step.params(state)), of(step.remembered(state)), i)  # type: ignore[attr-defined, call-arg]
        state, _ = step(state, batches[i % len(batches)])
    return of(step.params(state)), of(step.remembered(state))  # type: ignore[attr-defined]


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("case", CASES)
def test_100_steps_and_what_is_remembered_are_those_of_numpy(case: str, backend: str) -> None:
    for own, by_hand in zip(_trained(case, backend), _trained(case, "numpy"), strict=True):
        assert own.keys() == by_hand.keys()
        for name, value in own.items():
            np.testing.assert_allclose(value, by_hand[name], rtol=0, atol=1e-12 * float(np.linalg.norm(by_hand[name])))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_a_run_that_stopped_ends_in_the_same_bits(case: str, backend: str) -> None:
    for stopped, whole in zip(_trained(case, backend, 50), _trained(case, backend), strict=True):
        for name, value in stopped.items():
            np.testing.assert_array_equal(value, whole[name])


PLAIN = {
    "nesterov": "momentum",
    "adamw": "adam",
    "adamw, uncorrected": "adamw",
    "adam, clipped": "adam",
    "adam, eps hat": "adam",
    "adam, eps inside": "adam, eps hat",
    "adam, uncorrected": "adam",
    "adagrad from 0.1": "adagrad",
    "rmsprop, eps inside": "rmsprop",
    "sgd, entries clipped": "sgd, clipped at times",
}


@pytest.mark.parametrize("wrong", PLAIN)
def test_a_setting_that_is_left_out_would_be_seen(wrong: str) -> None:
    """The cases can fail: each setting moves the parameters by far more than the tolerance."""
    params, other = _trained(wrong, "numpy")[0], _trained(PLAIN[wrong], "numpy")[0]
    assert np.linalg.norm(params["W"] - other["W"]) > 1e-3 * np.linalg.norm(params["W"])
