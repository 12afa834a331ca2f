"""Recurrent cells and their backpropagation through time, over shapes of any length and batch."""

from collections.abc import Callable
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.gradparity_manual.operations.machines import Named, Operation, hold, over_shapes, sizes

from gradparity import operations
from gradparity.operations.gru import GateConvention
from gradparity.protocol import Array
from gradparity_manual.operations import gru, lstm, rnn

lengths = st.integers(1, 4)
CONVENTIONS = [
    GateConvention(gates, *of) for gates, of in product(("run", "urn", "nur"), product([True, False], repeat=2))
]


def scanned(step: Callable[..., Any], start: Any, x: Array) -> Array:
    """Run a cell over time with jax.lax.scan; return its states (n, length, hidden)."""
    _, states = jax.lax.scan(step, start, x.swapaxes(0, 1))
    return states.swapaxes(0, 1)


def backward_rnn(a: Named, c: Any, d: Any) -> None:
    d["start"] = rnn.backward(a, a["x"], a["start"], c, d)
    d["x"] = rnn.share_of_input(a, a["x"].shape[1], d)


def jax_rnn(x: Array, start: Array, W_x: Array, W_h: Array, b: Array) -> Array:
    def step(h: Array, x_t: Array) -> tuple[Array, Array]:
        h = jnp.tanh(x_t @ W_x + h @ W_h + b)
        return h, h

    return scanned(step, start, x)


def torch_rnn(x: Array, start: Array, W_x: Array, W_h: Array, b: Array) -> Array:
    weights = [W_x.T, W_h.T, b, torch.zeros_like(b)]
    return torch.rnn_tanh(x, start[None], weights, True, 1, 0.0, False, False, True)[0]


@over_shapes
@given(sizes, lengths, sizes, sizes)
def test_the_plain_cell_is_derived_as_machines_do(n: int, length: int, inputs: int, hidden: int) -> None:
    cell = Operation(lambda a, c: rnn.forward(a, a["x"], a["start"], c), backward_rnn, jax_rnn, torch_rnn)
    hold(cell, x=(n, length, inputs), start=(n, hidden), **operations.rnn.shapes(inputs, hidden))


def lstm_of(order: str) -> Operation:
    def backward(a: Named, c: Any, d: Any) -> None:
        d["start"], d["cell_start"] = lstm.backward(a, a["x"], (a["start"], a["cell_start"]), c, d, order)
        d["x"] = lstm.share_of_input(a, a["x"].shape[1], d)

    def by_jax(x: Array, start: Array, cell_start: Array, W_x: Array, W_h: Array, b: Array) -> Array:
        def step(carry: tuple[Array, Array], x_t: Array) -> tuple[tuple[Array, Array], Array]:
            h, cell = carry
            gates = jnp.split(x_t @ W_x + h @ W_h + b, 4, axis=-1)
            i, f, g, o = (gates[order.index(gate)] for gate in "ifgo")
            cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(cell)
            return (h, cell), h

        return scanned(step, (start, cell_start), x)

    def by_torch(x: Array, start: Array, cell_start: Array, W_x: Array, W_h: Array, b: Array) -> Array:
        def own_order(a: Array) -> Array:
            return torch.cat([a.chunk(4, dim=-1)[order.index(gate)] for gate in "ifgo"], dim=-1)

        W_x, W_h, b = own_order(W_x), own_order(W_h), own_order(b)
        weights = [W_x.T, W_h.T, b, torch.zeros_like(b)]
        return torch.lstm(x, [start[None], cell_start[None]], weights, True, 1, 0.0, False, False, True)[0]

    return Operation(
        lambda a, c: lstm.forward(a, a["x"], (a["start"], a["cell_start"]), c, order), backward, by_jax, by_torch
    )


@over_shapes
@given(sizes, lengths, sizes, sizes, st.sampled_from(operations.lstm.ORDERS))
def test_the_lstm_is_derived_as_machines_do(n: int, length: int, inputs: int, hidden: int, order: str) -> None:
    starts = {"start": (n, hidden), "cell_start": (n, hidden)}
    hold(lstm_of(order), x=(n, length, inputs), **starts, **operations.lstm.shapes(inputs, hidden))


def gru_of(convention: GateConvention) -> Operation:
    def backward(a: Named, c: Any, d: Any) -> None:
        d["start"] = gru.backward(a, a["x"], a["start"], c, d, convention)
        d["x"] = gru.share_of_input(a, a["x"].shape[1], d)

    def next_state(h: Array, x_t: Array, p: Named, sigmoid: Any, tanh: Any) -> Array:
        of_x = in_columns(convention.gates, x_t @ p["W_x"] + p["b_x"])
        of_h = in_columns(convention.gates_of_state, h @ p["W_h"] + p.get("b_h", 0))
        r, u = sigmoid(of_x["r"] + of_h["r"]), sigmoid(of_x["u"] + of_h["u"])
        n = tanh(of_x["n"] + (r * of_h["n"] if convention.reset_after else (r * h) @ p["W_n"]))
        return u * h + (1 - u) * n if convention.update_keeps else (1 - u) * h + u * n

    def in_columns(gates: str, a: Array) -> Named:
        width = a.shape[1] // len(gates)
        return {gate: a[:, k * width : (k + 1) * width] for k, gate in enumerate(gates)}

    def by_jax(x: Array, start: Array, **p: Array) -> Array:
        def step(h: Array, x_t: Array) -> tuple[Array, Array]:
            h = next_state(h, x_t, p, jax.nn.sigmoid, jnp.tanh)
            return h, h

        return scanned(step, start, x)

    def by_torch(x: Array, start: Array, **p: Array) -> Array:
        states, h = [], start
        for x_t in x.unbind(1):
            h = next_state(h, x_t, p, torch.sigmoid, torch.tanh)
            states.append(h)
        return torch.stack(states, dim=1)

    return Operation(lambda a, c: gru.forward(a, a["x"], a["start"], c, convention), backward, by_jax, by_torch)


@over_shapes
@given(sizes, lengths, sizes, sizes, st.sampled_from(CONVENTIONS))
def test_the_gru_is_derived_as_machines_do(
    n: int, length: int, inputs: int, hidden: int, convention: GateConvention
) -> None:
    shapes = operations.gru.shapes(inputs, hidden, convention)
    hold(gru_of(convention), x=(n, length, inputs), start=(n, hidden), **shapes)


def test_the_usual_gru_is_that_of_pytorch() -> None:
    rng = np.random.default_rng(0)
    shapes = {"x": (3, 4, 2), "start": (3, 5), **operations.gru.shapes(2, 5, GateConvention())}
    a = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    t = {name: torch.from_numpy(each) for name, each in a.items()}
    weights = [t["W_x"].T, t["W_h"].T, t["b_x"], t["b_h"]]
    expected, _ = torch.gru(t["x"], t["start"][None], weights, True, 1, 0.0, False, False, True)
    np.testing.assert_allclose(gru.forward(a, a["x"], a["start"], {}), expected, rtol=1e-12)
