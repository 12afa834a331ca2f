"""The windows that a convolution or a pooling looks through: where they stand on images (n, channels, h, w)."""

from math import prod
from typing import NamedTuple, TypeAlias

from gradparity.errors import UsageError

Pair: TypeAlias = tuple[int, int]
"""Of height and width."""


class Windows(NamedTuple):
    """Windows of one size, a stride apart, on an image with zeros around it. They may overlap, and leave gaps."""

    size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    """Rows of zeros above and below, columns left and right."""

    @property
    def places(self) -> int:
        """The number of pixels in a window."""
        return prod(self.size)

    def counts(self, height: int, width: int) -> Pair:
        """Return how many windows there are from top to bottom and from left to right.

        Raises UsageError where one does not fit, and for sizes, strides and paddings that are none.
        """
        for name, pair, least in (("size", self.size, 1), ("stride", self.stride, 1), ("padding", self.padding, 0)):
            right = isinstance(pair, tuple) and all(type(each) is int and each >= least for each in pair)
            if not right or len(pair) != 2:
                raise UsageError(
                    f"a window's {name} must be two whole numbers of at least {least}, height and width, got {pair!r}"
                )
        sides = zip((height, width), self.size, self.stride, self.padding, strict=True)
        down, across = ((side + 2 * pad - size) // stride + 1 for side, size, stride, pad in sides)
        if down < 1 or across < 1:
            raise UsageError(
                f"a window must fit into the image: got a window of {self.size[0]}×{self.size[1]} on {height}×{width} "
                f"with padding {self.padding[0]},{self.padding[1]}: take a smaller window, more padding or fewer blocks"
            )
        return down, across
