from gradparity_bench.places import common_label, differing, full_label, label, place, sweep_axis, sweeps
from gradparity_bench.points import points
from gradparity_bench.results import Measurement
from gradparity_bench.standings import Point

SWEPT = points("mlp", ["widths=64,32,10"], batch_size=[32, 512, 2048], threads=[1, 2])


def _measured(point: Point) -> Measurement:
    return Measurement(point, flops=1, bytes=1, examples=1, rows=())


def test_equal_hidden_layers_are_a_width_and_a_depth() -> None:
    (point,) = points("mlp", ["widths=64,32,32,10"])
    assert {name: place(point)[name] for name in ("inputs", "width", "depth", "outputs")} == {
        "inputs": 64, "width": 32, "depth": 3, "outputs": 10,
    }  # fmt: skip
    (uneven,) = points("mlp", ["widths=64,32,16,10"])
    assert place(uneven)["widths"] == (64, 32, 16, 10)
    assert "depth" not in place(uneven)


def test_points_are_called_by_what_they_differ_in() -> None:
    assert differing(SWEPT) == ["batch_size", "threads"]
    assert label(SWEPT[0], differing(SWEPT)) == "batch 32, 1 thread"
    assert label(SWEPT[-1], differing(SWEPT)) == "batch 2048, 2 threads"
    assert label(SWEPT[0], ["batch_size"], named=False) == "32"
    assert differing(SWEPT[:1]) == []


def test_what_all_points_share_is_said_apart() -> None:
    assert common_label(SWEPT) == "inputs 64, width 32, depth 2, outputs 10, float32"
    assert full_label(SWEPT[0]) == "mlp, inputs 64, width 32, depth 2, outputs 10, batch 32, 1 thread, float32"


def test_the_axis_is_the_number_with_most_values() -> None:
    assert sweep_axis(SWEPT) == "batch_size"
    assert sweep_axis(points("mlp", width=[8, 16], dtype=["float32", "float64"])) == "width"
    assert sweep_axis(points("mlp", activation=["relu", "tanh"])) is None
    assert sweep_axis(SWEPT[:1]) is None


def test_a_sweep_is_a_line_for_each_value_of_the_other_axes() -> None:
    lines = sweeps([_measured(point) for point in reversed(SWEPT)], "batch_size")
    assert sorted(lines) == ["1 thread", "2 threads"]
    assert [m.point.batch_size for m in lines["2 threads"]] == [32, 512, 2048]
