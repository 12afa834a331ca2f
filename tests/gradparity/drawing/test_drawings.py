"""One table, drawn in a terminal, as text, in HTML and in Markdown: the same numbers and sentences everywhere."""

import io
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.drawing import Table, TableCell, TableColumn, TableNumber, table_of
from gradparity.drawing.page import Section, fragment, page
from gradparity.drawing.terminal import Shown
from gradparity.drawing.text import markdown, text
from gradparity.parity import Report
from gradparity.parity.rows import Kind, Row
from gradparity.protocol import Dtype

MakeComparison = Callable[..., Comparison]
WIDE = 1000
LONG_TO_SHORT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Cells(HTMLParser):
    """The rows of the tables of a page, each as the texts of its cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.inside = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def coarse(number: str) -> str:
    """Round what a page shows to what a terminal shows."""
    if "×10" in number:
        digits, _, exponent = number.translate(LONG_TO_SHORT).partition("×10")
        return f"{float(f'{digits}e{exponent}'):.0e}"
    if number.startswith("> "):
        return ">999%"
    return re.sub(r"\.\d%", "%", number.replace("< 0.1%", "0%"))


@st.composite
def reports(draw: st.DrawFn) -> Report:
    kinds: list[Kind] = ["value", "gradient", "whole gradient"]
    lanes: list[Dtype] = ["float64", "float32"]
    backends = draw(st.lists(st.sampled_from(["numpy", "jax", "torch-compile"]), min_size=1, unique=True))
    witnesses = ["jax", "torch", "differences"]
    # Two digits, of which the second rounds no half, and shares of whole percents: both drawings can say them.
    errors = st.sampled_from([0.0, 1e-16, 2.2e-16, 4.1e-12, 3e-3, float("inf")])
    rows = [
        Row(line, kind, backend, witness, lane, draw(errors), 1e-10 if lane == "float64" else 1e-5)
        for line in ("W", "h[t]")
        for kind in kinds
        for backend in backends
        for witness in witnesses
        for lane in lanes
        if witness != backend and (witness != "differences" or lane == "float64") and draw(st.booleans())
    ]
    return Report("made up", 11, 0, tuple(backends), tuple(witnesses), tuple(rows), ("a [bold]remark[/bold]",))


@given(reports())
def test_terminal_page_and_text_show_the_same_numbers_and_signs(report: Report) -> None:
    plain = text(report.table, WIDE)
    backends = len(report.backends)
    width = sum(len(column.parts) for column in report.table.columns)
    names = [row.cells[0].entries[0] for row in report.table.rows]
    printed = [line.strip() for line in plain.splitlines() if line.strip().startswith(tuple(map(str, names)))]
    drawn = [row for row in Cells(fragment(report.table)).rows if any(str(name) in row[0] for name in names)]
    assert len(printed) == len(drawn) == len(names)
    for name, line, cells in zip(names, printed, drawn, strict=True):
        shown = cells[1 : len(cells) - 1 - bool(report.smallest_visible_bugs)]
        assert backends <= len(shown) <= width
        words = " ".join(shown).replace("> ", ">").replace("< ", "<").split()
        assert line.removeprefix(str(name)).split() == [
            coarse(word.replace(">1000%", "> 1000%").replace("<0.1%", "< 0.1%")).replace("∞", "inf") for word in words
        ]
    for sentence in (report.table.headline, "a [bold]remark[/bold]"):
        assert sentence in plain
    assert report.agrees == ("✗" not in plain)


@given(reports())
def test_a_terminal_prints_the_text_in_colours(report: Report) -> None:
    file = io.StringIO()
    Console(file=file, width=80, force_terminal=True, color_system="standard").print(report)
    lines = [line.rstrip() for line in COLOUR.sub("", file.getvalue()).splitlines()]
    assert lines == text(report.table, 80).splitlines()


@pytest.mark.parametrize("width", [80, 60, 40])
def test_no_number_is_cut_off_however_narrow_the_terminal(
    make_comparison: MakeComparison, images: Dataset, width: int
) -> None:
    report = make_comparison(images, backends=("numpy", "jax", "torch", "torch-compile", "jax-manual")).report
    plain = text(report.table, width)
    assert max(map(len, plain.splitlines())) <= width
    assert "…" not in plain
    shown = sum(row.cells[0].entries[0] == "c['loss']" for row in report.table.rows)
    assert shown == 1
    assert plain.count("1e-16") == len(report.table.rows) * len(report.backends)


HOSTILE = "x\x1b[31m[bold]<script>alert(1)</script>"


def test_a_hostile_name_is_only_read() -> None:
    table = replace(table_of(HOSTILE, ("a", HOSTILE), [[(HOSTILE, HOSTILE)]]), headline=HOSTILE, findings=(HOSTILE,))
    file = io.StringIO()
    Console(file=file, width=WIDE, force_terminal=True, color_system="truecolor").print(Shown(table))
    assert "\x1b[31m[" not in file.getvalue()
    assert COLOUR.sub("", file.getvalue()).count("x\\x1b[31m[bold]<script>") == 6
    assert "\x1b" not in markdown(table) + text(table)
    assert "<script>" not in fragment(table) + page("check", HOSTILE, [Section("a", HOSTILE, table)], facts={})


def test_what_was_not_checked_says_why() -> None:
    cell = TableCell(("not checked",), "–", "there is no witness")
    table = table_of("", ("line", TableColumn("numpy", parts=("error", "budget"))), [[("z", cell)]])
    assert '<td class="unchecked" title="there is no witness" colspan="2">– not checked</td>' in fragment(table)
    assert "– not checked" in text(table)


def test_an_ordinary_table_needs_no_parity() -> None:
    groups = [[("numpy", "1.5", "1×")], [("jax", "2.5", "2|3")]]
    table = table_of("epochs", ("backend", "ms", "ratio"), groups, caption="median", remarks=["torch is not timed: no"])
    assert text(table, 80).splitlines() == [
        "epochs", "", " backend    ms   ratio", " ─────────────────────", " numpy     1.5      1×", "",
        " jax       2.5     2|3", "", "median", "torch is not timed: no",
    ]  # fmt: skip
    assert markdown(table) == (
        "**epochs**\n\n| backend | ms | ratio |\n| --- | ---: | ---: |\n| numpy | 1.5 | 1× |\n| jax | 2.5 | 2\\|3 |\n\n"
        "median\n\ntorch is not timed: no"
    )


def test_details_are_on_the_page_only() -> None:
    table = table_of("", ("line", TableColumn("why", "word", detail=True)), [[("z", "because")]])
    assert "because" in fragment(table)
    assert "because" not in text(table) + markdown(table)


@pytest.mark.parametrize(
    ("number", "short", "long"),
    [
        (TableNumber(4.24e-12, "error"), "4e-12", "4.2×10⁻¹²"),
        (TableNumber(0.0, "error"), "0", "0"),
        (TableNumber(0.374, "share"), " 37%", "37%"),
        (TableNumber(float("inf"), "share"), ">999%", "> 1000%"),
    ],
)
def test_a_number_is_written_as_there_is_room(number: TableNumber, short: str, long: str) -> None:
    assert (number.short, number.long) == (short, long)


def report_and_training(make_comparison: MakeComparison, images: Dataset) -> list[tuple[object, Table]]:
    found = make_comparison(images, wrong=[("numpy", "W")], apart=["numpy"])
    assert found.training is not None
    return [(found.report, found.report.table), (found.training, found.training.table)]


def test_print_and_jupyter_show_the_table_and_repr_is_one_short_line(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    for report, table in report_and_training(make_comparison, images):
        assert str(report) == text(table)
        assert report._repr_html_() == fragment(table)  # type: ignore[attr-defined]
        assert table.headline in repr(report)
        assert len(repr(report)) < 200
        assert "\n" not in repr(report)


def test_page_and_terminal_agree_where_differences_are_a_witness(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    report = make_comparison(images, backends=("numpy",), witnesses=("jax",)).report
    measured = tuple(
        replace(r, witness="differences", error=4e-12) for r in report.rows if (r.line, r.lane) == ("W", "float64")
    )
    beside = replace(report, witnesses=("jax", "differences"), rows=report.rows + measured)
    assert "4e-12" not in str(beside)
    assert "4.0×10⁻¹²" not in beside.to_html()
    assert "1e-16" in str(beside)


def test_the_model_of_a_table_imports_nothing_that_draws() -> None:
    drawing = {"rich", "jinja2", "matplotlib"}
    code = f"import sys, gradparity.drawing, gradparity.parity.report; print({drawing} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
