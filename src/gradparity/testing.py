"""Assertions for your own test suite: the gradients derived by hand are those that a machine derives."""

from collections.abc import Sequence
from typing import Any

from gradparity.parity import LANES
from gradparity.parity.report import Report, Row
from gradparity.protocol import Batch, Dtype
from gradparity.subjects.plain import check_code
from gradparity.subjects.specs import check

SHORT = 24
"""Lines of a table that a failing test still shows."""


def assert_gradients_agree(
    model: Any,
    *,
    backends: Sequence[str] | None = None,
    batch: Batch | None = None,
    n: int = 11,
    seed: int = 0,
    lanes: Sequence[Dtype] = LANES,
    rtol: float = 0.0,
    order: int = 1,
) -> None:
    """Raise AssertionError unless ``gradparity.check`` of the model, with the same arguments, agrees.

    The error has a line for each disagreement and, where it is short, the table. Raises UsageError for a model that
    cannot be checked.
    """
    __tracebackhide__ = True  # pytest then shows the test, not this function
    report = check(model, backends=backends, batch=batch, n=n, seed=seed, lanes=lanes, rtol=rtol, order=order)
    try:
        report.assert_ok()
    except AssertionError as error:
        raise AssertionError("\n".join([f"{report.model}: {error}", *_table(report)])) from None


def assert_code_gradients_agree(
    function: Any, *arguments: Any, names: Sequence[str] = (), loss: str = "", seed: int = 0, **named: Any
) -> None:
    """Raise AssertionError unless ``gradparity.check_code`` of a function and its arguments agrees.

    The error has a line for each disagreement, and the function's source with a sign at each gradient. Raises
    UsageError for what cannot be checked.
    """
    __tracebackhide__ = True
    report = check_code(function, *arguments, names=names, loss=loss, seed=seed, **named)
    try:
        report.assert_ok()
    except AssertionError as error:
        raise AssertionError("\n".join([f"{report.model}: {error}", *_source(report)])) from None


def _source(report: Report) -> list[str]:
    return [
        f"{line.sign or ' '} {line.number:>4}  {line.text}" for listing in report.listings for line in listing.lines
    ]


def _table(report: Report) -> list[str]:
    """One line per named line of the derivation, with the worst error of each lane; nothing where it is long."""
    lines = list(dict.fromkeys((row.kind, row.line) for row in report.rows))
    if len(lines) > SHORT:
        return []
    worst = [max((row for row in report.rows if (row.kind, row.line) == line), key=_excess) for line in lines]
    return ["", *(f"{'ok' if row.agrees else '✗ ':2} {row.kind:14} {row.line}: {row.error:.0e}" for row in worst)]


def _excess(row: Row) -> tuple[bool, float]:
    return not row.agrees, row.error / row.limit if row.limit > 0 else row.error
