from pathlib import Path

import numpy as np
import pytest

from gradparity import MLP, SoftmaxRegression
from gradparity.errors import UsageError
from gradparity_bench.points import points, spec_at, step_bytes


def test_every_combination_is_a_point_with_the_models_own_sizes() -> None:
    found = points("softmax_regression", batch_size=[8, 32], dtype=["float32", "float64"], features=[16, 64])
    assert len(found) == 8
    assert {(spec_at(p).param_shapes["W"], p.batch_size, p.dtype) for p in found} == {
        ((features, 5), n, dtype) for features in (16, 64) for n in (8, 32) for dtype in ("float32", "float64")
    }


@pytest.mark.parametrize(
    ("sizes", "widths"),
    [
        ({"width": [8, 16]}, [(64, 8, 10), (64, 16, 10)]),
        ({"depth": [1, 2, 4]}, [(64, 10), (64, 32, 10), (64, 32, 32, 32, 10)]),
        ({"width": [8], "depth": [3]}, [(64, 8, 8, 10)]),
        ({"widths": [(3, 4), (3, 5, 4)]}, [(3, 4), (3, 5, 4)]),
    ],
)
def test_width_and_depth_are_of_the_hidden_layers(sizes: dict[str, list[int]], widths: list[tuple[int, ...]]) -> None:
    found = points("mlp", ["widths=64,32,10", "activation=tanh"], **sizes)  # type: ignore[arg-type]
    assert [spec_at(p) for p in found] == [MLP(w, activation="tanh") for w in widths]


def test_a_size_that_the_model_does_not_have_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="did you mean 'features'"):
        points("softmax_regression", feature=[1, 2])
    with pytest.raises(UsageError, match="unknown size"):
        points("softmax_regression", width=[1, 2])


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize("sizes", [{"depth": [0]}, {"depth": [3], "widths": [(4, 3)]}])
def test_a_shape_that_cannot_be_is_refused(sizes: dict[str, list[int]]) -> None:
    with pytest.raises(UsageError, match="depth"):
        points("mlp", **sizes)  # type: ignore[arg-type]


def test_the_least_bytes_are_the_parameters_twice_and_the_batch_once() -> None:
    spec = SoftmaxRegression(features=6, classes=4)
    params, inputs, labels = 6 * 4 + 4, 9 * 6, 9
    assert step_bytes(spec, 9, "float32") == 4 * (2 * params + inputs) + 8 * labels
    targets = MLP((6, 4), loss="squared_error")
    assert step_bytes(targets, 9, "float64") == 8 * (2 * params + inputs + 9 * 4)
    assert np.dtype(np.int64).itemsize == 8


def test_a_users_own_model_is_measured_at_its_own_sizes() -> None:
    file = str(Path(__file__).parents[2] / "docs" / "examples" / "my_model.py")
    (point,) = points(file, batch_size=[8])
    assert point.settings == {}
    assert spec_at(point).param_shapes["W1"] == (6, 4)
    with pytest.raises(UsageError, match="unknown size"):
        points(file, width=[3])
