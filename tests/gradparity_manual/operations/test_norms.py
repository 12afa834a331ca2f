"""Layer norm and RMS norm against PyTorch's own, and against the formula where PyTorch has no such convention."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gradparity_manual.operations.machines import Operation, hold, over_shapes, sizes

from gradparity.operations.layer_norm import NormConvention
from gradparity.recording import Gradients
from gradparity_manual.operations import layer_norm, rms_norm

torch = pytest.importorskip("torch")

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=2).flatmap(
    lambda rows: st.integers(2, 5).map(lambda width: (*rows, width))
)
conventions = st.builds(
    NormConvention,
    epsilon=st.sampled_from([1e-5, 0.3]),
    epsilon_outside=st.booleans(),
    unbiased=st.booleans(),
    biased=st.booleans(),
)


def drawn(shape: tuple[int, ...]) -> tuple[dict[str, Any], Any]:
    rng = np.random.default_rng(0)
    names = {"x": shape, "gain": shape[-1:], "bias": shape[-1:]}
    return {name: rng.normal(size=of) for name, of in names.items()}, rng.normal(size=shape)


def agree(by_hand: dict[str, Any], leaves: dict[str, Any]) -> None:
    for name, gradient in by_hand.items():
        np.testing.assert_allclose(gradient, leaves[name].grad.numpy(), rtol=1e-9, atol=1e-11, err_msg=name)


@given(shapes, conventions)
def test_layer_norm_is_right_in_every_convention(shape: tuple[int, ...], size: NormConvention) -> None:
    given_arrays, upstream = drawn(shape)
    c: dict[str, Any] = {}
    out = layer_norm.forward(given_arrays, given_arrays["x"], c, size)
    d = Gradients(out=upstream)
    of_x = layer_norm.backward(given_arrays, given_arrays["x"], c, d, size)

    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in given_arrays.items()}
    variance = leaves["x"].var(-1, keepdim=True, correction=int(size.unbiased))
    sigma = variance.sqrt() + size.epsilon if size.epsilon_outside else (variance + size.epsilon).sqrt()
    expected = (leaves["x"] - leaves["x"].mean(-1, keepdim=True)) / sigma * leaves["gain"]
    expected = expected + leaves["bias"] if size.biased else expected
    np.testing.assert_allclose(out, expected.detach(), rtol=1e-12)
    expected.backward(torch.tensor(upstream))
    agree({"x": of_x, "gain": d["gain"], **({"bias": d["bias"]} if size.biased else {})}, leaves)


@pytest.mark.parametrize("norm", [layer_norm, rms_norm])
def test_a_row_of_zeros_has_a_gradient_with_epsilon_outside(norm: Any) -> None:
    """x / (σ + ε) is steep at 0 and has no kink across it: each entry's share is gain/ε, and the mean is taken away."""
    p, upstream, c = {"gain": np.array([2.0, 3.0]), "bias": np.zeros(2)}, np.array([[1.0, 0.5]]), dict[str, Any]()
    x, size = np.zeros((1, 2)), NormConvention(0.1, epsilon_outside=True)
    norm.forward(p, x, c, size)
    share = upstream * p["gain"] / 0.1
    expected = share - share.mean() if norm is layer_norm else share
    np.testing.assert_allclose(norm.backward(p, x, c, Gradients(out=upstream), size), expected)


@given(shapes)
def test_the_usual_layer_norm_is_that_of_pytorch(shape: tuple[int, ...]) -> None:
    given_arrays, _ = drawn(shape)
    p = {name: torch.tensor(a) for name, a in given_arrays.items()}
    expected = torch.nn.functional.layer_norm(p["x"], shape[-1:], p["gain"], p["bias"])
    np.testing.assert_allclose(layer_norm.forward(given_arrays, given_arrays["x"], {}), expected, rtol=1e-10)


@given(shapes, st.sampled_from([1e-5, 0.3]))
def test_rms_norm_is_that_of_pytorch(shape: tuple[int, ...], epsilon: float) -> None:
    given_arrays, upstream = drawn(shape)
    c: dict[str, Any] = {}
    out = rms_norm.forward(given_arrays, given_arrays["x"], c, NormConvention(epsilon))
    d = Gradients(out=upstream)
    of_x = rms_norm.backward(given_arrays, given_arrays["x"], c, d)

    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in given_arrays.items()}
    expected = torch.nn.functional.rms_norm(leaves["x"], shape[-1:], leaves["gain"], epsilon)
    np.testing.assert_allclose(out, expected.detach(), rtol=1e-12)
    expected.backward(torch.tensor(upstream))
    agree({"x": of_x, "gain": d["gain"]}, leaves)


@over_shapes
@given(sizes, st.integers(2, 5), st.booleans())
def test_rms_norm_is_derived_as_machines_do(rows: int, width: int, epsilon_outside: bool) -> None:
    size = NormConvention(0.3, epsilon_outside)

    def backward(a: Any, c: Any, d: Any) -> None:
        d["x"] = rms_norm.backward(a, a["x"], c, d, size)

    def in_jax(x: Any, gain: Any) -> Any:
        square = jnp.mean(x**2, axis=-1, keepdims=True)
        return x * gain / (jnp.sqrt(square) + 0.3 if epsilon_outside else jnp.sqrt(square + 0.3))

    def in_torch(x: Any, gain: Any) -> Any:
        rms = torch.linalg.vector_norm(x, dim=-1, keepdim=True) / width**0.5
        return x / (rms + 0.3) * gain if epsilon_outside else torch.nn.functional.rms_norm(x, (width,), gain, 0.3)

    hold(
        Operation(lambda a, c: rms_norm.forward(a, a["x"], c, size), backward, in_jax, in_torch),
        x=(rows, width),
        gain=(width,),
    )
