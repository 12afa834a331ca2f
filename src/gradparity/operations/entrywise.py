"""Functions φ that act on each entry alone, with their local derivatives φ'(z), written with z or with a = φ(z).

Conventions: ReLU'(0) = 0; the leaky ReLU falls with a slope that is a setting, also at 0. GELU is zΦ(z),
where Φ is the normal distribution, or the approximation of it by tanh (D. Hendrycks and K. Gimpel 2016,
arXiv:1606.08415).
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Inexact

from gradparity.operations.rules import Expressions, GradientRule, d

Name = Literal["relu", "leaky_relu", "tanh", "sigmoid", "silu", "gelu", "gelu_tanh", "identity"]

LEAK = 0.01
"""The slope of the leaky ReLU below 0, unless another is set: A. Maas, A. Hannun and A. Ng (2013), section 2."""
CUBIC = 0.044715
"""What z³ is multiplied with in the approximate GELU."""


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


def _sigmoid(z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.asarray((1 + np.tanh(z / 2)) / 2)


def erf(x: Inexact[np.ndarray | np.generic, "..."]) -> Inexact[np.ndarray, "..."]:
    """2/√π ∫ e^(−t²) dt from 0 to x: scipy's, which is quick and takes complex numbers, or else Python's own."""
    try:
        # A timed worker imports this file, and pays for what it does not use.
        from scipy.special import erf as quick
    except ImportError:
        return np.asarray(np.vectorize(math.erf, otypes=[x.dtype])(x))
    return np.asarray(quick(x))


def _normal(z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Φ(z): the probability that a standard normal number is below z."""
    return np.asarray((1 + erf(z / np.sqrt(2))) / 2)


def _approximate(z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """T(z): what the approximate GELU has in place of 2Φ(z) − 1."""
    return np.asarray(np.tanh(np.sqrt(2 / np.pi) * (z + CUBIC * z**3)))


def _approximate_gelu_derivative(z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    t = _approximate(z)
    return np.asarray((1 + t + z * (1 - t**2) * np.sqrt(2 / np.pi) * (1 + 3 * CUBIC * z**2)) / 2)


_T = rf"T = \tanh\left(\sqrt{{{{2/\pi}}}}\,({{z}} + {CUBIC}\,{{z}}^3)\right)"
FUNCTIONS: dict[str, Entrywise] = {
    "tanh": Entrywise(r"\tanh({z})", r" \odot (1 - {a}^2)", "tanh({0})", np.tanh, "1 - {0}**2", lambda a: 1 - a**2),
    "sigmoid": Entrywise(
        r"\frac{{1}}{{1 + e^{{-{z}}}}}",
        r" \odot {a} \odot (1 - {a})",
        "sigmoid({0})",
        _sigmoid,
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
    "leaky_relu": Entrywise(
        r"{z} \odot \left([{z} > 0] + {leak}\,[{z} \le 0]\right)",
        r" \odot \left([{z} > 0] + {leak}\,[{z} \le 0]\right)",
        f"maximum({{0}}, {LEAK} * {{0}})",
        lambda z: np.maximum(z, LEAK * z),
        f"where({{0}} > 0, 1, {LEAK})",
        lambda z: np.where(z > 0, 1, LEAK),
        kink="relu",
    ),
    "silu": Entrywise(
        r"{z} \odot \sigma({z})",
        r" \odot \sigma({z}) \odot (1 + {z} \odot (1 - \sigma({z})))",
        "silu({0})",
        lambda z: z * _sigmoid(z),
        "sigmoid({0}) * (1 + {0} * (1 - sigmoid({0})))",
        lambda z: _sigmoid(z) * (1 + z * (1 - _sigmoid(z))),
    ),
    "gelu": Entrywise(
        r"{z} \odot \Phi({z})",
        r" \odot \left(\Phi({z}) + {z} \odot \tfrac{{1}}{{\sqrt{{2\pi}}}} e^{{-{z}^2/2}}\right)",
        "gelu({0})",
        lambda z: z * _normal(z),
        "(Phi({0}) + {0} * Phi'({0}))",
        lambda z: _normal(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi),
    ),
    "gelu_tanh": Entrywise(
        rf"\tfrac{{{{1}}}}{{{{2}}}} {{z}} \odot (1 + T), \quad {_T}",
        rf" \odot \tfrac{{{{1}}}}{{{{2}}}} \left(1 + T + {{z}} \odot (1 - T^2) \sqrt{{{{2/\pi}}}}\,"
        rf"(1 + {3 * CUBIC:g}\,{{z}}^2)\right)",
        "gelu_tanh({0})",
        lambda z: z * (1 + _approximate(z)) / 2,
        "gelu_tanh'({0})",
        _approximate_gelu_derivative,
    ),
    "identity": Entrywise("{z}", ""),
}

_CODED = [function for function in FUNCTIONS.values() if function.code]
EXPRESSIONS: Expressions = {
    **{function.derivative_code: function.derivative for function in _CODED},
    "1 - {0}": lambda a: 1 - a,
    "1 - sigmoid({0})": lambda a: 1 - FUNCTIONS["sigmoid"].value(a),
    "{0}**2": lambda a: a**2,
    **{function.code: function.value for function in _CODED},
}
"""The local derivatives and what they are made of, then the functions: a diagnosis tries them in this order."""


def flops(n: int, width: int) -> int:
    """Per entry the function and its derivative, and the bias of an affine map before it, forward and back."""
    return 4 * n * width


def kinks(functions: Mapping[str, str]) -> dict[str, Literal["relu"]]:
    """Return the kind of kink of each line, from line -> the function that is applied to it."""
    return {line: kink for line, name in functions.items() if (kink := FUNCTIONS[name].kink)}


def value(name: str, z: str, leak: float = LEAK) -> str:
    """φ(Z)."""
    return FUNCTIONS[name].latex.format(z=z, leak=f"{leak:g}")


def of_input(name: str, z: str, a: str, leak: float = LEAK) -> GradientRule:
    """dA ⊙ φ'(Z)."""
    return GradientRule(
        d(a) + FUNCTIONS[name].derivative_latex.format(z=z, a=a, leak=f"{leak:g}"),
        f"The activation acts entry by entry ({name}), so its local derivative multiplies entry by entry.",
    )
