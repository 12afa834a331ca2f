"""Batch norm of x (n, channels, …): each channel's deviations from its mean over the batch, by their size.

A training step normalises with the batch's own mean and variance; prediction with running ones, which are statistics:
no gradient, updated by the step. Source: S. Ioffe, C. Szegedy, Batch Normalization (2015), arXiv:1502.03167, section 3.
What the world has more than one convention for is in ``layer_norm.NormConvention`` and ``Running``.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import NamedTuple

import numpy as np

from gradparity.errors import UsageError
from gradparity.operations import layer_norm
from gradparity.operations.layer_norm import NormConvention
from gradparity.operations.rules import GradientRule, d, line
from gradparity.protocol import Array, Line, Params

OBSERVED = ("mean", "variance", "out")
"""What the running statistics are made from; the last for its shape."""


class Running(NamedTuple):
    """How the running statistics follow. The default is PyTorch's; Keras and Flax take the variance as it is."""

    momentum: float = 0.1
    """The weight of the newest batch, not of what was there."""
    unbiased: bool = True
    """Whether the running variance is that of m − 1 degrees of freedom, whatever the batch is normalised with."""


def shapes(channels: int) -> dict[str, tuple[int, ...]]:
    """Gain (channels,), bias (channels,)."""
    return layer_norm.shapes(channels)


def statistics(channels: int) -> dict[str, np.ndarray]:
    """Mean 0 and variance 1, before training."""
    return {"mean": np.zeros(channels), "variance": np.ones(channels)}


def initial(channels: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Return the statistics before training of every batch norm, by its place, from the channels of each."""
    return {f"{at}.{name}": array for at, count in channels.items() for name, array in statistics(count).items()}


def update(old: Params, seen: Params, size: NormConvention, running: Running) -> dict[str, Array]:
    """Return the running mean and variance after a step that saw the values ``OBSERVED``."""
    count = prod(seen["out"].shape) // seen["out"].shape[1]
    factor = (count - size.unbiased) / (count - running.unbiased)
    keep, take = 1 - running.momentum, running.momentum
    return {
        "mean": keep * old["mean"] + take * seen["mean"],
        "variance": keep * old["variance"] + take * factor * seen["variance"],
    }


def updated(
    places: Iterable[str], old: Params, seen: Params, size: NormConvention, running: Running
) -> dict[str, Array]:
    """Return the running statistics of every batch norm after a step, by its place, from what the step observed."""

    def at(place: str, arrays: Params) -> dict[str, Array]:
        return {name: arrays[f"{place}.{name}"] for name in OBSERVED if f"{place}.{name}" in arrays}

    return {
        f"{place}.{name}": array
        for place in places
        for name, array in update(at(place, old), at(place, seen), size, running).items()
    }


def count_of(shape: tuple[int, ...]) -> int:
    """Return over how many numbers a channel's mean is taken. Raises UsageError for one: it has no deviation."""
    count = prod(shape) // shape[1]
    if count < 2:
        raise UsageError(
            f"batch norm needs at least 2 numbers in each channel, got a batch of shape {tuple(shape)}: take more "
            "examples, and a batch size that leaves no single example over"
        )
    return count


def flops(n: int, width: int) -> int:
    """Per number 8 operations forward and 12 backward."""
    return layer_norm.flops(n, width)


def lines(name: str, k: int, x: str, size: NormConvention, of_out: GradientRule) -> Iterator[Line]:
    """Yield the lines of the k-th batch norm, of ``x``, whose names begin with ``name``; its output is N_k."""
    mean, centred, variance = rf"\mu_{k}", rf"\tilde{{X}}_{k}", rf"V_{k}"
    s, gain, bias, out = f"S_{k}", rf"\gamma_{k}", rf"\beta_{k}", f"N_{k}"
    count = "(m - 1)" if size.unbiased else "m"
    scale = rf"\sqrt{{{variance}}} + \epsilon" if size.epsilon_outside else rf"\sqrt{{{variance} + \epsilon}}"
    slope = rf"-\frac{{{s}^2}}{{2\sqrt{{{variance}}}}}" if size.epsilon_outside else rf"-\tfrac{{1}}{{2}} {s}^3"
    of_mean = GradientRule(
        rf"-\textstyle\sum {d(centred)}",
        "The mean is subtracted from every number of its channel: minus the sum of what they receive.",
    )
    of_centred = GradientRule(
        rf"{d(out)} \odot {gain} {s} + {d(variance)} \frac{{2 {centred}}}{{{count}}}",
        "A deviation is scaled itself, and has its share in the variance of the whole channel.",
    )
    of_variance = GradientRule(rf"{d(s)} \odot {slope}", "The scale is a function of the variance alone.")
    of_scale = GradientRule(
        rf"\textstyle\sum {d(out)} \odot {gain} \odot {centred}",
        "One scale multiplies the whole channel, so its gradient is a sum over batch and places.",
    )
    of_gain = GradientRule(
        rf"\textstyle\sum {d(out)} \odot {centred} {s}",
        "The gain multiplies every scaled number of its channel, so the products are summed over batch and places.",
    )
    of_bias = GradientRule(
        rf"\textstyle\sum {d(out)}", "The bias is added to every number of its channel: its gradient is the sum."
    )
    yield line(f"{name}.mean", mean, of_mean, rf"\frac{{1}}{{m}} \sum {x}")
    yield line(f"{name}.centred", centred, of_centred, f"{x} - {mean}")
    yield line(f"{name}.variance", variance, of_variance, rf"\textstyle\sum {centred}^2 / {count}")
    yield line(f"{name}.scale", s, of_scale, rf"\frac{{1}}{{{scale}}}")
    yield line(f"{name}.gain", gain, of_gain)
    yield line(f"{name}.bias", bias, of_bias)
    yield line(f"{name}.out", out, of_out, rf"{centred} {s} \odot {gain} + {bias}")


def of_input(k: int) -> GradientRule:
    """dX̃ + dμ / m."""
    centred, mean = rf"\tilde{{X}}_{k}", rf"\mu_{k}"
    return GradientRule(
        rf"{d(centred)} + \tfrac{{1}}{{m}} {d(mean)}",
        "A number gives its deviation, and has one share of m in its channel's mean.",
    )
