"""Scaled dot-product attention over shapes, heads and masks, a fully masked row among them."""

from collections import ChainMap
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.gradparity_manual.operations.machines import Named, Operation, hold, over_shapes, sizes

from gradparity.protocol import Array
from gradparity_manual.operations import attention, multi_head

lengths = st.integers(1, 5)


def backward(a: Named, c: Any, d: Any) -> None:
    attention.backward({**a, **c}, d)


def by_jax(q: Array, k: Array, v: Array, seen: Array) -> Array:
    scores = q @ k.mT / np.sqrt(q.shape[-1])
    return jnp.where(seen.any(-1, keepdims=True), jax.nn.softmax(scores, where=seen), 0) @ v


def by_torch(q: Array, k: Array, v: Array, seen: Array) -> Array:
    scores = q @ k.mT / q.shape[-1] ** 0.5
    # PyTorch's softmax of a row of −∞ is NaN, and so is its gradient.
    weights = scores.masked_fill(~seen, -1e300).softmax(-1).masked_fill(~seen, 0)
    return weights @ v


ATTENTION = Operation(lambda a, c: attention.forward(a["seen"], ChainMap(c, dict(a))), backward, by_jax, by_torch)


@over_shapes
@given(sizes, sizes, lengths, lengths, sizes, sizes, st.integers(0, 99))
def test_attention_is_derived_as_machines_do(
    n: int, heads: int, queries: int, keys: int, width: int, outputs: int, seed: int
) -> None:
    seen = np.random.default_rng(seed).random((n, 1, queries, keys)) < 0.6
    seen[0, 0, 0] = False
    hold(ATTENTION, q=(n, heads, queries, width), k=(n, heads, keys, width), v=(n, heads, keys, outputs), seen=seen)


def many_heads(heads: int) -> Operation:
    def backward(a: Named, c: Any, d: Any) -> None:
        d["x"] = multi_head.backward(a, a["x"], heads, c, d)

    def in_jax(x: Array, seen: Array, **p: Array) -> Array:
        q, k, v = (jnp.stack(jnp.split(x @ p[f"W_{name}"] + p[f"b_{name}"], heads, axis=-1), axis=1) for name in "qkv")
        return jnp.concat(list(by_jax(q, k, v, seen).swapaxes(0, 1)), axis=-1) @ p["W_o"] + p["b_o"]

    def in_torch(x: Any, seen: Any, **p: Any) -> Any:
        mapped = torch.cat([p[f"W_{name}"].T for name in "qkv"]), torch.cat([p[f"b_{name}"] for name in "qkv"])
        attend = torch.nn.functional.multi_head_attention_forward
        turned = x.swapaxes(0, 1)  # (length, n, width)
        out, _ = attend(
            turned, turned, turned, x.shape[-1], heads, *mapped, None, None, add_zero_attn=False, dropout_p=0.0,
            out_proj_weight=p["W_o"].T, out_proj_bias=p["b_o"], attn_mask=~seen,
        )  # fmt: skip
        return out.swapaxes(0, 1)

    return Operation(lambda a, c: multi_head.forward(a, a["x"], heads, a["seen"], c), backward, in_jax, in_torch)


@over_shapes
@given(sizes, st.integers(1, 3), lengths, st.integers(1, 3))
def test_multi_head_attention_is_derived_as_machines_do(n: int, heads: int, length: int, part: int) -> None:
    width = heads * part
    maps = {f"{kind}_{name}": shape for name in "qkvo" for kind, shape in (("W", (width, width)), ("b", (width,)))}
    hold(many_heads(heads), x=(n, length, width), seen=attention.causal(length, np.zeros(1)), **maps)


def test_causal_attention_is_that_of_pytorch() -> None:
    q, k, v = np.random.default_rng(0).normal(size=(3, 2, 3, 5, 4))
    tensors = (torch.from_numpy(q), torch.from_numpy(k), torch.from_numpy(v))
    expected = torch.nn.functional.scaled_dot_product_attention(*tensors, is_causal=True)
    np.testing.assert_allclose(
        attention.forward(attention.causal(5, q), {"q": q, "k": k, "v": v}), expected, rtol=1e-10
    )


def test_a_query_that_sees_nothing_has_output_zero_and_sends_nothing_back() -> None:
    q, k, v, upstream = np.random.default_rng(0).normal(size=(4, 3, 4))
    seen = np.array([[True, True, False], [False, False, False], [False, True, True]])
    c, d = {"q": q, "k": k, "v": v}, {"out": upstream}
    assert not attention.forward(seen, c)[1].any()
    attention.backward(c, d)
    assert not d["q"][1].any()
    assert np.isfinite(d["k"]).all()


def test_a_score_that_is_not_seen_may_be_huge() -> None:
    scores, seen = np.array([[0.0, 1e300], [1e4, -1e4]]), np.array([[True, False], [True, True]])
    np.testing.assert_array_equal(attention.softmax_of_seen(scores, seen), [[1.0, 0.0], [1.0, 0.0]])
