"""Logarithmic axes that can be read: ticks at 1, 2, 5, and labels with units."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

MOST_TICKS = 7


def logarithmic(axis: Axis, low: float, high: float, text: Callable[[float], str]) -> None:
    """Set ticks between low and high, each with its text: 1, 2, 5, 10 … or, where those are many, powers of ten."""
    named(axis, _ticks(low, high), text)


def named(axis: Axis, ticks: Sequence[int | float], text: Callable[[float], str]) -> None:
    """Set these ticks and no others, each with its text."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))


def _ticks(low: float, high: float) -> list[float]:
    for digits, every in (((1, 2, 5), 1), ((1,), 1), ((1,), 2), ((1,), 3)):
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1, every)
        found = [digit * 10.0**decade for decade in decades for digit in digits]
        inside = [tick for tick in found if low <= tick <= high]
        if len(inside) <= MOST_TICKS:
            return inside
    return inside
