"""The smallest counter-example: still wrong, as small as it gets, and written so that a pencil can follow."""

from collections.abc import Mapping

import numpy as np

from gradparity.parity.smallest import Case, smallest, written

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 4))


def forgets_the_mean(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    y = arrays["x"] @ arrays["W"]
    yours, right = y.sum(axis=0), y.mean(axis=0)
    return None if np.allclose(yours, right) else (yours, right)


def test_sizes_that_must_agree_are_shrunk_together_and_numbers_become_whole() -> None:
    case = smallest({"x": X, "W": W}, forgets_the_mean, 60.0)
    assert case is not None
    assert {name: a.shape for name, a in case.arrays.items()} == {"x": (2, 1), "W": (1, 1)}
    assert case.told("y") == "at x = [[0], [1]], W = [[1]]: y is [1], should be [0.5]"


def test_the_smallest_size_at_which_it_fails_is_found() -> None:
    def only_a_block(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
        x = arrays["x"]
        return (np.zeros_like(x), x) if len(x) > 4 and x.any() else None

    case = smallest({"x": np.linspace(1, 2, 9)}, only_a_block, 60.0)
    assert case is not None
    assert case.arrays["x"].tolist() == [0, 0, 0, 0, 1]


def test_labels_stay_valid_where_classes_become_fewer() -> None:
    def picks(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
        picked = arrays["z"][np.arange(len(arrays["y"])), arrays["y"]]
        return (-picked, picked) if picked.any() else None

    case = smallest({"z": W.T, "y": np.array([2, 0, 1, 2])}, picks, 60.0)
    assert case is not None
    assert case.told("dz") == "at z = [[1]], all else 0: dz is [-1], should be [1]"


def test_what_is_not_wrong_or_cannot_run_is_no_example() -> None:
    assert smallest({"x": X}, lambda _: None, 60.0) is None
    assert smallest({"x": X}, lambda arrays: (arrays["nothing"], arrays["x"]), 60.0) is None


def test_of_what_stays_large_the_shapes_are_told() -> None:
    def beyond_a_block(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
        return (arrays["x"], -arrays["x"]) if len(arrays["x"]) > 64 else None

    case = smallest({"x": np.ones((200, 3))}, beyond_a_block, 60.0)
    assert case is not None
    assert case.told("dx") == "in the shapes x (65, 1)"


def test_numbers_are_written_as_by_hand() -> None:
    assert written(np.array([[1.0, -0.0], [0.123456, 1e-17]])) == "[[1, 0], [0.1235, 0]]"
    assert Case({"x": np.array(0.0)}, np.array(1), np.array(2)).told("y") == "at nothing but zeros: y is 1, should be 2"
