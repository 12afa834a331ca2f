"""The pixels under every window of an image, and back: a pixel of several windows receives the sum of their shares.

The windows' pixels are gathered a place at a time: place (i, j) of every window is one strided slice of the image.
"""

from collections.abc import Iterator

from jaxtyping import Float, Inexact

from gradparity.operations.windows import Pair, Windows
from gradparity.protocol import Array
from gradparity_manual.operations import namespace


def forward(x: Inexact[Array, "n channels h w"], at: Windows) -> Inexact[Array, "n channels places down across"]:
    """Gather, for each place of a window, the pixel that every window has there."""
    slices = list(_slices(at, at.counts(*x.shape[2:])))
    x = _padded(x, at.padding)
    return namespace(x).stack([x[each] for each in slices], axis=2)  # (n, channels, places, down, across)


def backward(
    d: Float[Array, "n channels places down across"], image: Pair, at: Windows
) -> Float[Array, "n channels h w"]:
    """Put what each place received back where the windows stand, and cut the padding off."""
    (height, width), (above, left) = image, at.padding
    shape = (*d.shape[:2], height + 2 * above, width + 2 * left)
    total = _zeros(d, shape)
    for place, each in enumerate(_slices(at, at.counts(height, width))):
        total = _added(total, each, d[:, :, place])
    return total[:, :, above : above + height, left : left + width]  # (n, channels, h, w)


def _slices(at: Windows, counts: Pair) -> Iterator[tuple[slice, ...]]:
    """Yield, for each place of a window, where on the image it is under each of the windows."""
    (down, across), (steps_down, steps_across) = counts, at.stride
    for i in range(at.size[0]):
        for j in range(at.size[1]):
            rows = slice(i, i + (down - 1) * steps_down + 1, steps_down)
            columns = slice(j, j + (across - 1) * steps_across + 1, steps_across)
            yield slice(None), slice(None), rows, columns


def _padded(x: Inexact[Array, "n channels h w"], padding: Pair) -> Inexact[Array, "n channels H W"]:
    """Put zeros around every image."""
    for axis, count in zip((2, 3), padding, strict=True):
        if count:
            shape = [*x.shape[:axis], count, *x.shape[axis + 1 :]]
            edge = _zeros(x, shape)
            x = namespace(x).concat([edge, x, edge], axis=axis)
    return x


def _added(total: Array, where: tuple[slice, ...], share: Array) -> Array:
    """Add a share to a part of the total: in place, but for JAX's arrays, which never change."""
    if hasattr(total, "at"):
        return total.at[where].add(share)
    total[where] += share
    return total


def _zeros(like: Array, shape: tuple[int, ...] | list[int]) -> Array:
    return namespace(like).zeros(tuple(shape), dtype=like.dtype)
