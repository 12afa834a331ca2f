"""SwiGLU in Pallas, forward and backward, as a jax.custom_vjp that is checked on a machine without a GPU or TPU.

    python examples/kernels/pallas_swiglu.py

y = s(a) b with s(a) = a σ(a) (Shazeer 2020, arXiv:2002.05202), so that db = dy s(a) and da = dy b s'(a), where
s'(a) = σ(a) (1 + a (1 − σ(a))).
"""

import jax
from jax.experimental import pallas as pl

from gradparity import check_custom_vjp

ROWS = 2
"""Rows of a block; it must divide their number."""


def forward_kernel(a_ref, b_ref, y_ref):
    a, b = a_ref[...], b_ref[...]
    y_ref[...] = a * jax.nn.sigmoid(a) * b


def backward_kernel(a_ref, b_ref, dy_ref, da_ref, db_ref):
    a, b, dy = a_ref[...], b_ref[...], dy_ref[...]
    gate = jax.nn.sigmoid(a)
    da_ref[...] = dy * b * gate * (1 + a * (1 - gate))
    db_ref[...] = dy * a * gate


def by_rows(kernel, outputs, *arrays):
    """Run a kernel over blocks of rows; all arrays that enter and leave have the same shape, (n, width)."""
    n, width = arrays[0].shape
    block = pl.BlockSpec((ROWS, width), lambda i: (i, 0))
    shape = jax.ShapeDtypeStruct((n, width), arrays[0].dtype)
    return pl.pallas_call(
        kernel,
        out_shape=[shape] * outputs,
        grid=(n // ROWS,),
        in_specs=[block] * len(arrays),
        out_specs=[block] * outputs,
        interpret=True,  # False on a GPU or TPU
    )(*arrays)


@jax.custom_vjp
def swiglu(a, b):
    return swiglu_forward(a, b)[0]


def swiglu_forward(a, b):
    (y,) = by_rows(forward_kernel, 1, a, b)
    return y, (a, b)


def swiglu_backward(saved, dy):
    return tuple(by_rows(backward_kernel, 2, *saved, dy))


swiglu.defvjp(swiglu_forward, swiglu_backward)


def plain_swiglu(a, b):
    """The plain function that the kernel replaces."""
    return jax.nn.silu(a) * b


if __name__ == "__main__":
    of_a, of_b = jax.random.split(jax.random.key(0))
    report = check_custom_vjp(swiglu, plain_swiglu, jax.random.normal(of_a, (4, 3)), jax.random.normal(of_b, (4, 3)))
    print(report)
    report.assert_ok()
