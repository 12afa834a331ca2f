"""The plain recurrent cell over time: hₜ = tanh(xₜWₓ + hₜ₋₁Wₕ + b), and backpropagation through time.

Source: I. Goodfellow, Y. Bengio, A. Courville, Deep Learning (2016), section 10.2.2, equations 10.8 to 10.28.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.operations.rnn import BIASES, Biases
from gradparity.protocol import Array
from gradparity_manual.operations import namespace


def forward(
    p: Any, x: Inexact[Array, "n length inputs"], start: Inexact[Array, "n hidden"], c: Any, biases: Biases = "one"
) -> Inexact[Array, "n length hidden"]:
    """Step through time from the state ``start``; return the states of all times."""
    xp = namespace(p["W_h"])
    h = start
    for t in range(x.shape[1]):
        if biases == "one":
            c["z", t] = x[:, t] @ p["W_x"] + h @ p["W_h"] + p["b"]  # (n, hidden)
        else:
            c["z", t] = x[:, t] @ p["W_x"] + p["b_x"] + h @ p["W_h"] + p["b_h"]  # (n, hidden)
        c["h", t] = xp.tanh(c["z", t])  # (n, hidden)
        h = c["h", t]
    c["out"] = xp.stack([c["h", t] for t in range(x.shape[1])], axis=1)  # (n, length, hidden)
    return c["out"]


def backward(
    p: Any, x: Float[Array, "n length inputs"], start: Float[Array, "n hidden"], c: Any, d: Any, biases: Biases = "one"
) -> Float[Array, "n hidden"]:
    """Step back through time, for a state goes into its own time's output and into the next step.

    Returns what ``start`` receives.
    """
    for t in reversed(range(x.shape[1])):
        before = c["h", t - 1] if t > 0 else start
        d.add(("h", t), d["out"][:, t])  # (n, hidden)
        d["z", t] = d["h", t] * (1 - c["h", t] ** 2)  # (n, hidden)
        d.add("W_x", x[:, t].T @ d["z", t])  # (inputs, hidden)
        d.add("W_h", before.T @ d["z", t])  # (hidden, hidden)
        for bias in BIASES[biases]:
            d.add(bias, d["z", t].sum(axis=0))  # (hidden,)
        to_before = d["z", t] @ p["W_h"].T  # (n, hidden)
        if t > 0:
            d.add(("h", t - 1), to_before)
    return to_before


def share_of_input(p: Any, length: int, d: Any) -> Float[Array, "n length inputs"]:
    """Return what x receives."""
    shares = [d["z", t] @ p["W_x"].T for t in range(length)]  # (n, inputs) each
    return namespace(shares[0]).stack(shares, axis=1)  # (n, length, inputs)
