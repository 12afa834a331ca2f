"""Losses of each example, and the penalty, against JAX, optax and PyTorch."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.gradparity_manual.operations.machines import Named, Operation, hold, over_shapes, sizes
from torch.nn import functional as F  # noqa: N812

from gradparity.operations import reductions
from gradparity.protocol import Array
from gradparity.recording import Gradients, View
from gradparity_manual.operations import cross_entropy, hinge, sigmoid_cross_entropy, squares


def of_examples(
    forward: Callable[..., Array], backward: Callable[..., Array], jax: Any, torch: Any, given: tuple[str, ...]
) -> Operation:
    """A loss (n,) of rows z and targets y, whose gradient is the upstream's of each example times its own."""

    def write(a: Named, c: Any) -> Array:
        c["out"] = forward(a["z"], a["y"])
        return c["out"]

    def back(a: Named, c: Any, d: Any) -> None:
        del c
        d["z"] = d["out"][:, None] * backward(a["z"], a["y"])

    return Operation(write, back, jax, torch, given)


CROSS_ENTROPY = of_examples(
    cross_entropy.forward,
    cross_entropy.backward,
    lambda **a: optax.softmax_cross_entropy_with_integer_labels(a["z"], a["y"]),
    lambda z, y: F.cross_entropy(z, y, reduction="none"),
    (),
)
SIGMOID_CROSS_ENTROPY = of_examples(
    sigmoid_cross_entropy.forward,
    sigmoid_cross_entropy.backward,
    lambda z, y: optax.sigmoid_binary_cross_entropy(z, y).sum(axis=1),
    lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none").sum(1),
    ("y",),
)
SQUARED_ERROR = of_examples(
    squares.error,
    squares.error_backward,
    lambda z, y: jnp.sum((z - y) ** 2, axis=1),
    lambda z, y: F.mse_loss(z, y, reduction="none").sum(1),
    ("y",),
)


@over_shapes
@given(sizes, sizes, st.integers(0, 99))
def test_cross_entropy_is_derived_as_machines_do(n: int, classes: int, seed: int) -> None:
    hold(CROSS_ENTROPY, z=(n, classes), y=np.random.default_rng(seed).integers(classes, size=n))


@pytest.mark.parametrize("operation", [SIGMOID_CROSS_ENTROPY, SQUARED_ERROR], ids=["sigmoid", "squared"])
@over_shapes
@given(sizes, sizes)
def test_losses_of_real_targets_are_derived_as_machines_do(operation: Operation, n: int, outputs: int) -> None:
    hold(operation, z=(n, outputs), y=np.random.default_rng(1).uniform(size=(n, outputs)))


AT_MARGINS = {"out": "margins"}
HINGES = {1: (hinge.forward, hinge.backward), 2: (hinge.squared, hinge.squared_backward)}


def hinge_of(delta: float, power: int) -> Operation:
    forward, backward = HINGES[power]

    def by_hand(a: Named, c: Any) -> Array:
        c["out"] = forward(hinge.margins(a["z"], a["y"], View(c, AT_MARGINS), delta), a["y"])
        return c["out"]

    def back(a: Named, c: Any, d: Any) -> None:
        d["margins"] = d["out"][:, None] * backward(c["margins"], a["y"])
        d["z"] = hinge.margins_backward(a["y"], View(d, AT_MARGINS))

    def in_jax(z: Any, y: Any) -> Any:
        rows = jnp.arange(len(z))
        losses = jnp.maximum(z - z[rows, y][:, None] + delta, 0) ** power
        return losses.at[rows, y].set(0).sum(axis=1)

    def in_torch(z: Any, y: Any) -> Any:
        # PyTorch's own is divided by the number of classes.
        return F.multi_margin_loss(z, y, p=power, margin=delta, reduction="none") * z.shape[1]

    return Operation(by_hand, back, in_jax, in_torch)


@over_shapes
@given(sizes, sizes, st.integers(0, 99), st.sampled_from([1.0, 0.3]), st.sampled_from([1, 2]))
def test_hinge_is_derived_as_machines_do(n: int, classes: int, seed: int, delta: float, power: int) -> None:
    hold(hinge_of(delta, power), z=(n, classes), y=np.random.default_rng(seed).integers(classes, size=n))


BINARY_HINGES = {
    1: (hinge.binary, hinge.binary_backward),
    2: (hinge.squared_binary, hinge.squared_binary_backward),
}


def binary_hinge_of(delta: float, power: int) -> Operation:
    forward, backward = BINARY_HINGES[power]

    def back(a: Named, c: Any, d: Any) -> None:
        d["margins"] = d["out"][:, None] * backward(c["margins"], a["y"])
        d["z"] = hinge.binary_margins_backward(a["y"], View(d, AT_MARGINS))

    def by_hand(a: Named, c: Any) -> Array:
        c["out"] = forward(hinge.binary_margins(a["z"], a["y"], View(c, AT_MARGINS), delta), a["y"])
        return c["out"]

    return Operation(
        by_hand,
        back,
        lambda z, y: (jnp.maximum(delta - jnp.where(y > 0, 1, -1) * z, 0) ** power).sum(axis=1),
        lambda z, y: F.relu(delta - torch.where(y > 0, 1, -1) * z).pow(power).sum(dim=1),
        given=("y",),
    )


@pytest.mark.parametrize("other", [-1.0, 0.0])
@over_shapes
@given(sizes, sizes, st.sampled_from([1.0, 0.3]), st.sampled_from([1, 2]))
def test_a_binary_hinge_is_derived_as_machines_do(other: float, n: int, outputs: int, delta: float, power: int) -> None:
    y = np.random.default_rng(n).choice([other, 1.0], size=(n, outputs))
    hold(binary_hinge_of(delta, power), z=(n, outputs), y=y)


def penalty_backward(a: Named, c: Any, d: Any) -> None:
    del c
    squares.penalty_backward(a, ["V", "W"], 0.3, d)


PENALTY = Operation(
    lambda a, c: squares.penalty(a, ["V", "W"], 0.3, c),
    penalty_backward,
    lambda V, W: 0.3 * ((V**2).sum() + (W**2).sum()),
    lambda V, W: 0.3 * (V.square().sum() + W.square().sum()),
)


@over_shapes
@given(sizes, sizes)
def test_the_penalty_is_derived_as_machines_do(rows: int, columns: int) -> None:
    hold(PENALTY, V=(rows, columns), W=(columns, rows))


def test_a_penalty_adds_to_a_gradient_that_is_there() -> None:
    p, d = {"W": np.array([1.0, -2.0])}, Gradients(out=1.0, W=np.array([10.0, 10.0]))
    assert squares.penalty(p, ["W"], 0.25, {}) == 0.25 * 5
    squares.penalty_backward(p, ["W"], 0.25, d)
    assert d["W"].tolist() == [10.5, 9.0]


@pytest.mark.parametrize("z", [-1e4, 1e4])
def test_a_logit_far_out_has_a_finite_loss(z: float) -> None:
    row = np.array([[z]])
    assert sigmoid_cross_entropy.forward(row, np.zeros((1, 1))) == pytest.approx(max(z, 0))
    assert sigmoid_cross_entropy.forward(row, np.ones((1, 1))) == pytest.approx(max(-z, 0))


def test_every_reduction_is_that_of_pytorch() -> None:
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    total = squares.error(a, y).sum()
    pair = torch.tensor(a), torch.tensor(y)
    assert total / reductions.divisor("mean-of-entries", 4, 3) == pytest.approx(F.mse_loss(*pair).item())
    assert total / reductions.divisor("sum", 4, 3) == pytest.approx(F.mse_loss(*pair, reduction="sum").item())
    of = {name: reductions.divisor(name, 4, 3) for name in reductions.REDUCTIONS}
    assert of == {"mean": 4, "sum": 1, "half-sum": 2, "half-mean": 8, "mean-of-entries": 12}
