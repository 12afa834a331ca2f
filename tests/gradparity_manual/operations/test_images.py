"""Convolution, pooling and batch norm against JAX and PyTorch, over windows that overlap, leave gaps, or are padded."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.gradparity_manual.operations.machines import Named, Operation, hold, over_shapes, sizes
from torch.nn import functional as F  # noqa: N812

from gradparity.errors import UsageError
from gradparity.operations.batch_norm import Running, update
from gradparity.operations.layer_norm import NormConvention
from gradparity.operations.pooling import Kind
from gradparity.operations.windows import Windows
from gradparity_manual.operations import batch_norm, conv2d, dropout, pooling


def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most))


def fits(at: Windows, image: tuple[int, int]) -> bool:
    return all(side + 2 * pad >= size for side, pad, size in zip(image, at.padding, at.size, strict=True))


def of_images(padded: int) -> st.SearchStrategy[tuple[Windows, tuple[int, int]]]:
    """Windows on images: strides may be larger than the windows, and smaller."""
    windows = st.builds(Windows, pairs(1, 3), pairs(1, 4), pairs(0, padded))
    return st.tuples(windows, pairs(1, 6)).filter(lambda drawn: fits(*drawn))


def convolution(at: Windows) -> Operation:
    def backward(a: Named, c: Any, d: Any) -> None:
        del c
        conv2d.backward(a, a["x"], at, d)
        d["x"] = conv2d.share_of_input(a, a["x"].shape[2:], at, d)

    def in_jax(x: Any, W: Any, b: Any) -> Any:
        padding = [(pad, pad) for pad in at.padding]
        return jax.lax.conv_general_dilated(x, W, at.stride, padding) + b[:, None, None]

    return Operation(
        lambda a, c: conv2d.forward(a, a["x"], at, c),
        backward,
        in_jax,
        lambda x, W, b: F.conv2d(x, W, b, at.stride, at.padding),
    )


@over_shapes
@given(of_images(2), sizes, st.integers(1, 3), st.integers(1, 3))
def test_a_convolution_is_derived_as_machines_do(
    drawn: tuple[Windows, tuple[int, int]], n: int, channels: int, outputs: int
) -> None:
    at, image = drawn
    hold(convolution(at), x=(n, channels, *image), W=(outputs, channels, *at.size), b=(outputs,))


def pool(kind: Kind, at: Windows) -> Operation:
    def backward(a: Named, c: Any, d: Any) -> None:
        d["x"] = pooling.backward(kind, a["x"].shape[2:], at, c, d)

    def in_jax(x: Any) -> Any:
        window, strides = (1, 1, *at.size), (1, 1, *at.stride)
        if kind == "max":
            return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, "VALID")
        return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, strides, "VALID") / at.places

    def in_torch(x: Any) -> Any:
        return F.max_pool2d(x, at.size, at.stride) if kind == "max" else F.avg_pool2d(x, at.size, at.stride)

    return Operation(lambda a, c: pooling.forward(kind, a["x"], at, c), backward, in_jax, in_torch)


@pytest.mark.parametrize("kind", ["max", "average"])
@over_shapes
@given(of_images(0), sizes, st.integers(1, 3))
def test_pooling_is_derived_as_machines_do(
    kind: Kind, drawn: tuple[Windows, tuple[int, int]], n: int, channels: int
) -> None:
    at, image = drawn
    hold(pool(kind, at), x=(n, channels, *image))


def test_where_pixels_tie_the_first_receives_the_gradient() -> None:
    d: dict[str, Any] = {"out": np.full((1, 1, 1, 1), 5.0)}
    at, c = Windows((2, 2)), {"windows": np.array([[[[[1.0, 3.0, 3.0, 3.0]]]]])}
    assert pooling.backward("max", (2, 2), at, c, d).tolist() == [[[[0, 5.0], [0, 0]]]]


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (Windows((3, 4)), "must fit into the image: got a window of 3×4 on 3×3 with padding 0,0"),
        (Windows((0, 1)), r"a window's size must be two whole numbers of at least 1, height and width, got \(0, 1\)"),
        (Windows((1, 1), (1, 0)), r"stride must be two whole numbers of at least 1, height and width, got \(1, 0\)"),
        (Windows((1, 1), (1, 1), (-1, 0)), r"padding must be two whole numbers of at least 0, .*got \(-1, 0\)"),
    ],
)
def test_windows_that_cannot_stand_are_refused(at: Windows, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        at.counts(3, 3)


def normalisation(size: NormConvention) -> Operation:
    def backward(a: Named, c: Any, d: Any) -> None:
        d["x"] = batch_norm.backward(a, a["x"], c, d, size)

    def normalised(x: Any, gain: Any, bias: Any) -> Any:
        # The methods that arrays of JAX and tensors have in common.
        count = x.size if isinstance(x, jax.Array) else x.numel()
        count = count // x.shape[1]
        axes, ones = (0, *range(2, x.ndim)), (1, -1, *(1,) * (x.ndim - 2))
        centred = x - x.mean(axes).reshape(ones)
        variance = (centred**2).sum(axes).reshape(ones) / (count - size.unbiased)
        root = variance**0.5 + size.epsilon if size.epsilon_outside else (variance + size.epsilon) ** 0.5
        return centred / root * gain.reshape(ones) + bias.reshape(ones)

    def in_torch(x: Any, gain: Any, bias: Any) -> Any:
        if size.unbiased or size.epsilon_outside:
            return normalised(x, gain, bias)
        return F.batch_norm(x, None, None, gain, bias, training=True, eps=size.epsilon)

    return Operation(lambda a, c: batch_norm.forward(a, a["x"], c, size), backward, normalised, in_torch)


@over_shapes
@given(
    st.builds(NormConvention, st.sampled_from([1e-5, 0.3]), st.booleans(), st.booleans()),
    st.integers(3, 6),
    st.integers(1, 4),
    st.lists(st.integers(1, 3), min_size=2, max_size=2) | st.just([]),
)
def test_batch_norm_is_derived_as_machines_do(size: NormConvention, n: int, channels: int, places: list[int]) -> None:
    hold(normalisation(size), x=(n, channels, *places), gain=(channels,), bias=(channels,))


def test_running_statistics_follow_as_those_of_pytorch_and_predict_as_they_do() -> None:
    x = np.random.default_rng(0).normal(2.0, 3.0, size=(5, 2, 3, 4))
    p = {"gain": np.array([1.5, -0.5]), "bias": np.array([0.1, 0.2])}
    layer = torch.nn.BatchNorm2d(2, dtype=torch.float64)
    layer.load_state_dict({"weight": torch.tensor(p["gain"]), "bias": torch.tensor(p["bias"])}, strict=False)
    layer(torch.tensor(x))
    c: dict[str, Any] = {}
    batch_norm.forward(p, x, c, NormConvention())
    old = {"mean": np.zeros(2), "variance": np.ones(2)}
    new = update(old, c, NormConvention(), Running())
    assert layer.running_mean is not None
    assert layer.running_var is not None
    np.testing.assert_allclose(new["mean"], layer.running_mean)
    np.testing.assert_allclose(new["variance"], layer.running_var)
    predicted = batch_norm.predict({**p, **new}, x, NormConvention())
    np.testing.assert_allclose(predicted, layer.eval()(torch.tensor(x)).detach())


def test_batch_norm_of_a_single_number_is_refused() -> None:
    with pytest.raises(UsageError, match=r"at least 2 numbers in each channel, got a batch of shape \(1, 3\)"):
        batch_norm.forward({}, np.ones((1, 3)), {}, NormConvention())


def dropout_backward(a: Named, c: Any, d: Any) -> None:
    del c
    d["x"] = dropout.backward(a["mask"], d)


DROPOUT = Operation(
    lambda a, c: dropout.forward(a["x"], a["mask"], c),
    dropout_backward,
    lambda x, mask: jnp.where(mask > 0, x / 0.75, 0),
    lambda x, mask: torch.where(mask > 0, x / 0.75, torch.zeros_like(x)),
    ("mask",),
)


@over_shapes
@given(sizes, sizes)
def test_dropout_is_derived_as_machines_do(n: int, width: int) -> None:
    mask = np.where(np.random.default_rng(1).random((n, width)) < 0.25, 0, 1 / 0.75)
    hold(DROPOUT, x=(n, width), mask=mask)
