"""A convolutional network: blocks of convolution, batch norm, ReLU and pooling, then a dense head.

After Y. LeCun and others, Gradient-Based Learning Applied to Document Recognition (1998), with the batch norm of
S. Ioffe and C. Szegedy (2015), arXiv:1502.03167.
"""

from dataclasses import dataclass
from functools import cached_property
from math import isqrt, prod
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from gradparity import initial
from gradparity.errors import UsageError
from gradparity.inputs import (
    normal_inputs,
    require_choices,
    require_finite,
    require_positive,
    unbalanced_labels,
)
from gradparity.operations import affine, batch_norm, conv2d, convolutional, cross_entropy, entrywise, pooling
from gradparity.operations.layer_norm import NormConvention
from gradparity.operations.pooling import Kind as Pooling
from gradparity.operations.reductions import divisor
from gradparity.operations.squares import Penalty, penalty_flops
from gradparity.operations.windows import Pair, Windows
from gradparity.protocol import Array, Batch, Line, Params

LENET = {"channels": (6, 16), "kernel": (5, 5), "padding": (2, 2), "pool": (2, 2), "hidden": (120, 84)}
"""What a data set's images are given by default. LeNet-5 has no padding in its second block: small images need it."""


class Block(NamedTuple):
    """The sizes along a block."""

    inputs: int
    outputs: int
    image: Pair
    convolved: Pair
    pooled: Pair


@dataclass(frozen=True)
class ConvNet:
    """Blocks of conv, batch norm, activation and pool, then dense layers with activations between; cross-entropy.

    Conventions: x (n, features) is read as images (channels, height, width), row by row. A convolution's kernel is not
    flipped. Before a batch norm the convolution has no bias, which would do nothing. ReLU'(0) = 0; of the pixels that
    tie for a maximum the first receives the gradient. The penalty λ/2 Σ W², or as ``penalty`` scales it, is on kernels
    and dense weights. A step normalises with the batch's mean and variance, and
    prediction with the running ones.
    """

    image: tuple[int, int, int] = (2, 9, 7)
    """Channels, height, width."""
    channels: tuple[int, ...] = (3, 4)
    """The channels that each block's convolution puts out."""
    kernel: Pair = (3, 2)
    stride: Pair = (1, 1)
    padding: Pair = (1, 0)
    """Of every convolution: height, width."""
    pool: Pair = (2, 2)
    """Windows of every pooling, side by side."""
    pooling: Pooling = "max"
    activation: entrywise.Name = "relu"
    hidden: tuple[int, ...] = ()
    """The widths of dense layers between the last block and the output."""
    classes: int = 5
    batch_norm: bool = True
    epsilon: float = 1e-5
    """What keeps a channel's size from 0: under the root of its variance, or beside it."""
    epsilon_outside: bool = False
    unbiased: bool = False
    """Whether a batch is normalised with the variance of m − 1 degrees of freedom."""
    momentum: float = 0.1
    """The weight of a new batch in the running mean and variance (in Keras and Flax, one minus this)."""
    running_unbiased: bool = True
    """Whether the running variance is that of m − 1 degrees of freedom, as in PyTorch and not in Keras and Flax."""
    reduction: Literal["mean", "sum"] = "mean"
    weight_decay: float = 0.0
    """λ of the L2 penalty."""
    penalty: Penalty = "half-sum"
    leak: float = entrywise.LEAK
    """The slope of the leaky ReLU below 0."""
    init_weights: initial.Name = "he"
    init_std: float = 0.01
    """Of weights that are "normal"."""

    def __post_init__(self) -> None:
        """Raise UsageError for sizes below 1, unknown choices, and windows that do not fit."""
        for field, least in (("image", 3), ("channels", 1), ("hidden", 0)):
            sizes = getattr(self, field)
            if not isinstance(sizes, tuple) or len(sizes) < least or (field == "image" and len(sizes) != least):
                raise UsageError(f"convnet: {field} must be {least} or more sizes, as (6, 16), got {sizes!r}")
            require_positive("convnet", **{f"{field}[{i}]": size for i, size in enumerate(sizes)})
        require_positive("convnet", classes=self.classes)
        coefficients = ("epsilon", "momentum", "weight_decay", "leak", "init_std")
        require_finite("convnet", **{name: getattr(self, name) for name in coefficients})
        require_choices(self)
        assert self.blocks  # raises where a window does not fit

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "ConvNet":
        """Fit the ends to a data set, LeNet-like between; without ``image``, x is a square image of one channel.

        One number stands for both sides of a window, or for one block or layer. Raises UsageError for real targets, and
        where the image does not have as many pixels as the data has features.
        """
        if classes is None:
            raise UsageError(f"convnet needs labels, got {outputs} real target(s) an example: use the model mlp")
        side = isqrt(features)
        settings = {"image": (1, side, side), **LENET, **settings}
        for name, value in settings.items():
            if type(value) is int and name in ("kernel", "stride", "padding", "pool", "channels", "hidden"):
                settings[name] = (value,) * (1 if name in ("channels", "hidden") else 2)
        spec = cls(classes=classes, **settings)
        if prod(spec.image) != features:
            raise UsageError(
                f"convnet: an image must have as many pixels as x has columns, {features}, got "
                f"{'×'.join(map(str, spec.image))}: set image=channels,height,width"
            )
        return spec

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "convnet"

    @property
    def real_targets(self) -> bool:
        """False: y is labels."""
        return False

    @property
    def at_conv(self) -> Windows:
        """The windows of every convolution."""
        return Windows(self.kernel, self.stride, self.padding)

    @property
    def at_pool(self) -> Windows:
        """The windows of every pooling."""
        return Windows(self.pool, self.pool)

    @property
    def size(self) -> NormConvention:
        """By what a batch norm divides."""
        return NormConvention(self.epsilon, self.epsilon_outside, self.unbiased)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The sizes of each block. Raises UsageError where a window does not fit into what the blocks before leave."""
        found: list[Block] = []
        inputs, *image = self.image
        height, width = image
        for outputs in self.channels:
            convolved = self.at_conv.counts(height, width)
            pooled = self.at_pool.counts(*convolved)
            found.append(Block(inputs, outputs, (height, width), convolved, pooled))
            inputs, (height, width) = outputs, pooled
        return tuple(found)

    @property
    def widths(self) -> tuple[int, ...]:
        """What the dense layers take and put out."""
        last = self.blocks[-1]
        return (last.outputs * prod(last.pooled), *self.hidden, self.classes)

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Per block conv1.W, then norm1.gain and norm1.bias or conv1.b; per dense layer dense1.W and dense1.b."""
        shapes: dict[str, tuple[int, ...]] = {}
        for k, block in enumerate(self.blocks, start=1):
            conv = conv2d.shapes(block.inputs, block.outputs, self.at_conv, biased=not self.batch_norm)
            shapes |= {f"conv{k}.{name}": shape for name, shape in conv.items()}
            if self.batch_norm:
                shapes |= {f"norm{k}.{name}": shape for name, shape in batch_norm.shapes(block.outputs).items()}
        for k, ends in enumerate(zip(self.widths, self.widths[1:], strict=False), start=1):
            shapes |= {f"dense{k}.{name}": shape for name, shape in affine.shapes(*ends).items()}
        return shapes

    @property
    def norms(self) -> dict[str, int]:
        """The place of each batch norm, and its channels."""
        return {f"norm{k}": outputs for k, outputs in enumerate(self.channels, start=1) if self.batch_norm}

    @property
    def statistics(self) -> dict[str, np.ndarray]:
        """The running mean and variance of each batch norm."""
        return batch_norm.initial(self.norms)

    @property
    def observed(self) -> tuple[str, ...]:
        """The mean and the variance of each batch norm, and its output, which has the shape."""
        return tuple(f"{place}.{name}" for place in self.norms for name in batch_norm.OBSERVED)

    def update(self, statistics: Params, values: Params) -> dict[str, Array]:
        """Let the running statistics follow the batch's own."""
        running = batch_norm.Running(self.momentum, self.running_unbiased)
        return batch_norm.updated(self.norms, statistics, values, self.size, running)

    @property
    def penalised(self) -> list[str]:
        """The names of what the penalty is on: every kernel, and every dense layer's W."""
        return [name for name in self.param_shapes if name.endswith(".W")]

    def penalty_factor(self, n: int) -> float:
        """The factor in front of Σ W², for n examples."""
        return self.weight_decay / divisor(self.penalty, n)

    @property
    def kinks(self) -> dict[str, Literal["relu", "max"]]:
        """What goes into a ReLU, and the windows of which the largest is taken."""
        blocks, normed = range(1, len(self.channels) + 1), "norm{}.out" if self.batch_norm else "conv{}.out"
        before = [*map(normed.format, blocks), *(f"dense{k}.out" for k in range(1, len(self.hidden) + 1))]
        windows: dict[str, Literal["relu", "max"]] = {f"pool{k}.windows": "max" for k in blocks}
        return {**entrywise.kinks(dict.fromkeys(before, self.activation)), **(windows if self.pooling == "max" else {})}

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Kernels and dense weights as ``init_weights`` says; gains one, biases zero."""
        return initial.parameters(rng, self.param_shapes, self.init_weights, std=self.init_std)

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Normal inputs x (n, features) and unbalanced labels y (n,)."""
        return Batch(normal_inputs(rng, n, prod(self.image)), unbalanced_labels(rng, n, self.classes))

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["ConvNet", int]:
        """Draw sizes, windows that fit into them, and every setting; and a number of examples."""

        def pair(least: int, most: int) -> Pair:
            return int(rng.integers(least, most + 1)), int(rng.integers(least, most + 1))

        while True:
            *sizes, n = (int(size) for size in rng.permutation(np.arange(3, 12))[:8])
            kernel, padding = pair(1, 3), pair(0, 2)
            try:
                spec = cls(
                    image=(sizes[0], sizes[1], sizes[2]),
                    channels=tuple(sizes[3 : 3 + int(rng.integers(1, 3))]),
                    kernel=kernel,
                    stride=pair(1, 2),
                    padding=(min(padding[0], kernel[0] - 1), min(padding[1], kernel[1] - 1)),  # no window sees it alone
                    pool=pair(1, 3),
                    pooling="max" if rng.random() < 0.5 else "average",
                    activation=str(rng.choice(get_args(entrywise.Name))),  # type: ignore[arg-type]
                    hidden=tuple(sizes[5 : 5 + int(rng.integers(0, 2))]),
                    classes=sizes[6],
                    batch_norm=bool(rng.random() < 0.7),
                    epsilon=float(rng.choice([1e-5, 1e-2])),
                    epsilon_outside=bool(rng.random() < 0.3),
                    unbiased=bool(rng.random() < 0.3),
                    momentum=float(rng.uniform(0.01, 0.5)),
                    running_unbiased=bool(rng.random() < 0.5),
                    reduction="mean" if rng.random() < 0.5 else "sum",
                    weight_decay=float(rng.choice([0.0, rng.uniform(0.001, 1)])),
                    penalty=str(rng.choice(get_args(Penalty))),  # type: ignore[arg-type]
                    leak=float(rng.choice([entrywise.LEAK, rng.uniform(0.1, 0.9)])),
                )
            except UsageError:  # a window that does not fit
                continue
            return spec, n

    @classmethod
    def variants(cls) -> dict[str, "ConvNet"]:
        """Return the settings that between them have every line, by what they are called."""
        plain = cls(
            channels=(3,),
            pooling="average",
            hidden=(4,),
            batch_norm=False,
            stride=(2, 1),
            activation="tanh",
            weight_decay=0.3,
        )
        return {"": cls(channels=(3,)), "average": plain}

    def flops(self, n: int) -> int:
        """Count the products of convolutions and dense layers, what happens to each number between, and the update."""
        total = 2 * sum(prod(shape) for shape in self.param_shapes.values())
        if self.weight_decay:
            total += penalty_flops(sum(prod(self.param_shapes[name]) for name in self.penalised))
        for k, block in enumerate(self.blocks):
            total += conv2d.flops(n, block.inputs, block.outputs, self.at_conv, block.image, of_input=k > 0)
            total += entrywise.flops(n, block.outputs * prod(block.convolved))
            total += pooling.flops(n, block.outputs, prod(block.pooled), self.at_pool.places)
            total += batch_norm.flops(n, block.outputs * prod(block.convolved)) if self.batch_norm else 0
        for ends in zip(self.widths, self.widths[1:], strict=False):
            total += affine.flops(n, *ends, of_input=True)
        return total + entrywise.flops(n, sum(self.widths[1:])) + cross_entropy.flops(n, self.classes)

    @property
    def derivation(self) -> tuple[Line, ...]:
        """For each block W, what comes out of conv, norm, activation and pool; for each dense layer W, b, out, h."""
        return convolutional.lines(self)
