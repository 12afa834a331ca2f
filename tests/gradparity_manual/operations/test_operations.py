import pkgutil

import numpy as np
import optax
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.gradparity_manual.operations.machines import Operation, hold, over_shapes, sizes

import gradparity_manual.operations as hand
from gradparity import operations
from gradparity_manual.operations import cross_entropy, embedding, positions
from gradparity_manual.operations.cross_entropy import log_sum_exp, one_hot, softmax

tables = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.floats(-30, 30),
)
STEP = 1e-6


@given(tables)
def test_softmax_rows_are_probabilities(z: np.ndarray) -> None:
    p = softmax(z)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)


@given(tables, st.floats(-1e4, 1e4))
def test_softmax_and_cross_entropy_do_not_depend_on_a_shift(z: np.ndarray, shift: float) -> None:
    y = np.arange(len(z)) % z.shape[1]
    np.testing.assert_allclose(softmax(z + shift), softmax(z), rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(cross_entropy.forward(z + shift, y), cross_entropy.forward(z, y), rtol=1e-8, atol=1e-10)


@given(tables)
def test_softmax_is_the_gradient_of_log_sum_exp(z: np.ndarray) -> None:
    for k in range(z.shape[1]):
        step = STEP * np.eye(z.shape[1])[k]
        slope = (log_sum_exp(z + step) - log_sum_exp(z - step)) / (2 * STEP)
        np.testing.assert_allclose(softmax(z)[:, k], slope, atol=1e-7)


@pytest.mark.parametrize("scale", [1e4, -1e4, 1e300])
def test_huge_logits_stay_finite(scale: float) -> None:
    z = np.array([[scale, 0.0, -scale]])
    assert np.isfinite(softmax(z)).all()
    assert np.isfinite(cross_entropy.forward(z, np.array([1]))).all()


def test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes() -> None:
    np.testing.assert_allclose(cross_entropy.forward(np.full((2, 5), 3.0), np.array([0, 4])), np.log(5))


def test_one_hot_has_the_shape_and_dtype_of_its_model() -> None:
    hot = one_hot(np.array([2, 0]), like=np.zeros((2, 3), dtype=np.float32))
    assert hot.dtype == np.float32
    assert hot.tolist() == [[0, 0, 1], [1, 0, 0]]


EMBEDDING = Operation(
    lambda a, c: embedding.forward(a, a["x"], c),
    lambda a, _, d: embedding.backward(a, a["x"], d),
    lambda table, x: table[x],
    lambda table, x: torch.nn.functional.embedding(x, table),
)


@over_shapes
@given(sizes, sizes, sizes, sizes, st.integers(0, 99))
def test_an_embedding_is_derived_as_machines_do(n: int, length: int, rows: int, width: int, seed: int) -> None:
    """With more places than rows some tokens stand twice; with fewer, some rows have none and receive zero."""
    hold(EMBEDDING, table=(rows, width), x=np.random.default_rng(seed).integers(0, rows, (n, length)))


NEXT_TOKENS = Operation(
    lambda a, c: c.setdefault("out", positions.forward(a["z"], a["y"])),
    lambda a, _, d: d.update(z=d["out"] * positions.backward(a["z"], a["y"])),
    lambda z, y: optax.softmax_cross_entropy_with_integer_labels(z, y).sum(),
    lambda z, y: torch.nn.functional.cross_entropy(z.flatten(0, 1), y.flatten(), reduction="sum"),
)


@over_shapes
@given(sizes, sizes, sizes, st.integers(0, 99))
def test_the_loss_of_next_tokens_is_derived_as_machines_do(n: int, length: int, vocabulary: int, seed: int) -> None:
    hold(NEXT_TOKENS, z=(n, length, vocabulary), y=np.random.default_rng(seed).integers(0, vocabulary, (n, length)))


def test_an_operation_is_derived_by_hand_in_the_file_of_its_name() -> None:
    by_hand, in_no_framework = (
        {module.name for module in pkgutil.iter_modules(package.__path__)} for package in (hand, operations)
    )
    assert in_no_framework - by_hand == {"convolutional", "perceptron", "reductions", "rules", "transformer_block"}
    assert by_hand <= in_no_framework


def test_softmax_is_tried_as_the_derivation_computes_it() -> None:
    z = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(operations.EXPRESSIONS["softmax({0})"](z), softmax(z), rtol=1e-12)
