"""Initial parameters: how far from zero a matrix or a kernel is drawn, by its fan-in and fan-out.

Sources: "lecun": Y. LeCun and others, Efficient BackProp (1998), section 4.6; "glorot": X. Glorot and Y. Bengio,
Understanding the Difficulty of Training Deep Feedforward Neural Networks (2010), section 4.2.1, evenly between two
bounds as Keras draws, or normal; "he": K. He and others (2015), arXiv:1502.01852, equation 10; "pytorch": what
``torch.nn.Linear`` and ``Conv2d`` do, for biases too.
"""

from collections.abc import Callable, Mapping
from math import prod, sqrt
from typing import Literal, NamedTuple

import numpy as np

Name = Literal["he", "normal", "lecun", "glorot", "glorot_uniform", "pytorch"]
Fans = tuple[int, int]


class Spread(NamedTuple):
    """The standard deviation of an entry, from fan-in and fan-out, and whether it is drawn evenly between bounds."""

    std: Callable[[Fans], float]
    even: bool = False

    def draw(self, rng: np.random.Generator, fans: Fans, shape: tuple[int, ...]) -> np.ndarray:
        """Draw an array of mean zero."""
        std = self.std(fans)
        return rng.uniform(-sqrt(3) * std, sqrt(3) * std, shape) if self.even else rng.normal(0, std, shape)


SPREADS: dict[str, Spread] = {
    "he": Spread(lambda fans: sqrt(2 / fans[0])),
    "lecun": Spread(lambda fans: sqrt(1 / fans[0])),
    "glorot": Spread(lambda fans: sqrt(2 / sum(fans))),
    "glorot_uniform": Spread(lambda fans: sqrt(2 / sum(fans)), even=True),
    "pytorch": Spread(lambda fans: sqrt(1 / (3 * fans[0])), even=True),
}


def parameters(
    rng: np.random.Generator,
    shapes: Mapping[str, tuple[int, ...]],
    name: Name = "normal",
    *,
    std: float,
    bias_std: float = 0.0,
) -> dict[str, np.ndarray]:
    """Draw weights by a rule's name, "normal" from N(0, std²); gains and what else has one axis start at 1 and 0.

    A matrix is (fan-in, fan-out), a kernel (outputs, inputs, height, width); the b of either follows it in ``shapes``
    and is drawn from N(0, bias_std²), or as PyTorch does.
    """
    spread = Spread(lambda _: std) if name == "normal" else SPREADS[name]
    of_bias = spread if name == "pytorch" else Spread(lambda _: bias_std)
    drawn: dict[str, np.ndarray] = {}
    fans = (1, 1)
    for each, shape in shapes.items():
        if len(shape) > 1:
            fans = _fans(shape)
            drawn[each] = spread.draw(rng, fans, shape)
        elif _is_bias(each) and of_bias.std(fans):
            drawn[each] = of_bias.draw(rng, fans, shape)
        else:
            drawn[each] = np.ones(shape) if each.endswith("gain") else np.zeros(shape)
    return drawn


def _is_bias(name: str) -> bool:
    """Whether it is the b of a map, such as b1 or conv1.b, and not the bias of a norm."""
    return name.rpartition(".")[2].rstrip("0123456789") == "b"


def _fans(shape: tuple[int, ...]) -> Fans:
    if len(shape) == 2:
        return shape[0], shape[1]
    return shape[1] * prod(shape[2:]), shape[0] * prod(shape[2:])
