"""A convolutional network by hand: from the loss through the dense head, and back through every block's windows.

Source: Y. LeCun and others, Gradient-Based Learning Applied to Document Recognition (1998), section II.
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float, Inexact

from gradparity.models import ConvNet
from gradparity.operations import reductions
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import affine, batch_norm, conv2d, cross_entropy, entrywise, pooling, squares


def predict(spec: ConvNet, p: Params, x: Float[Array, "n features"], c: Any) -> Inexact[Array, "n classes"]:
    """Return the logits, every channel normalised with its running mean and variance."""
    return _logits(spec, p, x, c, lambda at, z: batch_norm.predict(View(p, at), z, spec.size))


def forward(spec: ConvNet, p: Params, batch: Batch, c: Any) -> None:
    """Write every layer and the loss to c, every channel normalised with the batch's own mean and variance."""
    logits = _logits(spec, p, batch.x, c, lambda at, z: batch_norm.forward(View(p, at), z, View(c, at), spec.size))
    n = batch.x.shape[0]
    data_loss = cross_entropy.forward(logits, batch.y).sum() / reductions.divisor(spec.reduction, n)
    squares.with_penalty(spec, "cross_entropy", data_loss, p, n, c)


def _logits(
    spec: ConvNet, p: Params, x: Float[Array, "n features"], c: Any, normalised: Callable[[str, Array], Array]
) -> Inexact[Array, "n classes"]:
    a = x.reshape(-1, *spec.image)  # (n, channels, height, width)
    for k in range(1, len(spec.blocks) + 1):
        conv, pool = f"conv{k}", View(c, f"pool{k}")
        if spec.batch_norm:
            z = conv2d.forward_without_bias(View(p, conv), a, spec.at_conv, View(c, conv))
            z = normalised(f"norm{k}", z)
        else:
            z = conv2d.forward(View(p, conv), a, spec.at_conv, View(c, conv))
        a = entrywise.forward(spec.activation, z, View(c, {"out": f"a{k}"}), spec.leak)
        a = pooling.forward(spec.pooling, a, spec.at_pool, pool)
    a = a.reshape(x.shape[0], -1)  # (n, channels · height · width)
    for k in range(1, len(spec.hidden) + 1):
        z = affine.forward(View(p, f"dense{k}"), a, View(c, f"dense{k}"))
        a = entrywise.forward(spec.activation, z, View(c, {"out": f"h{k}"}), spec.leak)
    last = f"dense{len(spec.hidden) + 1}"
    return affine.forward(View(p, last), a, View(c, last))


def backward(spec: ConvNet, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    n, last = batch.x.shape[0], len(spec.hidden) + 1
    each = squares.with_penalty_backward(spec, "cross_entropy", p, n, d) / reductions.divisor(spec.reduction, n)
    d[f"dense{last}.out"] = each * cross_entropy.backward(c[f"dense{last}.out"], batch.y)
    pooled = c[f"pool{len(spec.blocks)}.out"]
    for k in range(last, 0, -1):
        dense, below = f"dense{k}", f"h{k - 1}"
        affine.backward(c[below] if k > 1 else pooled.reshape(pooled.shape[0], -1), View(d, dense))
        share = affine.share_of_input(View(p, dense), View(d, dense))
        if k > 1:
            d[below] = share
            before = f"dense{k - 1}.out"
            at_h = {"out": below}
            d[before] = entrywise.backward(spec.activation, c[before], View(c, at_h), View(d, at_h), spec.leak)
        else:
            d[f"pool{len(spec.blocks)}.out"] = share.reshape(pooled.shape)
    for k in range(len(spec.blocks), 0, -1):
        _block_backward(spec, k, p, batch, c, d)


def _block_backward(spec: ConvNet, k: int, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradients of a block's names, and that of what the block below it puts out."""
    conv, norm, pool, at_a = f"conv{k}", f"norm{k}", f"pool{k}", {"out": f"a{k}"}
    block = spec.blocks[k - 1]
    d[f"a{k}"] = pooling.backward(spec.pooling, block.convolved, spec.at_pool, View(c, pool), View(d, pool))
    z = f"{conv}.out"
    if spec.batch_norm:
        normed = c[f"{norm}.out"]
        d[f"{norm}.out"] = entrywise.backward(spec.activation, normed, View(c, at_a), View(d, at_a), spec.leak)
        d[z] = batch_norm.backward(View(p, norm), c[z], View(c, norm), View(d, norm), spec.size)
    else:
        d[z] = entrywise.backward(spec.activation, c[z], View(c, at_a), View(d, at_a), spec.leak)
    below = batch.x.reshape(-1, *spec.image) if k == 1 else c[f"pool{k - 1}.out"]
    to_parameters = conv2d.backward_without_bias if spec.batch_norm else conv2d.backward
    to_parameters(View(p, conv), below, spec.at_conv, View(d, conv))
    if k > 1:
        d[f"pool{k - 1}.out"] = conv2d.share_of_input(View(p, conv), block.image, spec.at_conv, View(d, conv))
