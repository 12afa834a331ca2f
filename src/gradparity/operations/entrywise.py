"""Functions φ that act on each entry alone, with their local derivatives φ'(z), written with z or with a = φ(z).

Convention: ReLU'(0) = 0.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from gradparity.operations.rules import Expressions, GradientRule, d

Name = Literal["relu", "tanh", "sigmoid", "identity"]


class Entrywise(NamedTuple):
    """A function and its derivative, each as LaTeX and as code with what the code computes."""

    latex: str
    derivative_latex: str
    """The factors that the upstream gradient is multiplied with."""
    code: str = ""
    value: Callable[[Float[np.ndarray, "..."]], Float[np.ndarray, "..."]] = np.positive
    derivative_code: str = ""
    derivative: Callable[[Float[np.ndarray, "..."]], Float[np.ndarray, "..."]] = np.ones_like
    """Of that which the derivative is written with, z or a."""
    kink: Literal["relu"] | None = None
    """What kind of kink the function has, if any."""


FUNCTIONS: dict[str, Entrywise] = {
    "tanh": Entrywise(r"\tanh({z})", r" \odot (1 - {a}^2)", "tanh({0})", np.tanh, "1 - {0}**2", lambda a: 1 - a**2),
    "sigmoid": Entrywise(
        r"\frac{{1}}{{1 + e^{{-{z}}}}}",
        r" \odot {a} \odot (1 - {a})",
        "sigmoid({0})",
        lambda z: (1 + np.tanh(z / 2)) / 2,
        "{0} * (1 - {0})",
        lambda a: a * (1 - a),
    ),
    "relu": Entrywise(
        r"\max({z}, 0)",
        r" \odot [{z} > 0]",
        "maximum({0}, 0)",
        lambda z: np.maximum(z, 0.0),
        "({0} > 0)",
        lambda z: (z > 0).astype(np.float64),
        kink="relu",
    ),
    "identity": Entrywise("{z}", ""),
}

_CODED = [function for function in FUNCTIONS.values() if function.code]
EXPRESSIONS: Expressions = {
    **{function.derivative_code: function.derivative for function in _CODED},
    "1 - {0}": lambda a: 1 - a,
    "{0}**2": lambda a: a**2,
    **{function.code: function.value for function in _CODED},
}
"""The local derivatives and what they are made of, then the functions: a diagnosis tries them in this order."""


def flops(n: int, width: int) -> int:
    """Per entry the function and its derivative, and the bias of an affine map before it, forward and back."""
    return 4 * n * width


def kinks(functions: dict[str, str]) -> dict[str, Literal["relu"]]:
    """Return the kind of kink of each line, from line -> the function that is applied to it."""
    return {line: kink for line, name in functions.items() if (kink := FUNCTIONS[name].kink)}


def value(name: str, z: str) -> str:
    """φ(Z)."""
    return FUNCTIONS[name].latex.format(z=z)


def of_input(name: str, z: str, a: str) -> GradientRule:
    """dA ⊙ φ'(Z)."""
    return GradientRule(
        d(a) + FUNCTIONS[name].derivative_latex.format(z=z, a=a),
        f"The activation acts entry by entry ({name}), so its local derivative multiplies entry by entry.",
    )
