"""The pieces of a derivation's lines: LaTeX of symbols, entries and products, and a line from its two halves."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from gradparity.protocol import Line

Expressions: TypeAlias = Mapping[str, Callable[[Float[np.ndarray, "..."]], Float[np.ndarray, "..."]]]
"""Code with {0} for the operand -> what it computes."""


class GradientRule(NamedTuple):
    """What the loss's gradient with respect to a name is, by the operation that reads the name."""

    gradient: str
    """LaTeX."""
    why: str
    """One sentence."""


SEED = GradientRule("1", "Every backward pass starts from ∂L/∂L = 1.")
"""The gradient of the loss with respect to itself."""


def term(total: str) -> GradientRule:
    """Return the rule of one term of a sum."""
    return GradientRule(
        d(total), "The total loss is the sum of its terms, so each receives the upstream gradient unchanged."
    )


def both(one: GradientRule, other: GradientRule) -> GradientRule:
    """Return the rule of a name that two operations read: its gradient is the sum of the shares."""
    return GradientRule(f"{one.gradient} + {other.gradient}", f"{one.why} {other.why}")


def line(name: str, symbol: str, rule: GradientRule, value: str = "") -> Line:
    """Return the line of a name that formulas write as ``symbol``; a parameter has no value of its own."""
    return Line(name, f"{symbol} = {value}" if value else "", f"{d(symbol)} = {rule.gradient}", rule.why)


def total(name: str, data_loss: str, penalty: str) -> tuple[Line, ...]:
    """Return the line of the loss; with a penalty, after the lines of its two terms, the first called ``name``."""
    if not penalty:
        return (line("loss", "L", SEED, data_loss),)
    return (
        line(name, "E", term("L"), data_loss),
        line("penalty", "R", term("L"), penalty),
        line("loss", "L", SEED, "E + R"),
    )


def d(symbol: str) -> str:
    """The loss's gradient with respect to a symbol: dZ."""
    return rf"\mathrm{{d}}{symbol}"


def entry(symbol: str, index: str) -> str:
    """An entry of an array: Z_{ik}, and (A_1)_{ik} where the symbol has an index of its own."""
    whole = f"({symbol})" if "_" in symbol else symbol
    return f"{whole}_{index}" if len(index) == 1 else f"{whole}_{{{index}}}"


def product(left: str, right: str) -> str:
    """XW; and X W_1, with a space, where a symbol is longer than a letter."""
    return left + ("" if len(left) == len(right) == 1 else " ") + right
