"""The long short-term memory over time, on x (n, length, inputs): a cell that gates i, f and o write, keep and read.

Conventions: one bias b, or two, b_x and b_h, as in PyTorch, which receive the same gradient; the gates' columns in W_x
(inputs, 4·hidden), W_h (hidden, 4·hidden) and b (4·hidden,) stand in an order of four letters: "ifgo" is that of
PyTorch, JAX's Flax and Keras (where g is called c), "igfo" that of TensorFlow's BasicLSTMCell, "ifog" that of many
course notes. No peepholes. What the loop writes holds all times: z (length, n, 4·hidden), i, f, g, o, cell and h
(length, n, hidden).
"""

from itertools import permutations

from gradparity.operations.rnn import BIASES, Biases, of_bias, of_input_weights, of_state, of_state_weights, states
from gradparity.operations.rules import GradientRule, d, line
from gradparity.protocol import Line

ORDERS = tuple("".join(order) for order in permutations("ifgo"))


def columns(order: str, hidden: int) -> dict[str, slice]:
    """Return the columns of each gate in z, from the order of their letters."""
    return {gate: slice(k * hidden, (k + 1) * hidden) for k, gate in enumerate(order)}


def shapes(inputs: int, hidden: int, biases: Biases = "one") -> dict[str, tuple[int, ...]]:
    """W_x (inputs, 4·hidden), W_h (hidden, 4·hidden), b (4·hidden,), or b_x and b_h."""
    return {"W_x": (inputs, 4 * hidden), "W_h": (hidden, 4 * hidden), **dict.fromkeys(BIASES[biases], (4 * hidden,))}


def flops(n: int, length: int, inputs: int, hidden: int) -> int:
    """In every step three products with each matrix, and some 40 operations a unit."""
    return n * length * (24 * (inputs + hidden) * hidden + 40 * hidden)


def lines(x: str, of_states: GradientRule, order: str, biases: Biases = "one") -> tuple[Line, ...]:
    """The parameters, what every time writes, then the states, whose rule is that of the operation that reads them."""
    local = {gate: f"{d(gate.upper() + '_t')} \\odot {slope}" for gate, slope in _SLOPES.items()}
    of_z = GradientRule(
        "(" + r",\; ".join(local[gate] for gate in order) + ")",
        "Each gate acts entry by entry on columns of its own, so its local derivative multiplies entry by entry there.",
    )
    of_cell = GradientRule(
        rf"{d('H_t')} \odot O_t \odot (1 - \tanh^2 C_t) + {d('C_{t+1}')} \odot F_{{t+1}}",
        "A cell is read by its own time's output gate and is kept by the next forget gate: both shares are summed.",
    )
    return (
        line("W_x", "W_x", of_input_weights(x, "Z_t")),
        line("W_h", "W_h", of_state_weights("Z_t")),
        *(line(name, name, of_bias("Z_t")) for name in BIASES[biases]),
        line("z", "Z_t", of_z, " + ".join([f"{x}_t W_x", "H_{t-1} W_h", *BIASES[biases]])),
        line("i", "I_t", _factor("C_t", "G_t", "The input gate multiplies what is written"), r"\sigma(Z_t^i)"),
        line("f", "F_t", _factor("C_t", "C_{t-1}", "The forget gate multiplies the cell before"), r"\sigma(Z_t^f)"),
        line("g", "G_t", _factor("C_t", "I_t", "What is written is multiplied by the input gate"), r"\tanh(Z_t^g)"),
        line("o", "O_t", _factor("H_t", r"\tanh C_t", "The output gate multiplies what is read"), r"\sigma(Z_t^o)"),
        line("cell", "C_t", of_cell, r"F_t \odot C_{t-1} + I_t \odot G_t"),
        line("h", "H_t", of_state(rf"{d('Z_{t+1}')} W_h^\top"), r"O_t \odot \tanh C_t"),
        states(of_states),
    )


_SLOPES = {
    "i": "I_t (1 - I_t)",
    "f": "F_t (1 - F_t)",
    "g": "(1 - G_t^2)",
    "o": "O_t (1 - O_t)",
}


def _factor(out: str, other: str, why: str) -> GradientRule:
    """One factor of a product receives the upstream gradient times the other factor."""
    return GradientRule(
        rf"{d(out)} \odot {other}", f"{why} entry by entry, so it receives the upstream gradient times that."
    )
