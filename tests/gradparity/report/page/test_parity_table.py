from collections.abc import Callable
from dataclasses import replace

import pytest

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.models import MLP
from gradparity.report.page.parity_table import Cell, parity_table

MakeComparison = Callable[..., Comparison]


@pytest.fixture
def comparison(make_comparison: MakeComparison, images: Dataset) -> Comparison:
    return make_comparison(images, spec=MLP((12, 4, 5)), wrong=[("numpy", "W2")])


def test_values_run_forwards_and_gradients_backwards(comparison: Comparison) -> None:
    names = [[row.line for row in group.rows] for group in parity_table(comparison.report)]
    assert names == [
        ["z1", "a1", "z2", "a2", "loss"],
        ["loss", "a2", "z2", "b2", "W2", "a1", "z1", "b1", "W1"],
        ["W1", "b1", "W2", "b2"],
    ]


def test_only_the_wrong_line_of_the_wrong_backend_is_marked(comparison: Comparison) -> None:
    rows = [row for group in parity_table(comparison.report) for row in group.rows]
    assert [(row.line, row.verdict) for row in rows if row.sign == "✗"] == [("W2", "numpy wrong")]
    assert {row.verdict for row in rows if row.sign == "✓"} == {"agree"}
    (wrong,) = (row for row in rows if row.sign == "✗")
    assert wrong.cells == (Cell("5.0×10⁻¹", "> 1000%", "✗"), Cell("1.0×10⁻¹⁶", "< 0.1%", "✓"))


def test_a_cell_shows_the_worst_witness(make_comparison: MakeComparison, images: Dataset) -> None:
    comparison = make_comparison(images, backends=("numpy",))
    worse = {"float64": 3e-13, "float32": 4e-6}
    rows = tuple(
        replace(r, error=worse[r.lane]) if (r.kind, r.line, r.witness) == ("value", "loss", "torch") else r
        for r in comparison.report.rows
    )
    values = parity_table(replace(comparison.report, rows=rows))[0]
    assert values.rows[-1].cells == (Cell("3.0×10⁻¹³", "40%", "✓"),)


def test_an_error_without_any_budget_is_beyond_it(make_comparison: MakeComparison, images: Dataset) -> None:
    comparison = make_comparison(images, backends=("numpy",), witnesses=("jax",))
    rows = tuple(replace(r, limit=0.0) for r in comparison.report.rows)
    cell = parity_table(replace(comparison.report, rows=rows))[0].rows[0].cells[0]
    assert cell == Cell("1.0×10⁻¹⁶", "> 1000%", "✗")


def test_a_backend_that_is_the_only_witness_has_empty_cells(make_comparison: MakeComparison, images: Dataset) -> None:
    comparison = make_comparison(images, witnesses=("jax",))
    row = parity_table(comparison.report)[0].rows[0]
    assert row.cells[0] is not None
    assert row.cells[1] is None


def test_no_rows_make_no_table(make_comparison: MakeComparison, images: Dataset) -> None:
    comparison = make_comparison(images, backends=("jax",), witnesses=("jax",))
    assert parity_table(comparison.report) == []


def test_a_row_names_the_smallest_bug_that_float32_shows_against_every_witness(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    comparison = make_comparison(images, backends=("numpy",))
    rows = tuple(
        replace(r, limit=7e-6) if r.witness == "torch" and r.line == "W" else r for r in comparison.report.rows
    )
    _, gradients, _ = parity_table(replace(comparison.report, rows=rows))
    assert {row.line: row.visible for row in gradients.rows} == {
        "W": "1.0×10⁻⁵", "b": "1.0×10⁻⁵", "logits": "1.0×10⁻⁵", "loss": "1.0×10⁻⁵",
    }  # fmt: skip
    larger = tuple(replace(r, limit=3e-5) if r.witness == "torch" and r.line == "W" else r for r in rows)
    _, gradients, _ = parity_table(replace(comparison.report, rows=larger))
    assert {row.visible for row in gradients.rows if row.line == "W"} == {"3.0×10⁻⁵"}


def test_without_float32_there_is_no_smallest_bug(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images).report
    only = replace(report, rows=tuple(r for r in report.rows if r.lane == "float64"))
    assert {row.visible for group in parity_table(only) for row in group.rows} == {""}


def test_a_whole_gradient_is_only_marked_as_following_where_a_line_of_the_backend_is_wrong(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    report = make_comparison(images, backends=("numpy",)).report
    rows = tuple(
        replace(r, error=1.0)
        if (r.line == "W" and r.kind != "value") or (r.line == "logits" and r.kind == "gradient")
        else r
        for r in report.rows
    )
    signs = {(g.title.split()[0], r.line): r.sign for g in parity_table(replace(report, rows=rows)) for r in g.rows}
    assert {where for where, sign in signs.items() if sign == "✗"} == {("Gradients,", "W"), ("Gradients,", "logits")}
    assert {where for where, sign in signs.items() if sign == "↳"} == {("Whole", "W")}
