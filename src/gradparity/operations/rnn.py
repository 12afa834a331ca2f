"""The plain recurrent cell over time, on x (n, length, inputs): hₜ = tanh(xₜWₓ + hₜ₋₁Wₕ + b), one state for each time.

Conventions: one bias b, or two, b_x and b_h, as in PyTorch, which receive the same gradient. What the loop writes holds
all times, z and h (length, n, hidden); the gradient of h is the whole one: of its own time's output, and of the next
step.
"""

from typing import Literal

from gradparity.operations.rules import GradientRule, d, line
from gradparity.protocol import Line

Biases = Literal["one", "two"]
BIASES: dict[str, tuple[str, ...]] = {"one": ("b",), "two": ("b_x", "b_h")}


def shapes(inputs: int, hidden: int, biases: Biases = "one") -> dict[str, tuple[int, ...]]:
    """W_x (inputs, hidden), W_h (hidden, hidden), b (hidden,), or b_x and b_h."""
    return {"W_x": (inputs, hidden), "W_h": (hidden, hidden), **dict.fromkeys(BIASES[biases], (hidden,))}


def flops(n: int, length: int, inputs: int, hidden: int) -> int:
    """In every step three products with each matrix, and some 6 operations a unit."""
    return n * length * (6 * (inputs + hidden) * hidden + 6 * hidden)


def lines(x: str, of_states: GradientRule, biases: Biases = "one") -> tuple[Line, ...]:
    """The parameters, z and h of every time, then the states, whose rule is that of the operation that reads them."""
    of_z = GradientRule(
        rf"{d('H_t')} \odot (1 - H_t^2)",
        "The activation acts entry by entry (tanh), so its local derivative multiplies entry by entry.",
    )
    return (
        line("W_x", "W_x", of_input_weights(x, "Z_t")),
        line("W_h", "W_h", of_state_weights("Z_t")),
        *(line(name, name, of_bias("Z_t")) for name in BIASES[biases]),
        line("z", "Z_t", of_z, " + ".join([f"{x}_t W_x", "H_{t-1} W_h", *BIASES[biases]])),
        line("h", "H_t", of_state(rf"{d('Z_{t+1}')} W_h^\top"), r"\tanh(Z_t)"),
        states(of_states),
    )


def of_input_weights(x: str, z: str) -> GradientRule:
    """Σₜ Xₜᵀ dZₜ."""
    return GradientRule(
        rf"\textstyle\sum_t {x}_t^\top {d(z)}",
        "The same weights act in every step, so the products of input and upstream gradient are summed over time.",
    )


def of_state_weights(z: str, state: str = "H_{t-1}") -> GradientRule:
    """Σₜ Hₜ₋₁ᵀ dZₜ."""
    return GradientRule(
        rf"\textstyle\sum_t {state}^\top {d(z)}",
        "The same weights act in every step, on the state before it, so their shares are summed over time.",
    )


def of_bias(z: str) -> GradientRule:
    """Σₜ Σᵢ dZₜᵢ."""
    return GradientRule(
        rf"\textstyle\sum_t \sum_i {d(z)}_i",
        "The bias is added in every step to every example, so its gradient is the sum over time and over the batch.",
    )


def of_state(through_next: str) -> GradientRule:
    """dSₜ, and what comes back through step t + 1, which the last time has not."""
    return GradientRule(
        rf"{d('S_t')} + {through_next}",
        "A state is the output of its own time and goes into the next step, so its gradient is the sum of both shares.",
    )


def states(rule: GradientRule) -> Line:
    """The states of all times, as one array (n, length, hidden)."""
    return line("states", "S", rule, r"(H_1, \ldots, H_T)")
