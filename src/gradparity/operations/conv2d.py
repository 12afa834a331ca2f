"""The convolution of images (n, channels, height, width): out[o] = b[o] + Σ W[o] ⊙ x over a window, all channels.

Convention: as everywhere in deep learning the kernel is not flipped (a cross-correlation), and W is (outputs, channels,
height, width), as in PyTorch.
"""

from gradparity.operations.rules import GradientRule, d
from gradparity.operations.windows import Pair, Windows


def shapes(channels: int, outputs: int, at: Windows, *, biased: bool = True) -> dict[str, tuple[int, ...]]:
    """W (outputs, channels, kernel height, kernel width), b (outputs,). Before a batch norm there is no b."""
    return {"W": (outputs, channels, *at.size)} | ({"b": (outputs,)} if biased else {})


def flops(n: int, channels: int, outputs: int, at: Windows, image: Pair, *, of_input: bool) -> int:
    """One product forward and one for W, and one more where the input needs a gradient; over all windows."""
    down, across = at.counts(*image)
    return (3 if of_input else 2) * 2 * n * down * across * channels * at.places * outputs


def value(x: str, weights: str, bias: str = "") -> str:
    """X ⋆ W + b."""
    return rf"{x} \star {weights}" + (f" + {bias}" if bias else "")


def of_weights(x: str, out: str) -> GradientRule:
    """Each window of x times dZ there, summed."""
    return GradientRule(
        rf"\textstyle\sum_{{i,u,v}} {d(out)}_{{i,:,u,v}} \otimes \operatorname{{window}}_{{uv}}({x}_i)",
        "A kernel is laid on every window of every example, so what the windows hold is summed, weighted with the "
        "upstream gradient at their places.",
    )


def of_bias(out: str) -> GradientRule:
    """Σ dZ over examples and places."""
    return GradientRule(
        rf"\textstyle\sum_{{i,u,v}} {d(out)}_{{i,:,u,v}}",
        "The bias is added at every place of every example, so its gradient is the sum over both.",
    )


def of_input(weights: str, out: str) -> GradientRule:
    """Every window's share W dZ, put back where the window stands."""
    return GradientRule(
        rf"\textstyle\sum_{{u,v}} \operatorname{{place}}_{{uv}}\left(\sum_o {weights}_o\,{d(out)}_{{o,u,v}}\right)",
        "A pixel is seen through every window that it lies in; each gives back its kernel times the upstream gradient "
        "there, and where windows overlap the shares are summed.",
    )
