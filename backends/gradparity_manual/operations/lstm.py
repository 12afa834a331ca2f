"""The long short-term memory over time: a cell that gates i, f and o write, keep and read.

Sources: F. Gers, J. Schmidhuber, F. Cummins, Learning to Forget (2000), section 3; K. Greff et al., LSTM: A Search
Space Odyssey (2015), arXiv:1503.04069, section II, without peepholes, for the backward pass; what is written, g, is
their z, and the state h their y.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.operations.lstm import columns
from gradparity.operations.rnn import BIASES, Biases
from gradparity.protocol import Array
from gradparity_manual.operations import namespace
from gradparity_manual.operations.entrywise import sigmoid


def forward(
    p: Any,
    x: Inexact[Array, "n length inputs"],
    start: tuple[Inexact[Array, "n hidden"], Inexact[Array, "n hidden"]],
    c: Any,
    order: str = "ifgo",
    biases: Biases = "one",
) -> Inexact[Array, "n length hidden"]:
    """Step through time from ``start``, a state and a cell; return the states of all times."""
    xp = namespace(p["W_h"])
    h, cell = start
    at = columns(order, h.shape[1])
    for t in range(x.shape[1]):
        if biases == "one":
            c["z", t] = x[:, t] @ p["W_x"] + h @ p["W_h"] + p["b"]  # (n, 4·hidden)
        else:
            c["z", t] = x[:, t] @ p["W_x"] + p["b_x"] + h @ p["W_h"] + p["b_h"]  # (n, 4·hidden)
        c["i", t] = sigmoid(c["z", t][:, at["i"]])  # (n, hidden)
        c["f", t] = sigmoid(c["z", t][:, at["f"]])  # (n, hidden)
        c["g", t] = xp.tanh(c["z", t][:, at["g"]])  # (n, hidden)
        c["o", t] = sigmoid(c["z", t][:, at["o"]])  # (n, hidden)
        c["cell", t] = c["f", t] * cell + c["i", t] * c["g", t]  # (n, hidden)
        c["h", t] = c["o", t] * xp.tanh(c["cell", t])  # (n, hidden)
        h, cell = c["h", t], c["cell", t]
    c["out"] = xp.stack([c["h", t] for t in range(x.shape[1])], axis=1)  # (n, length, hidden)
    return c["out"]


def backward(
    p: Any,
    x: Float[Array, "n length inputs"],
    start: tuple[Float[Array, "n hidden"], Float[Array, "n hidden"]],
    c: Any,
    d: Any,
    order: str = "ifgo",
    biases: Biases = "one",
) -> tuple[Float[Array, "n hidden"], Float[Array, "n hidden"]]:
    """Step back through time, for state and cell go into their own time's output and into the next step.

    Returns what the two of ``start`` receive.
    """
    xp = namespace(p["W_h"])
    for t in reversed(range(x.shape[1])):
        h_before, cell_before = (c["h", t - 1], c["cell", t - 1]) if t > 0 else start
        i, f, g, o = c["i", t], c["f", t], c["g", t], c["o", t]
        read = xp.tanh(c["cell", t])  # (n, hidden)
        d.add(("h", t), d["out"][:, t])  # (n, hidden)
        d.add(("cell", t), d["h", t] * o * (1 - read**2))  # (n, hidden)
        d["i", t] = d["cell", t] * g  # (n, hidden)
        d["f", t] = d["cell", t] * cell_before  # (n, hidden)
        d["g", t] = d["cell", t] * i  # (n, hidden)
        d["o", t] = d["h", t] * read  # (n, hidden)
        through = {
            "i": d["i", t] * i * (1 - i),
            "f": d["f", t] * f * (1 - f),
            "g": d["g", t] * (1 - g**2),
            "o": d["o", t] * o * (1 - o),
        }
        d["z", t] = xp.concat([through[gate] for gate in order], axis=1)  # (n, 4·hidden)
        d.add("W_x", x[:, t].T @ d["z", t])  # (inputs, 4·hidden)
        d.add("W_h", h_before.T @ d["z", t])  # (hidden, 4·hidden)
        for bias in BIASES[biases]:
            d.add(bias, d["z", t].sum(axis=0))  # (4·hidden,)
        to_h, to_cell = d["z", t] @ p["W_h"].T, d["cell", t] * f  # (n, hidden) each
        if t > 0:
            d.add(("h", t - 1), to_h)
            d.add(("cell", t - 1), to_cell)
    return to_h, to_cell


def share_of_input(p: Any, length: int, d: Any) -> Float[Array, "n length inputs"]:
    """Return what x receives."""
    shares = [d["z", t] @ p["W_x"].T for t in range(length)]  # (n, inputs) each
    return namespace(shares[0]).stack(shares, axis=1)  # (n, length, inputs)
