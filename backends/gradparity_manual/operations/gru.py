"""The gated recurrent unit over time: gate u says how much of the state is kept, gate r how much the new one sees.

Sources: K. Cho et al. (2014), arXiv:1406.1078, equations 5 to 8, where r gates the state before its product with the
weights; cuDNN and PyTorch gate the product instead, and it has a bias of its own.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.operations.gru import GateConvention
from gradparity.operations.lstm import columns
from gradparity.protocol import Array
from gradparity_manual.operations import namespace
from gradparity_manual.operations.entrywise import sigmoid

USUAL = GateConvention()


def forward(
    p: Any,
    x: Inexact[Array, "n length inputs"],
    start: Inexact[Array, "n hidden"],
    c: Any,
    convention: GateConvention = USUAL,
) -> Inexact[Array, "n length hidden"]:
    """Step through time from the state ``start``; return the states of all times."""
    xp = namespace(p["W_h"])
    hidden = start.shape[1]
    of_x, of_h = columns(convention.gates, hidden), columns(convention.gates_of_state, hidden)
    h = start
    for t in range(x.shape[1]):
        c["from_x", t] = x[:, t] @ p["W_x"] + p["b_x"]  # (n, 3·hidden)
        if convention.reset_after:
            c["from_h", t] = h @ p["W_h"] + p["b_h"]  # (n, 3·hidden)
        else:
            c["from_h", t] = h @ p["W_h"]  # (n, 2·hidden)
        c["r", t] = sigmoid(c["from_x", t][:, of_x["r"]] + c["from_h", t][:, of_h["r"]])  # (n, hidden)
        c["u", t] = sigmoid(c["from_x", t][:, of_x["u"]] + c["from_h", t][:, of_h["u"]])  # (n, hidden)
        if convention.reset_after:
            c["candidate", t] = c["from_x", t][:, of_x["n"]] + c["r", t] * c["from_h", t][:, of_h["n"]]  # (n, hidden)
        else:
            c["gated", t] = c["r", t] * h  # (n, hidden)
            c["candidate", t] = c["from_x", t][:, of_x["n"]] + c["gated", t] @ p["W_n"]  # (n, hidden)
        c["n", t] = xp.tanh(c["candidate", t])  # (n, hidden)
        if convention.update_keeps:
            c["h", t] = c["u", t] * h + (1 - c["u", t]) * c["n", t]  # (n, hidden)
        else:
            c["h", t] = (1 - c["u", t]) * h + c["u", t] * c["n", t]  # (n, hidden)
        h = c["h", t]
    c["out"] = xp.stack([c["h", t] for t in range(x.shape[1])], axis=1)  # (n, length, hidden)
    return c["out"]


def backward(
    p: Any,
    x: Float[Array, "n length inputs"],
    start: Float[Array, "n hidden"],
    c: Any,
    d: Any,
    convention: GateConvention = USUAL,
) -> Float[Array, "n hidden"]:
    """Step back through time, for a state goes into its own time's output and, by every path, into the next step.

    Returns what ``start`` receives.
    """
    for t in reversed(range(x.shape[1])):
        before = c["h", t - 1] if t > 0 else start
        d.add(("h", t), d["out"][:, t])  # (n, hidden)
        kept = c["u", t] if convention.update_keeps else 1 - c["u", t]  # (n, hidden)
        difference = before - c["n", t] if convention.update_keeps else c["n", t] - before  # (n, hidden)
        d["u", t] = d["h", t] * difference  # (n, hidden)
        d["n", t] = d["h", t] * (1 - kept)  # (n, hidden)
        d["candidate", t] = d["n", t] * (1 - c["n", t] ** 2)  # (n, hidden)
        _through_the_reset(p, before, c, d, t, convention)
        _to_the_products(x, before, c, d, t, convention)
        to_before = d["h", t] * kept + d["from_h", t] @ p["W_h"].T  # (n, hidden)
        if not convention.reset_after:
            to_before = to_before + d["gated", t] * c["r", t]  # (n, hidden)
        if t > 0:
            d.add(("h", t - 1), to_before)
    return to_before


def share_of_input(p: Any, length: int, d: Any) -> Float[Array, "n length inputs"]:
    """Return what x receives."""
    shares = [d["from_x", t] @ p["W_x"].T for t in range(length)]  # (n, inputs) each
    return namespace(shares[0]).stack(shares, axis=1)  # (n, length, inputs)


def _through_the_reset(
    p: Any, before: Float[Array, "n hidden"], c: Any, d: Any, t: int, convention: GateConvention
) -> None:
    if convention.reset_after:
        of_h = columns(convention.gates_of_state, before.shape[1])
        d["r", t] = d["candidate", t] * c["from_h", t][:, of_h["n"]]  # (n, hidden)
    else:
        d.add("W_n", c["gated", t].T @ d["candidate", t])  # (hidden, hidden)
        d["gated", t] = d["candidate", t] @ p["W_n"].T  # (n, hidden)
        d["r", t] = d["gated", t] * before  # (n, hidden)


def _to_the_products(
    x: Float[Array, "n length inputs"],
    before: Float[Array, "n hidden"],
    c: Any,
    d: Any,
    t: int,
    convention: GateConvention,
) -> None:
    xp = namespace(before)
    r, u = c["r", t], c["u", t]
    into_x = {"r": d["r", t] * r * (1 - r), "u": d["u", t] * u * (1 - u), "n": d["candidate", t]}  # (n, hidden) each
    into_h = {**into_x, "n": d["candidate", t] * r}
    d["from_x", t] = xp.concat([into_x[gate] for gate in convention.gates], axis=1)  # (n, 3·hidden)
    d["from_h", t] = xp.concat([into_h[gate] for gate in convention.gates_of_state], axis=1)  # (n, 3 or 2·hidden)
    d.add("W_x", x[:, t].T @ d["from_x", t])  # (inputs, 3·hidden)
    d.add("b_x", d["from_x", t].sum(axis=0))  # (3·hidden,)
    d.add("W_h", before.T @ d["from_h", t])  # (hidden, 3 or 2·hidden)
    if convention.reset_after:
        d.add("b_h", d["from_h", t].sum(axis=0))  # (3·hidden,)
