"""Contests with processes of their own: who is timed, who is not and why, and the tables that say so."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gradparity import SoftmaxRegression, data
from gradparity.drawing.text import markdown, text
from gradparity.protocol import Examples
from gradparity_bench import contests as contest
from gradparity_bench.alternatives import contestant_cells, contestants_table
from gradparity_bench.alternatives import main as alternatives
from gradparity_bench.entries import ALTERNATIVES, EXTRAS, LR, OWN, Entry, training
from gradparity_bench.results import Measurement
from gradparity_bench.speed import Contest, contest_table
from gradparity_bench.standings import Standing

BY_NAME = {entry.name: entry for entry in ALTERNATIVES}
DIES = Entry("dies", "numpy", loop="no_such_module:loop", lr=LR)
ABSENT = Entry("absent", "numpy", backend="numpy", needs=("no_such_package",), lr=LR)
IN_ANOTHER_RATE = Entry("faster learner", "numpy", backend="numpy", lr=1.001 * LR)


def measured(entries: list[Entry], examples: Examples, classes: int, batch_size: int = 64) -> Measurement:
    spec = SoftmaxRegression(features=examples.x.shape[1], classes=classes)
    (found,) = contest.contests(
        [entries], spec, examples, batch_size=batch_size, threads=1, rounds=3, processes=1, progress=lambda _: None
    )
    return found


@pytest.fixture(scope="module")
def digits() -> Measurement:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXTRAS, "no_such_package", "alternatives")
        own, other = BY_NAME[OWN["numpy"]], BY_NAME["scikit-learn"]
        return measured([own, other, DIES, ABSENT, IN_ANOTHER_RATE, training("nunpy")], data.load("digits").train, 10)


@pytest.mark.fault(kind="backend")
def test_processes_take_turns_and_one_that_fails_costs_its_own_row(digits: Measurement) -> None:
    own, alternative, died, missing, wrong, unknown = digits.rows
    for row in (own, alternative):
        assert (row.status, row.reason) == ("timed", "")
        assert row.rounds is not None
        assert len(row.rounds.epoch) == len(row.rounds.threads) == 3
        assert row.phases is not None
        assert row.phases.first_step > 0
        assert row.peak_memory
    assert alternative.final_loss == pytest.approx(own.final_loss, rel=1e-6)
    assert all(row.rounds is None for row in (died, missing, wrong, unknown))
    assert "No module named 'gradparity_bench.contestants.no_such_module'" in died.reason
    assert missing.reason.startswith("no_such_package not installed: run  ")
    assert missing.reason.endswith("-m pip install 'gradparity[alternatives]'")
    assert wrong.reason.startswith("its loss after 2 epochs is 1.59")
    assert "did you mean 'numpy'?" in unknown.reason


def test_the_first_has_a_second_copy_and_ratios_have_intervals(digits: Measurement) -> None:
    assert digits.again is not None
    assert digits.again.backend == OWN["numpy"]
    assert (digits.noise_floor("epoch") or 0) >= 1.02
    ratio = digits.ratio("scikit-learn", call="epoch")
    assert ratio is not None
    assert 0 < ratio.low <= ratio.value <= ratio.high
    assert digits.verdict("scikit-learn", call="epoch") in ("slower", "unclear", "tie")


def test_nothing_is_timed_against_a_refused_baseline(noise: Examples) -> None:
    found = measured([DIES, training("numpy")], noise, 5)
    assert not found.timed
    assert found.again is None
    assert all("no_such_module" in row.reason for row in found.rows)


@pytest.mark.parametrize("name", [entry.name for entry in ALTERNATIVES if entry.environment])
def test_keras_fits_the_same_in_a_process_of_its_own(name: str) -> None:
    if BY_NAME[name].missing:
        pytest.skip(BY_NAME[name].missing)
    (row,) = measured([BY_NAME[name]], data.load("digits").train, 10).rows
    assert row.reason == ""
    assert row.final_loss == pytest.approx(1.5925, rel=1e-3)


@pytest.mark.fault(kind="backend")
def test_one_that_hangs_is_ended_and_costs_its_own_row(noise: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "PATIENCE", 0.01)
    (row,) = measured([training("numpy")], noise, 5).rows
    assert (row.rounds, row.reason) == (None, "no answer to 'prepare' within 0.01 s")


@pytest.fixture
def known(make_measurement: Callable[..., Measurement]) -> Measurement:
    """A measurement of known seconds, in which the last one disagrees."""
    m = make_measurement({"gradparity numpy": 1e-3, "scikit-learn": 2e-3, "PyTorch loop": None}, again=1.05)
    rows = [replace(row, library="numpy", final_loss=0.5) for row in m.rows[:2]]
    return replace(m, rows=(*rows, Standing("PyTorch loop", "torch", None, "disagrees", "its W is wrong")))


def test_a_row_has_the_ratio_to_gradparitys_own_its_interval_and_the_verdict(known: Measurement) -> None:
    assert contestant_cells(known, known.rows[0]) == ("gradparity numpy", "0.5000", "0.50", "8", "1×", "", "1×")
    assert contestant_cells(known, known.rows[1]) == (
        *("scikit-learn", "0.5000", "0.50", "16", "2× slower", "2–2", "2×"),
    )


def test_markdown_says_who_is_not_timed_and_why(known: Measurement) -> None:
    text = markdown(contestants_table("digits", known))
    assert "| PyTorch loop |  |  |  | not timed |  |  |" in text
    assert contest.refusals(known) == ["PyTorch loop is not timed: its W is wrong"]
    assert "within 1.05×, from two copies of gradparity numpy, is a tie" in text


def test_a_contest_has_the_baseline_against_itself_and_the_target(known: Measurement) -> None:
    own = Contest("gradparity numpy", {"scikit-learn": 0.8, "PyTorch loop": None})
    assert markdown(contest_table("An epoch", (own,), [known])).splitlines() == [
        "**An epoch**",
        "",
        "| loop | s / epoch | against | ratio | interval | target |",
        "| --- | ---: | --- | ---: | ---: | ---: |",
        "| itself, again | 0.0084 | gradparity numpy | 1.05× | 1.05–1.05 |  |",
        "| scikit-learn | 0.0160 | gradparity numpy | 2× slower | 2–2 | ≤ 0.80 |",
        "| PyTorch loop |  | gradparity numpy | not timed |  |  |",
    ]


def test_a_terminal_of_80_columns_shows_every_cell_whole(known: Measurement) -> None:
    own = Contest("PyTorch loop", {"torch-manual": 0.8})
    first, second = replace(known.rows[0], backend="PyTorch loop"), replace(known.rows[1], backend="torch-manual")
    named = replace(known, rows=(first, second), again=first)
    for table in (contest_table("An epoch", (own,), [named]), contestants_table("digits", known)):
        shown = text(table, width=80)
        assert "…" not in shown
        assert all(str(entry) in shown for row in table.rows for cell in row.cells for entry in cell.entries)
        lines = shown.splitlines()
        assert (
            sum(line.startswith(f" {table.columns[0].title} ") for line in lines) == 1
        )  # beside each other, all of it
        assert all(len(line) <= 80 for line in lines)


def test_the_machine_is_said_in_one_line() -> None:
    assert contest.machine_line({"numpy": "2.4", "cores": "2"}) == "numpy 2.4, cores 2"


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "mnits"], "did you mean 'mnist'"),
        (["--threads", "100000"], "threads must be at most"),
        (["--rounds", "2"], "--rounds"),
    ],
)
def test_unusable_input_is_refused_before_any_work(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert alternatives(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
