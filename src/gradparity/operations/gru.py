"""The gated recurrent unit over time, on x (n, length, inputs): gate u keeps the state, gate r shows it to the new one.

The world has more than one convention: ``GateConvention`` says which is meant. What the loop writes holds all times:
r, u, candidate, n and h (length, n, hidden), from_x and from_h, what comes from the input and from the state before.
"""

from itertools import permutations
from typing import NamedTuple

from gradparity.operations.rnn import of_bias, of_input_weights, of_state, of_state_weights, states
from gradparity.operations.rules import GradientRule, d, line
from gradparity.protocol import Line

ORDERS = tuple("".join(order) for order in permutations("run"))


class GateConvention(NamedTuple):
    """The default is PyTorch's and cuDNN's, which call the gate u z; Cho et al. (2014) have ``reset_after`` False."""

    gates: str = "run"
    """The order of the columns in W_x, W_h and the biases: "run" is PyTorch's, "urn" that of Keras."""
    reset_after: bool = True
    """Whether r multiplies the product hW_h + b_h; otherwise the state, before its product with W_n."""
    update_keeps: bool = True
    """Whether h' = u h + (1 − u) n; otherwise (1 − u) h + u n."""

    @property
    def gates_of_state(self) -> str:
        """The gates whose columns W_h has: where r acts before the product, the candidate has weights of its own."""
        return self.gates if self.reset_after else self.gates.replace("n", "")


def shapes(inputs: int, hidden: int, convention: GateConvention) -> dict[str, tuple[int, ...]]:
    """W_x (inputs, 3·hidden), b_x; W_h (hidden, 3·hidden), b_h, or W_h (hidden, 2·hidden), W_n (hidden, hidden)."""
    of_x = {"W_x": (inputs, 3 * hidden), "b_x": (3 * hidden,)}
    if convention.reset_after:
        return {**of_x, "W_h": (hidden, 3 * hidden), "b_h": (3 * hidden,)}
    return {**of_x, "W_h": (hidden, 2 * hidden), "W_n": (hidden, hidden)}


def flops(n: int, length: int, inputs: int, hidden: int) -> int:
    """In every step three products with each matrix, and some 35 operations a unit."""
    return n * length * (18 * (inputs + hidden) * hidden + 35 * hidden)


def lines(x: str, of_states: GradientRule, convention: GateConvention) -> tuple[Line, ...]:
    """The parameters, what every time writes, then the states, whose rule is that of the operation that reads them."""
    return (
        line("W_x", "W_x", of_input_weights(x, "A_t")),
        line("b_x", "b_x", of_bias("A_t")),
        line("from_x", "A_t", _of_products(convention.gates, d("M_t")), rf"{x}_t W_x + b_x"),
        line("W_h", "W_h", of_state_weights("B_t")),
        *_from_state(convention),
        line("r", "R_t", _of_reset(convention), r"\sigma(A_t^r + B_t^r)"),
        line("u", "U_t", _of_update(convention), r"\sigma(A_t^u + B_t^u)"),
        *_candidate(convention),
        line("n", "N_t", _of_new(convention), r"\tanh(M_t)"),
        line("h", "H_t", _of_state(convention), _next_state(convention)),
        states(of_states),
    )


def _from_state(convention: GateConvention) -> tuple[Line, ...]:
    of_products = _of_products(convention.gates_of_state, rf"{d('M_t')} \odot R_t")
    if not convention.reset_after:
        return (line("from_h", "B_t", of_products, "H_{t-1} W_h"),)
    return (
        line("b_h", "b_h", of_bias("B_t")),
        line("from_h", "B_t", of_products, "H_{t-1} W_h + b_h"),
    )


def _candidate(convention: GateConvention) -> tuple[Line, ...]:
    of_candidate = GradientRule(
        rf"{d('N_t')} \odot (1 - N_t^2)",
        "The activation acts entry by entry (tanh), so its local derivative multiplies entry by entry.",
    )
    if convention.reset_after:
        return (line("candidate", "M_t", of_candidate, r"A_t^n + R_t \odot B_t^n"),)
    of_gated = GradientRule(
        r"\mathrm{d}M_t W_n^\top", "The gated state feeds every unit of the candidate, through W transposed."
    )
    return (
        line("gated", "K_t", of_gated, r"R_t \odot H_{t-1}"),
        line("W_n", "W_n", of_state_weights("M_t", "K_t")),
        line("candidate", "M_t", of_candidate, "A_t^n + K_t W_n"),
    )


def _of_products(gates: str, new: str) -> GradientRule:
    into = {
        "r": rf"{d('R_t')} \odot R_t (1 - R_t)",
        "u": rf"{d('U_t')} \odot U_t (1 - U_t)",
        "n": new,
    }
    return GradientRule(
        "(" + r",\; ".join(into[gate] for gate in gates) + ")",
        "Each gate acts entry by entry on columns of its own, and the candidate hands on what it receives.",
    )


def _of_reset(convention: GateConvention) -> GradientRule:
    if convention.reset_after:
        return GradientRule(
            r"\mathrm{d}M_t \odot B_t^n",
            "The reset gate multiplies the state's product, and receives that as a factor.",
        )
    return GradientRule(
        rf"{d('K_t')} \odot H_{{t-1}}", "The reset gate multiplies the state, and receives that as a factor."
    )


def _of_update(convention: GateConvention) -> GradientRule:
    difference = r"(H_{t-1} - N_t)" if convention.update_keeps else r"(N_t - H_{t-1})"
    return GradientRule(
        rf"{d('H_t')} \odot {difference}",
        "The update gate moves between the state before and the new one, so it receives their difference as a factor.",
    )


def _of_new(convention: GateConvention) -> GradientRule:
    share = "(1 - U_t)" if convention.update_keeps else "U_t"
    return GradientRule(
        rf"{d('H_t')} \odot {share}", "The new state enters with the share that the update gate leaves it."
    )


def _next_state(convention: GateConvention) -> str:
    kept, new = ("U_t", "(1 - U_t)") if convention.update_keeps else ("(1 - U_t)", "U_t")
    return rf"{kept} \odot H_{{t-1}} + {new} \odot N_t"


def _of_state(convention: GateConvention) -> GradientRule:
    kept = "U_{t+1}" if convention.update_keeps else "(1 - U_{t+1})"
    through = rf"{d('H_{t+1}')} \odot {kept} + {d('B_{t+1}')} W_h^\top"
    return of_state(through if convention.reset_after else rf"{through} + {d('K_{t+1}')} \odot R_{{t+1}}")
