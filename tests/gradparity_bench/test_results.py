import json
from dataclasses import replace
from pathlib import Path

import pytest

from gradparity.errors import UsageError
from gradparity_bench.results import SCHEMA, Limits, Measurement, Result
from gradparity_bench.standings import Phases, Point, Rounds, Standing

POINT = Point("mlp", {"widths": (7, 6, 5), "activation": "relu"}, batch_size=32, dtype="float32", threads=1)


def rounds(step: float, threads: float = 1.0) -> Rounds:
    """Three rounds with the median ``step``; an epoch takes ten times as long, a loss half, a gradient all of it."""
    steps = (step * 1.001, step, step * 0.999)
    return Rounds(
        step=steps,
        epoch=tuple(10 * s for s in steps),
        loss=tuple(0.25 * s for s in steps),
        value_and_grad=tuple(0.75 * s for s in steps),
        threads=(threads,) * 3,
    )


NUMPY = Standing("numpy", "numpy", "hand", "timed", "", rounds(4e-3), Phases(0.5, None, None, 0.25), final_loss=2.0)
JAX = Standing("jax", "jax", "machine", "timed", "", rounds(1e-3), Phases(1.0, 0.25, 1.0, 0.5), versions={"jax": "1"})
TORCH = Standing("torch", "torch", "machine", "timed", "", rounds(8e-3, threads=1.7), Phases(1.0, None, None, 0.5))
LOST = Standing("lost", "", None, "not installed", "'lost' is not installed")
MEASUREMENT = Measurement(
    POINT,
    flops=10**6,
    bytes=10**5,
    examples=256,
    rows=(LOST, NUMPY, JAX, TORCH),
    again=replace(NUMPY, rounds=rounds(4.12e-3)),
    limits=Limits((1e10, 2e10, 3e10), (1e8, 2e8, 3e8)),
)
RESULT = Result({"CPU": "a CPU"}, seed=3, measurements=(MEASUREMENT,))


def test_a_result_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(RESULT.to_dict()))
    assert Result.read(path) == RESULT
    assert RESULT.to_dict()["schema"] == SCHEMA


@pytest.mark.fault(kind="format")
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "gradparity-bench/0"}', f'{{"schema": "{SCHEMA}"}}'])
def test_what_is_no_result_is_refused_in_one_line_that_names_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"other\.json") as refusal:
        Result.read(path)
    assert "\n" not in str(refusal.value)


def test_ratios_are_to_the_first_timed_row_or_to_any_other() -> None:
    assert MEASUREMENT.baseline == NUMPY
    to_first, to_other = MEASUREMENT.ratio("jax"), MEASUREMENT.ratio("jax", to="torch")
    assert to_first is not None
    assert to_first.value == pytest.approx(1 / 4)
    assert to_other is not None
    assert to_other.value == pytest.approx(1 / 8)
    assert MEASUREMENT.ratio("lost") is None
    assert MEASUREMENT.ratio("jax", to="lost") is None


def test_verdicts_are_beside_the_a_a_pair_and_none_without_it() -> None:
    assert [MEASUREMENT.verdict(name) for name in ("lost", "numpy", "jax", "torch")] == [
        None,
        "tie",
        "faster",
        "slower",
    ]
    assert MEASUREMENT.noise_floor() == pytest.approx(1.03)
    assert replace(MEASUREMENT, again=None).verdict("jax") is None


def test_the_break_even_is_where_the_times_saved_have_paid_for_the_start() -> None:
    # jax starts 2.75 − 0.75 = 2 s later and gains 3 ms a step.
    assert MEASUREMENT.break_even("jax") == 667
    assert MEASUREMENT.break_even("torch") is None
    assert MEASUREMENT.break_even("numpy") is None
    # From torch's side, jax starts 1.25 s later and gains 7 ms a step.
    assert MEASUREMENT.break_even("jax", to="torch") == 179


def test_the_roofline_is_the_longer_of_computing_and_moving() -> None:
    # 1e6 operations at 2e10 a second take 50 µs; 1e5 bytes at 2e8 a second take 500 µs.
    assert MEASUREMENT.roofline_seconds() == pytest.approx(5e-4)
    assert MEASUREMENT.roofline_share("jax") == pytest.approx(0.5)
    assert replace(MEASUREMENT, bytes=10).roofline_share("jax") == pytest.approx(0.05)
    assert MEASUREMENT.roofline_share("lost") is None
    assert replace(MEASUREMENT, limits=None).roofline_share("jax") is None


def test_samples_a_second_count_the_batch_or_the_epoch() -> None:
    assert MEASUREMENT.samples_per_second("jax") == pytest.approx(32_000)
    assert MEASUREMENT.samples_per_second("jax", "epoch") == pytest.approx(25_600)


def test_the_gradient_is_compared_with_the_loss() -> None:
    cost = JAX.gradient_over_loss
    assert cost is not None
    assert cost.value == pytest.approx(3)
    assert LOST.gradient_over_loss is None


def test_the_copy_of_a_backend_that_failed_says_nothing_about_the_others() -> None:
    died = Standing("numpy", "numpy", "hand", "died", "it ended in round 7")
    left = replace(MEASUREMENT, rows=(died, JAX, TORCH))
    assert left.baseline == JAX
    assert left.noise_floor() is None
    assert left.verdict("torch") is None


@pytest.mark.parametrize(("share", "said"), [(1.0, "slower"), (0.95, "slower"), (0.7, "tie")])
def test_what_a_row_was_not_given_of_a_core_is_not_held_against_it(share: float, said: str) -> None:
    slower = Standing("slower", "numpy", "hand", "timed", rounds=rounds(4.8e-3, threads=share))
    assert replace(MEASUREMENT, rows=(NUMPY, slower)).verdict("slower") == said


@pytest.mark.fault(kind="format")
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"flops": 1000000', '"flops": "many"', "field measurements[0].flops: expected `int`, got `str`"),
        ('"flops": 1000000,', "", "field measurements[0]: object missing required field `flops`"),
        ('"seed": 3', '"seed": 3, "sead": 4', "field sead: there is no such field"),
        ('"status": "timed"', '"status": "fast"', "field measurements[0].rows[1].status: invalid enum value 'fast'"),
        ('"flops_per_second": [', '"flops_per_second": [], "x": [', "expected `array` of length >= 1"),
        ("0.004,", "NaN,", ", JSON is malformed: invalid character"),
        ("0.004,", "", "field measurements[0]: every row must have as many rounds of step, got [2, 3]"),
    ],
)
def test_a_damaged_result_is_told_with_line_field_rule_and_fix(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "result.json"
    before, found, after = json.dumps(RESULT.to_dict(), indent=2).partition(old)
    assert found
    path.write_text(before + new + after)
    with pytest.raises(
        UsageError, match=r"result.json:\d+: is not a benchmark's result.*: write it anew with"
    ) as refused:
        Result.read(path)
    assert said in str(refused.value)
    if "flops:" in said:
        assert f"result.json:{before.count(chr(10)) + 1}: " in str(refused.value)
