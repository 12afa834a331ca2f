from collections.abc import Callable
from dataclasses import replace

import pytest

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.drawing import Entry, Sign, TableCell, TableColumn, TableRow
from gradparity.models import MLP
from gradparity.parity import Report
from gradparity.parity.rows import Row

MakeComparison = Callable[..., Comparison]


@pytest.fixture
def comparison(make_comparison: MakeComparison, images: Dataset) -> Comparison:
    return make_comparison(images, spec=MLP((12, 4, 5)), wrong=[("numpy", "W2")])


def cells(report: Report, row: TableRow) -> dict[str, TableCell]:
    return {column.title: cell for column, cell in zip(report.table.columns, row.cells, strict=True)}


def name(row: TableRow) -> Entry:
    return row.cells[0].entries[0]


def longs(cell: TableCell) -> tuple[tuple[str, ...], Sign]:
    return tuple(entry if isinstance(entry, str) else entry.long for entry in cell.entries), cell.sign


def with_differences(report: Report, error: float, limit: float = 1e-6) -> Report:
    """Add a witness that takes no derivative, beside every whole gradient in float64."""
    rows = tuple(
        replace(r, witness="differences", error=error, limit=limit)
        for r in report.rows
        if (r.kind, r.lane, r.witness) == ("whole gradient", "float64", report.witnesses[0])
    )
    return replace(report, witnesses=(*report.witnesses, "differences"), rows=report.rows + rows)


def test_values_run_forwards_and_gradients_backwards(comparison: Comparison) -> None:
    names = [[name(row) for row in group.rows] for group in comparison.report.table.groups]
    assert names == [
        [f"c['{line}']" for line in ("z1", "a1", "z2", "a2", "loss")],
        [f"d['{line}']" for line in ("loss", "a2", "z2", "b2", "W2", "a1", "z1", "b1", "W1")],
        [f"∂L/∂{line}" for line in ("W1", "b1", "W2", "b2")],
    ]


def test_only_the_wrong_line_of_the_wrong_backend_is_marked(comparison: Comparison) -> None:
    report = comparison.report
    verdicts = [(name(row), *longs(row.cells[-1]), row.sign) for row in report.table.rows]
    assert [verdict for verdict in verdicts if verdict[-1] == "✗"] == [("d['W2']", ("numpy wrong",), "✗", "✗")]
    assert {verdict[1:] for verdict in verdicts if verdict[-1] == "✓"} == {(("✓ agree",), "✓", "✓")}
    (wrong,) = (row for row in report.table.rows if row.sign == "✗")
    assert longs(cells(report, wrong)["numpy"]) == (("5.0×10⁻¹", "> 1000%"), "✗")
    assert longs(cells(report, wrong)["jax"]) == (("1.0×10⁻¹⁶", "< 0.1%"), "✓")


def test_a_cell_shows_the_worst_witness(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, backends=("numpy",)).report
    worse = {"float64": 3e-13, "float32": 4e-6}
    rows = tuple(
        replace(r, error=worse[r.lane]) if (r.kind, r.line, r.witness) == ("value", "loss", "torch") else r
        for r in report.rows
    )
    last = replace(report, rows=rows).table.groups[0].rows[-1]
    assert longs(cells(report, last)["numpy"]) == (("3.0×10⁻¹³", "40%"), "✓")


def test_differences_that_agree_hide_no_error_of_autodiff(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, backends=("numpy",)).report
    beside = with_differences(report, error=4e-12)
    assert beside.table.groups == report.table.groups


def test_differences_that_disagree_are_shown(make_comparison: MakeComparison, images: Dataset) -> None:
    report = with_differences(make_comparison(images, backends=("numpy",)).report, error=3e-3)
    assert {longs(cells(report, row)["numpy"]) for row in report.table.groups[-1].rows} == {
        (("3.0×10⁻³", "< 0.1%"), "✗")
    }


def test_differences_are_shown_where_they_are_the_only_witness(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    report = make_comparison(images, backends=("numpy",)).report
    beside = with_differences(report, error=0.0)
    rows = tuple(replace(r, error=4e-12) for r in beside.rows if r.witness == "differences")
    only = replace(beside, rows=rows, witnesses=("differences",))
    assert {longs(cells(only, row)["numpy"]) for row in only.table.rows} == {(("4.0×10⁻¹²",), "✓")}


def test_an_error_without_any_budget_is_beyond_it(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, backends=("numpy",), witnesses=("jax",)).report
    none = replace(report, rows=tuple(replace(r, limit=0.0) for r in report.rows))
    assert longs(cells(none, none.table.rows[0])["numpy"]) == (("1.0×10⁻¹⁶", "> 1000%"), "✗")


def test_a_backend_that_is_the_only_witness_has_nothing_beside_it(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    report = make_comparison(images, witnesses=("jax",)).report
    found = cells(report, report.table.rows[0])
    assert len(found["numpy"].entries) == 2
    assert found["jax"].entries == ("given",)


def test_no_rows_make_no_table(make_comparison: MakeComparison, images: Dataset) -> None:
    table = make_comparison(images, backends=("jax",), witnesses=("jax",)).report.table
    assert table.groups == ()
    assert table.agrees is False


def bugs(report: Report, group: int) -> dict[Entry, tuple[str, ...]]:
    return {
        name(row): longs(found["smallest bug"])[0]
        for row in report.table.groups[group].rows
        if "smallest bug" in (found := cells(report, row))
    }


def test_a_row_names_the_smallest_bug_that_float32_shows_against_every_witness(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    report = make_comparison(images, backends=("numpy",)).report

    def with_limit(limit: float) -> Report:
        rows = (replace(r, limit=limit) if r.witness == "torch" and r.line == "W" else r for r in report.rows)
        return replace(report, rows=tuple(rows))

    assert bugs(with_limit(7e-6), 1) == dict.fromkeys(("d['loss']", "d['logits']", "d['b']", "d['W']"), ("1.0×10⁻⁵",))
    assert bugs(with_limit(3e-5), 1)["d['W']"] == ("3.0×10⁻⁵",)


def test_without_float32_there_is_no_smallest_bug(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images).report
    only = replace(report, rows=tuple(r for r in report.rows if r.lane == "float64"))
    assert [bugs(only, group) for group in range(3)] == [{}, {}, {}]
    assert TableColumn("numpy", parts=("error",)) in only.table.columns


def test_a_whole_gradient_is_only_marked_as_following_where_a_line_of_the_backend_is_wrong(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    report = make_comparison(images, backends=("numpy",)).report

    def wrong(row: Row) -> bool:
        return (row.line == "W" and row.kind != "value") or (row.line == "logits" and row.kind == "gradient")

    rows = tuple(replace(r, error=1.0) if wrong(r) else r for r in report.rows)
    signs = {name(row): row.sign for row in replace(report, rows=rows).table.rows}
    assert {where for where, sign in signs.items() if sign == "✗"} == {"d['W']", "d['logits']"}
    assert {where for where, sign in signs.items() if sign == "↳"} == {"∂L/∂W"}


def test_agreement_is_one_sentence(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, backends=("numpy", "jax", "torch")).report
    assert report.table.headline == f"All {len(report.rows)} comparisons of numpy, jax, torch agree."


def test_a_disagreement_is_one_sentence(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, wrong=[("numpy", "W")]).report
    assert report.table.headline == f"4 of {len(report.rows)} comparisons disagree, in d['W']."


def test_no_comparison_is_no_agreement(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, backends=("jax",), witnesses=("jax",)).report
    assert report.table.headline.startswith("Nothing was compared")
