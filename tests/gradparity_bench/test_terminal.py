from collections.abc import Callable

import pytest
from rich.console import Console

from gradparity import registry
from gradparity_bench import terminal
from gradparity_bench.results import Measurement, Result

Make = Callable[..., Measurement]
ALL = {name: 1e-3 * (i + 1) for i, name in enumerate(registry.names())}


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Print measurements on a terminal of 80 columns and return the text."""

    def show(*measurements: Measurement, as_grid: bool = False) -> str:
        monkeypatch.setattr(terminal, "console", Console(width=80))
        terminal.print_result(Result({}, 0, measurements, choice=("Choose numpy.",)), as_grid=as_grid)
        return capsys.readouterr().out

    return show


def test_one_point_fits_80_columns_with_every_name_whole(make_measurement: Make, shown: Callable[..., str]) -> None:
    text = shown(make_measurement(ALL, batch_size=4096))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    assert all(name in text for name in ALL)
    assert "noise floor 1.02×" in text


def test_the_grid_puts_a_library_on_a_row(make_measurement: Make, shown: Callable[..., str]) -> None:
    text = shown(make_measurement(ALL), as_grid=True)
    assert all(len(line) <= 80 for line in text.splitlines())
    (row,) = (line for line in text.splitlines() if line.startswith(" jax ") and "jax-manual" in line)
    assert row.index("jax-manual") < row.rindex("jax")


def test_a_sweep_of_all_backends_fits_80_columns(make_measurement: Make, shown: Callable[..., str]) -> None:
    text = shown(*(make_measurement(ALL, batch_size=n) for n in (32, 512, 2048)))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    assert "batch 2048" in text
    assert text.index("Choose numpy.") < text.index("costs")
    assert "costs" in text


def test_what_is_not_timed_is_said_with_its_reason(make_measurement: Make, shown: Callable[..., str]) -> None:
    assert "jax is not timed, not installed: 'jax' is not installed" in shown(
        make_measurement({"numpy": 1e-3, "jax": None})
    )
