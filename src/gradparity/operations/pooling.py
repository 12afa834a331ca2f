"""Pooling of images (n, channels, height, width): the largest pixel of each window, or the mean.

Convention: where pixels tie for the largest, the first of them, row by row, receives the gradient. There is no padding.
"""

from typing import Literal

from gradparity.operations.rules import GradientRule, d

Kind = Literal["max", "average"]


def flops(n: int, channels: int, windows: int, places: int) -> int:
    """Per pixel of a window one operation forward and two backward."""
    return 3 * n * channels * windows * places


def windows(x: str) -> str:
    """The pixels that each window holds, along an axis of their own."""
    return rf"\operatorname{{windows}}({x})"


def value(kind: Kind, w: str) -> str:
    """The maximum or the mean of each window."""
    return rf"\max_k {w}_k" if kind == "max" else rf"\frac{{1}}{{m}} \sum_k {w}_k"


def of_windows(kind: Kind, w: str, out: str) -> GradientRule:
    """dP where the largest stands, or dP / m everywhere."""
    if kind == "max":
        return GradientRule(
            rf"{d(out)} \odot [k = \operatorname{{argmax}} {w}]",
            "Only the largest pixel of a window decides the maximum: it receives the whole gradient.",
        )
    return GradientRule(rf"\frac{{1}}{{m}} {d(out)}", "Every pixel of a window has the same share of its mean.")


def of_input(w: str) -> GradientRule:
    """Every window's share, put back where the window stands."""
    return GradientRule(
        rf"\textstyle\sum_{{u,v}} \operatorname{{place}}_{{uv}}({d(w)})",
        "What a window's pixels receive goes back to where they stand; a pixel of several windows gets a sum.",
    )
