import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.parity.kinks import NEAR, KinkCount, census, flips, kinks_of, masks, same

ULP = 2.0**-52


@pytest.mark.parametrize(
    ("spec", "lines"),
    [
        (MLP(widths=(4, 3, 3, 2)), {"z1", "z2"}),
        (MLP(widths=(4, 3, 2), output_activation="relu"), {"z1", "z2"}),
        (MLP(widths=(4, 3, 2), activation="tanh", output_activation="relu"), {"z2"}),
        (MLP(widths=(4, 3, 2), activation="sigmoid"), set()),
        (SoftmaxRegression(), set()),
    ],
)
def test_a_spec_declares_its_kinks(spec: MLP | SoftmaxRegression, lines: set[str]) -> None:
    assert kinks_of(spec) == dict.fromkeys(lines, "relu")


def test_a_kink_of_unknown_kind_is_refused() -> None:
    class Spec:
        kinks = {"z": "rleu"}  # noqa: RUF012 (as a user writes it)

    with pytest.raises(UsageError, match=r"unknown kind of kink 'rleu': there is max, relu; did you mean 'relu'\?"):
        kinks_of(Spec())


def test_a_declared_line_that_is_never_written_is_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown line in kinks 'z2': there is z1"):
        census({"z2": "relu"}, {"z1": np.ones(3)})


def test_the_census_counts_what_is_at_the_kink_and_what_is_near_it() -> None:
    z = np.array([[0.0, -0.0, 1.0, -2.0], [NEAR * 2 * ULP, -ULP, 3 * NEAR * ULP, 1.5]])
    assert census({"z": "relu"}, {"z": z}) == [KinkCount("z", "relu", decisions=8, at=2, near=2)]


def test_near_is_measured_in_the_lanes_own_precision() -> None:
    z = np.array([1.0, 1e-9])
    assert census({"z": "relu"}, {"z": z})[0].near == 0
    assert census({"z": "relu"}, {"z": z.astype(np.float32)})[0].near == 1


def test_with_zero_weights_every_entry_is_at_the_kink() -> None:
    assert census({"z": "relu"}, {"z": np.zeros((3, 4))}) == [KinkCount("z", "relu", 12, at=12, near=0)]


def test_ties_of_a_maximum_are_counted_by_rows() -> None:
    rows = np.array([[1.0, 1.0, 0.0], [1.0, 1 + ULP, 0.0], [0.0, 0.0, 3.0], [2.0, 1.0, 2.0]])
    assert census({"w": "max"}, {"w": rows}) == [KinkCount("w", "max", decisions=4, at=2, near=1)]
    assert census({"w": "max"}, {"w": rows[:, :1]}) == [KinkCount("w", "max", decisions=4, at=0, near=0)]


def test_masks_are_the_positive_entries_and_the_largest_ones() -> None:
    found = masks({"z": "relu", "w": "max"}, {"z": np.array([-1.0, 0.0, 2.0]), "w": np.array([[3.0, 1.0, 3.0]])})
    assert found["z"].tolist() == [False, False, True]
    assert found["w"].tolist() == [[True, False, True]]
    assert same(found, found)
    assert not same(found, {**found, "z": ~found["z"]})


def test_flips_are_counted_with_the_distance_of_the_farthest() -> None:
    truth = {"z": np.array([3.0, -1e-9, 4.0, -2e-9, 0.0])}
    subject = {"z": np.array([3.0, 1e-9, 4.0, 2e-9, 0.0])}
    (found,) = flips({"z": "relu"}, subject, truth)
    assert (found.line, found.count) == ("z", 2)
    assert found.distance == pytest.approx(2e-9 / 5)
    assert flips({"z": "relu"}, truth, truth) == []


def test_a_tie_that_breaks_the_other_way_is_half_as_far_on_both_sides() -> None:
    truth = {"w": np.array([[1.0, 1 - 1e-9], [0.0, 1.0]])}
    subject = {"w": np.array([[1 - 1e-9, 1.0], [0.0, 1.0]])}
    (found,) = flips({"w": "max"}, subject, truth)
    assert found.count == 2
    assert found.distance == pytest.approx(1e-9 / np.sqrt(2) / np.sqrt(3))
    nearest_tie = np.array([[1 - 5e-10, 1 - 5e-10], [0.0, 1.0]])
    assert found.distance == pytest.approx(np.linalg.norm(nearest_tie - truth["w"]) / np.linalg.norm(truth["w"]))
