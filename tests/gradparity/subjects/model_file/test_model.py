"""A user's own init and example_batch, and what is drawn without them."""

# ruff: noqa: ARG005 - the functions take what a model's must take

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity.errors import UsageError
from gradparity.parity import draw_params
from gradparity.subjects.model_file import UserModel, adopt

sizes = st.integers(1, 4)
shapes = st.lists(sizes, max_size=3).map(tuple)


def model(**declared: Any) -> UserModel:
    either = {} if "num_classes" in declared else {"target_shape": ()}
    functions = {"forward": lambda p, batch, c: None, "backward": lambda p, batch, c, d: None}
    return adopt({"param_shapes": {"W": (3, 2), "b": 2}, "input_shape": 3, **either, **functions, **declared})


@given(input_shape=shapes, target_shape=shapes, n=sizes)
def test_real_targets_are_drawn_in_their_shapes(
    input_shape: tuple[int, ...], target_shape: tuple[int, ...], n: int
) -> None:
    own = model(input_shape=input_shape, target_shape=target_shape)
    batch = own.example_batch(np.random.default_rng(0), n)
    assert batch.x.shape == (n, *input_shape)
    assert batch.y.shape == (n, *target_shape)
    assert (batch.x.dtype, batch.y.dtype) == (np.float64, np.float64)


@given(classes=st.integers(1, 9), n=sizes)
def test_labels_are_drawn_from_the_classes(classes: int, n: int) -> None:
    batch = model(num_classes=classes).example_batch(np.random.default_rng(0), n)
    assert batch.y.shape == (n,)
    assert batch.y.dtype == np.int64
    assert 0 <= batch.y.min() <= batch.y.max() < classes


@given(shape=shapes)
def test_parameters_are_drawn_in_their_shapes(shape: tuple[int, ...]) -> None:
    params = model(param_shapes={"p": shape}).init(np.random.default_rng(0))
    assert params["p"].shape == shape
    assert (params["p"] != 0).all()


def test_tokens_stay_whole_numbers_and_extras_keep_their_names() -> None:
    own = model(
        input_shape=3,
        example_batch=lambda rng, n: (rng.integers(9, size=(n, 3)), np.ones(n), {"mask": rng.random((n, 3)) > 0.5}),
    )
    batch = own.example_batch(np.random.default_rng(0), 4)
    assert batch.x.dtype == np.int64
    assert batch.extras["mask"].dtype == np.bool_


def test_the_users_own_draws_are_taken() -> None:
    own = model(
        init=lambda rng: {"b": [1, 2], "W": rng.uniform(5, 6, (3, 2))},
        example_batch=lambda rng, n: (rng.uniform(size=(n, 3)).astype(np.float32), np.ones(n)),
    )
    rng = np.random.default_rng(0)
    params, batch = own.init(rng), own.example_batch(rng, 4)
    assert list(params) == ["W", "b"]
    assert params["W"].min() >= 5
    assert params["b"].dtype == batch.x.dtype == np.float64
    assert batch.y.tolist() == [1.0] * 4


def test_a_check_draws_what_the_users_init_leaves_at_zero() -> None:
    own = model(init=lambda rng: {"W": rng.uniform(5, 6, (3, 2)), "b": np.zeros(2)})
    params = draw_params(own, np.random.default_rng(0))
    assert params["W"].min() >= 5
    assert (params["b"] != 0).all()


def test_a_product_counts_a_multiply_and_an_add_forward_and_twice_backward() -> None:
    assert model(param_shapes={"W": (3, 2), "U": (2, 5), "b": 5}).flops(10) == 6 * 10 * math.fsum([6, 10])


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"init": lambda rng: 3}, r"init must return a dict of the arrays in param_shapes, got int"),
        ({"init": lambda rng: {"W": np.ones((3, 2))}}, r"W \(3, 2\), b \(2,\), got W \(3, 2\): change one"),
        ({"init": lambda rng: {"W": np.ones((2, 3)), "b": np.ones(2)}}, r"got W \(2, 3\), b \(2,\)"),
        ({"init": lambda rng: rng.nothing()}, r"init raised AttributeError: .*'nothing'"),
        ({"example_batch": lambda rng, n: np.ones(n)}, r"example_batch must return \(x, y\), got ndarray"),
        (
            {"example_batch": lambda rng, n: (np.ones((n, 4)), np.ones(n))},
            r"of shapes \(5, 3\) and \(5,\), got \(5, 4\) and \(5,\)",
        ),
        (
            {"num_classes": 2, "example_batch": lambda rng, n: (np.ones((n, 3)), np.full(n, 2))},
            r"whole numbers from 0 to 1 as y, got int64 \[2 2 2 2 2\]",
        ),
        (
            {"num_classes": 2, "example_batch": lambda rng, n: (np.ones((n, 3)), np.ones(n))},
            r"whole numbers from 0 to 1 as y, got float64",
        ),
    ],
)
def test_what_they_return_wrongly_is_said_in_one_line(declared: dict[str, Any], says: str) -> None:
    own, rng = model(**declared), np.random.default_rng(0)
    with pytest.raises(UsageError, match=rf"test_model\.py:\d+: .*{says}") as caught:
        (own.init(rng), own.example_batch(rng, 5))
    assert "\n" not in str(caught.value)
