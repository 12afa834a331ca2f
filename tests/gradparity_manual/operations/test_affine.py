from typing import Any

import torch
from hypothesis import given
from tests.gradparity_manual.operations.machines import Named, Operation, hold, over_shapes, sizes

from gradparity_manual.operations import affine, linear


def backward(a: Named, c: Any, d: Any) -> None:
    del c
    affine.backward(a["x"], d)
    d["x"] = affine.share_of_input(a, d)


AFFINE = Operation(
    lambda a, c: affine.forward(a, a["x"], c),
    backward,
    lambda x, W, b: x @ W + b,
    lambda x, W, b: torch.addmm(b, x, W),
)


@over_shapes
@given(sizes, sizes, sizes)
def test_an_affine_map_is_derived_as_machines_do(n: int, inputs: int, outputs: int) -> None:
    hold(AFFINE, x=(n, inputs), W=(inputs, outputs), b=(outputs,))


def linear_backward(a: Named, c: Any, d: Any) -> None:
    del c
    linear.backward(a["x"], d)
    d["x"] = linear.share_of_input(a, d)


LINEAR = Operation(
    lambda a, c: linear.forward(a, a["x"], c),
    linear_backward,
    lambda x, W: x @ W,
    lambda x, W: x.mm(W),
)


@over_shapes
@given(sizes, sizes, sizes)
def test_a_linear_map_is_derived_as_machines_do(n: int, inputs: int, outputs: int) -> None:
    hold(LINEAR, x=(n, inputs), W=(inputs, outputs))
