import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.parity.drift import ratio
from gradparity.parity.training_parity import TrainingParity, training_parity
from gradparity.protocol import Array, Batch, HandDerivation, ModelSpec, Params
from gradparity.runtime import Optimizer
from gradparity.subjects import specs
from gradparity_manual import mlp, softmax_regression, update_rules
from gradparity_manual.update_rules import Arrays

pytest.importorskip("torch")
FIVE = ["numpy", "jax", "torch", "jax-manual", "torch-manual"]
LR = {"sgd": 0.1, "momentum": 0.05, "adam": 0.01}
REGRESSION = SoftmaxRegression(features=6, classes=4, weight_decay=0.01)
NETWORK = MLP(widths=(6, 5, 4))
TANH = MLP(widths=(6, 5, 3), activation="tanh", loss="squared_error")

Backward = Callable[[Params, Batch, Any, Any], None]


def run(spec: ModelSpec, optimizer: str = "sgd", **choices: Any) -> TrainingParity:
    choices = {"backends": ["numpy", "torch"], "steps": 10, **choices}
    return training_parity(spec, optimizer=optimizer, lr=LR[optimizer], **choices)


@pytest.mark.parametrize(("spec", "optimizer"), [(REGRESSION, "momentum"), (NETWORK, "adam")])
def test_all_right_backends_agree_in_both_lanes(spec: ModelSpec, optimizer: str) -> None:
    pytest.importorskip("jax")
    found = run(spec, optimizer, backends=FIVE, steps=20)
    found.assert_ok()
    assert {(row.backend, row.lane, row.step) for row in found.rows} == {
        (backend, lane, step)
        for backend in FIVE
        for lane in ("float64", "float32")
        for step in (10, 20)
        if (backend, lane) != (found.truth, "float64")
    }


@pytest.mark.parametrize(
    ("spec", "optimizer", "seed"),
    [(NETWORK, "sgd", 1), (TANH, "adam", 2)],
)
def test_right_backends_agree_for_a_hundred_steps_and_the_budgets_stay_sharp(
    spec: ModelSpec, optimizer: str, seed: int
) -> None:
    found = run(spec, optimizer, seed=seed, steps=100)
    found.assert_ok()
    early = {row.lane: row.budget for row in found.rows if row.backend == "numpy" and row.step == 10}
    assert early["float64"] < 1e-12
    assert early["float32"] < 1e-3


class Planted:
    """A spec whose hand derivation is changed; machine backends differentiate its right forward."""

    def __init__(self, base: Any, change: Callable[[Backward, Params, Batch, Any, Any], None]) -> None:
        module: Any = softmax_regression if isinstance(base, SoftmaxRegression) else mlp
        self._base = base

        def forward(p: Params, batch: Batch, c: Any) -> None:
            module.forward(base, p, batch, c)

        def right(p: Params, batch: Batch, c: Any, d: Any) -> None:
            module.backward(base, p, batch, c, d)

        def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:
            change(right, p, batch, c, d)

        self.hand = HandDerivation(forward, backward)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._base, attribute)


def scaled(factor: float, *names: str) -> Callable[..., None]:
    def change(right: Backward, p: Params, batch: Batch, c: Any, d: Any) -> None:
        right(p, batch, c, d)
        for name in names or p:
            d[name] = d[name] * factor

    return change


def without_last_of_a_smaller_batch(right: Backward, p: Params, batch: Batch, c: Any, d: Any) -> None:
    if len(batch.x) == 11:
        right(p, batch, c, d)
    else:
        shorter: dict[str, Array] = {"logits": c["logits"][:-1]}
        right(p, Batch(batch.x[:-1], batch.y[:-1]), shorter, d)


def without_weight_decay(right: Backward, p: Params, batch: Batch, c: Any, d: Any) -> None:
    right(p, batch, c, d)
    d["W"] = d["W"] - REGRESSION.weight_decay * p["W"]


MISTAKES: dict[str, tuple[ModelSpec, Callable[..., None]]] = {
    "all × 1.001": (REGRESSION, scaled(1.001)),
    "all × 1.001 in a network": (NETWORK, scaled(1.001)),
    "first bias × 1.001": (NETWORK, scaled(1.001, "b1")),
    "last example dropped": (REGRESSION, without_last_of_a_smaller_batch),
    "weight decay missing": (REGRESSION, without_weight_decay),
    "zero": (NETWORK, scaled(0.0, "W1")),
}


@pytest.mark.parametrize(
    ("mistake", "optimizer"),
    [
        *((mistake, "sgd") for mistake in MISTAKES),
        ("all × 1.001", "momentum"),
        ("all × 1.001", "adam"),
        ("zero", "adam"),
    ],
)
def test_a_mistake_is_caught_within_ten_steps(mistake: str, optimizer: str) -> None:
    found = run(Planted(*MISTAKES[mistake]), optimizer)
    assert {row.step for row in found.rows} == {10}
    lanes = {row.lane for row in found.disagreements if row.backend == "numpy"}
    assert "float64" in lanes
    # A constant factor in a gradient moves Adam by way of ε alone: too little for float32.
    assert ("float32" in lanes) == ((mistake, optimizer) != ("all × 1.001", "adam"))
    assert {row.backend for row in found.disagreements} == {"numpy"}


@pytest.mark.parametrize("optimizer", LR)
def test_an_update_by_the_gradient_of_the_step_before_is_caught(
    optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(right: Optimizer) -> Optimizer:
        def update(params: Arrays, gradients: Arrays, memory: Arrays, step: int) -> tuple[Arrays, Arrays]:
            before = {name: memory.get(f"before.{name}", g) for name, g in gradients.items()}
            memory |= {f"before.{name}": g.copy() for name, g in gradients.items()}
            return right.update(params, before, memory, step)

        return right._replace(update=update)

    right = update_rules.optimizer
    monkeypatch.setattr(update_rules, "optimizer", lambda rule: late(right(rule)))
    found = run(NETWORK, optimizer)
    assert {(row.backend, row.lane) for row in found.disagreements} == {("numpy", "float64"), ("numpy", "float32")}


def test_a_backend_that_is_coarse_in_float32_makes_no_room_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with products in bfloat16, of the backend that is the truth in float64 and measures rounding's share."""
    torch = registry.backend("torch")
    step = type(torch.model(NETWORK).train_step(torch.optimizer("sgd", lr=0.1)))
    right = step.__call__

    def coarse(self: Any, state: Any, batch: Batch) -> Any:
        if (self.runtime.library, self.dtype) == ("torch", "float32"):
            bits = np.asarray(batch.x, np.float32).view(np.int32) & ~0xFFFF
            batch = Batch(bits.view(np.float32), batch.y)
        return right(self, state, batch)

    monkeypatch.setattr(step, "__call__", coarse)
    found = run(NETWORK)
    assert found.truth == "torch"
    assert {(row.backend, row.lane) for row in found.disagreements} == {("torch", "float32")}


def test_the_words_name_backend_and_parameter() -> None:
    found = run(Planted(*MISTAKES["first bias × 1.001"]))
    says = r"b1 of numpy in float64 after 10 steps: \d.\de-0\d from torch's float64 run, at most \d.\de-1\d is rounding"
    with pytest.raises(AssertionError, match=says):
        found.assert_ok()


def test_a_mistake_shows_early_and_is_forgotten_late_on_a_convex_problem() -> None:
    """Why ten steps are judged as well: ×1.01 is a learning rate 1% off, which comes to the same minimum."""
    base = MLP(widths=(3, 2), loss="squared_error")
    rng = np.random.default_rng(0)
    batch = Batch(2 * rng.normal(size=(20, 3)), rng.normal(size=(20, 2)))
    found = run(Planted(base, scaled(1.01)), batches=[batch] * 100, steps=100, lanes=["float32"])
    assert [(row.step, row.agrees) for row in found.rows if row.backend == "numpy"] == [(10, False), (100, True)]


@pytest.mark.fault(kind="silence")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_disagree(bad: float) -> None:
    found = run(Planted(REGRESSION, scaled(bad, "b")))
    assert {(row.backend, row.lane) for row in found.disagreements} == {("numpy", "float64"), ("numpy", "float32")}
    with pytest.raises(AssertionError, match="of numpy in float64 after 10 steps: NaN or infinite"):
        found.assert_ok()
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["agrees"] is False
    assert data["distances"]["float64"]["numpy"] == [None] * 10


@pytest.mark.parametrize(("steps", "judged"), [(1, [1]), (10, [10]), (25, [10, 25])])
def test_the_verdicts_are_at_powers_of_ten_and_at_the_end(steps: int, judged: list[int]) -> None:
    found = run(REGRESSION, steps=steps, lanes=["float64"])
    assert [row.step for row in found.rows] == judged
    assert len(found.budgets["float64"]) == len(found.distances["float64"]["numpy"]) == steps


def test_no_budget_is_smaller_than_rounding_itself() -> None:
    found = run(NETWORK, steps=10)
    assert min(found.budgets["float64"]) > np.finfo("float64").eps
    assert min(found.budgets["float32"]) > np.finfo("float32").eps


def test_the_truth_is_a_machines_even_where_none_is_chosen() -> None:
    found = run(REGRESSION, backends=["numpy"], steps=1)
    assert found.agrees
    assert registry.backend(found.truth).differentiation == "machine"
    assert found.backends == ("numpy",)


def test_a_users_own_model_is_trained_as_it_is() -> None:
    found = run(specs.spec_of("docs/examples/my_model.py"), steps=12)
    found.assert_ok()
    assert {row.backend for row in found.rows} == {"numpy", "torch"}


@pytest.mark.fault(kind="backend")
def test_a_backend_that_cannot_train_says_why_and_the_others_are_compared() -> None:
    """A compiler refuses a branch on numbers, which is all right one call at a time."""
    pytest.importorskip("jax")

    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["z"] = batch.x @ p["w"]
        c["loss"] = (c["z"] ** 2).sum() if c["z"].sum() > 0 else (c["z"] ** 2).mean()

    def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
        d["z"] = 2 * c["z"] * d["loss"] / (1 if c["z"].sum() > 0 else len(batch.x))
        d["w"] = batch.x.T @ d["z"]

    spec = specs.spec_of({
        "param_shapes": {"w": 3}, "input_shape": 3, "target_shape": (), "forward": forward, "backward": backward,
    })  # fmt: skip
    found = training_parity(spec, backends=["numpy", "jax", "torch"], steps=5, lr=0.01)
    assert (found.truth, found.backends, found.agrees) == ("torch", ("numpy", "torch"), True)
    assert list(found.untrained) == ["jax"]
    assert "a traced JAX array has no numbers yet, so no if" in found.untrained["jax"]
    assert "\n" not in found.untrained["jax"]
    with pytest.raises(UsageError, match=r"needs two backends.*jax cannot train this model.* a traced JAX array"):
        training_parity(spec, backends=["numpy", "jax"], steps=5)


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"steps": 0}, "--steps must be at least 1, got 0"),
        ({"n": 0}, "--batch-size must be at least 1, got 0"),
        ({"lr": float("nan")}, "--lr must be finite and above 0, got nan"),
        (
            {"lr": 1e300, "lanes": ["float64"]},
            r"training diverges: parameters are NaN or infinite in float64 at step \d+: lower --lr",
        ),
        (
            {"lr": 1e18, "optimizer": "adam"},
            r"training leaves the range of float32: the optimiser remembers \S+ in float64, .*: lower --lr",
        ),
        ({"backends": ["torch"]}, "training parity needs two backends, .*, got torch: add one"),
        ({"optimizer": "sdg"}, "unknown optimizer 'sdg'"),
    ],
)
def test_what_cannot_be_judged_is_refused(choices: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        training_parity(NETWORK, **{"backends": ["numpy", "torch"], "steps": 5, **choices})


def test_a_ratio_is_never_nan() -> None:
    a, b = np.array([0.0, 1.0, 3.0, np.inf, 3.0]), np.array([0.0, 0.0, 2.0, np.inf, np.inf])
    assert ratio(a, b).tolist() == [0.0, np.inf, 1.5, np.inf, 0.0]
