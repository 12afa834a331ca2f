"""Rows of a check as the one table that a terminal, a page and Jupyter draw: a row a line, a column a backend."""

from collections.abc import Collection, Mapping, Sequence

from gradparity.drawing import Entry, Listing, Sign, Table, TableCell, TableColumn, TableGroup, TableNumber, TableRow
from gradparity.drawing.words import listing
from gradparity.parity.rows import (
    DIFFERENCES,
    NAMED,
    Kind,
    Lane,
    Row,
    Unchecked,
    consequences,
    disagreements,
    findings,
    sign,
    smallest_visible_bugs,
    told,
)

TITLES: dict[Kind, str] = {
    "value": "Values, in forward order",
    "gradient": "Gradients, in backward order: each line alone, fed the witness's numbers",
    "whole gradient": "Whole gradients: the backend's own chain from the loss to the parameter",
    "Hessian-vector product": "Hessian-vector products: how a whole gradient changes along a random direction v",
}
PARTS: dict[Lane, tuple[str, str]] = {
    "float64": ("error", "float64 relative error"),
    "float32": ("budget", "share of the float32 error budget"),
    "bfloat16": ("bfloat16", "share of what plain code leaves room for in bfloat16"),
    "float16": ("float16", "share of what plain code leaves room for in float16"),
}
"""Lane -> the heading of its entry in a cell, and what that is."""
SIGNS = (
    "A hand-derived line is fed the witness's numbers, so an error stays in the line that makes it. ↳ marks what "
    "differs only because another line of the same backend is wrong. 0 means the same bits; given means that there is "
    "nothing to compare, as where a backend is the only witness."
)


def report_table(
    title: str,
    rows: Sequence[Row],
    backends: Sequence[str],
    witnesses: Sequence[str],
    remarks: Sequence[str],
    unchecked: Sequence[Unchecked] = (),
    listings: Sequence[Listing] = (),
) -> Table:
    """Arrange rows: values in forward order, gradients of lines backwards, then whole gradients."""
    follow, bugs = consequences(rows), smallest_visible_bugs(rows)
    lanes = [lane for lane in PARTS if any(row.lane == lane for row in rows)]
    groups = []
    for kind, about in TITLES.items():
        own = [row for row in rows if row.kind == kind]
        lines = list(dict.fromkeys(row.line for row in own))
        made = [
            _table_row(
                next(row.name for row in own if row.line == line),
                {b: [r for r in own if (r.line, r.backend) == (line, b)] for b in backends},
                follow,
                lanes,
                [_bug(bugs.get((kind, line)))] if bugs else [],
            )
            for line in (reversed(lines) if kind == "gradient" else lines)
        ]
        groups += [TableGroup(tuple(made), about)] if made else []
    return Table(
        title,
        (
            TableColumn("line", "code"),
            *(TableColumn(backend, parts=tuple(PARTS[lane][0] for lane in lanes)) for backend in backends),
            *([TableColumn("smallest bug", detail=True)] if bugs else []),
            TableColumn("verdict", "word", detail=True),
        ),
        tuple(groups),
        caption=_caption(lanes, witnesses, bugs, {row.kind for row in rows}),
        legend=(_how_to_read(witnesses, bool(bugs)), SIGNS),
        remarks=tuple(remarks),
        findings=(*told(findings(rows)), *map(str, unchecked)),
        headline=_headline(rows, backends, unchecked),
        agrees=bool(rows) and not disagreements(rows) and not unchecked,
        listings=tuple(listings),
    )


def _table_row(
    name: str,
    found: Mapping[str, Sequence[Row]],
    follow: Sequence[Row],
    lanes: Sequence[Lane],
    details: Sequence[TableCell],
) -> TableRow:
    signs = {backend: sign(own, follow) for backend, own in found.items()}
    wrong, follows = ([b for b, own in signs.items() if own == which] for which in ("✗", "↳"))
    said = [f"{listing(names)} {word}" for names, word in ((wrong, "wrong"), (follows, "follows")) if names]
    whole: Sign = "✗" if wrong else "↳" if follows else "✓"
    cells = (TableCell(_entries(own, lanes) if own else ("given",), signs[b]) for b, own in found.items())
    verdict = TableCell((", ".join(said) or "✓ agree",), whole)
    return TableRow((TableCell((name,)), *cells, *details, verdict), whole)


def _entries(rows: Sequence[Row], lanes: Sequence[Lane]) -> tuple[Entry, ...]:
    """Return the worst of each lane.

    What differences say is not exact to rounding, and would hide that autodiff is: it is shown where nothing else was
    compared, and where it disagrees.
    """
    shown = [row for row in rows if row.witness != DIFFERENCES or not row.agrees] or rows

    def worst(lane: Lane) -> Entry:
        own = [row for row in shown if row.lane == lane]
        if not own:
            return "–"
        if lane == "float64":
            return TableNumber(max(row.error for row in own), "error")
        return TableNumber(max(row.share for row in own), "share")

    return tuple(map(worst, lanes))


def _bug(size: float | None) -> TableCell:
    return TableCell(("–" if size is None else TableNumber(size, "error"),))


def _headline(rows: Sequence[Row], backends: Sequence[str], unchecked: Sequence[Unchecked]) -> str:
    total, wrong, follow = len(rows), len(disagreements(rows)), len(consequences(rows))
    if total == 0 and unchecked:
        return f"Nothing was compared: not checked: {', '.join(dict.fromkeys(each.what for each in unchecked))}."
    if total == 0:
        return f"Nothing was compared: {listing(backends)} has no other machine-derived gradient beside it."
    if not wrong and unchecked:
        what = ", ".join(dict.fromkeys(each.what for each in unchecked))
        return f"Not checked: {what}. The {total} comparisons that were made agree."
    if not wrong:
        all_agree = f"All {total} comparisons" if total > 1 else "The one comparison"
        return f"{all_agree} of {', '.join(backends)} agree{'' if total > 1 else 's'}."
    lines = ", ".join(dict.fromkeys(row.name for row in findings(rows)))
    said = f"{wrong - follow} of {total} comparisons disagree, in {lines}"
    return f"{said}; {follow} more follow from that (↳)." if follow else f"{said}."


def _caption(
    lanes: Sequence[Lane], witnesses: Sequence[str], bugs: Mapping[tuple[Kind, str], float], kinds: Collection[Kind]
) -> str:
    if not lanes:
        return ""
    worst = " against the worst witness" if len(witnesses) > 1 else ""
    lines = "each line alone, fed the witness's numbers"
    if "whole gradient" in kinds:
        lines = f"c and d: {lines}; ∂L/∂: the backend's own chain"
    cells = f"each cell: {', '.join(PARTS[lane][1] for lane in lanes)}{worst}; {lines}"
    if not bugs:
        return cells
    kind, line = max(bugs, key=lambda key: bugs[key])
    size = bugs[kind, line]
    return f"{cells}; float32 here shows a relative bug above {size:.0e} (worst line {NAMED[kind].format(line)})"


def _how_to_read(witnesses: Sequence[str], smallest_bug: bool) -> str:
    machines = [name for name in witnesses if name != DIFFERENCES] or witnesses
    read = (
        "Each row is one named line of the model; each backend is held against every backend that differentiates by "
        f"machine ({listing(machines)}) except itself, and the worst result is shown. What differences of the loss say "
        "is not exact to rounding: it is shown where nothing else was compared, and where it disagrees. Error is the "
        "relative difference ‖a − b‖ / ‖b‖ in float64: a right formula stays below 10⁻¹⁰. Budget is the share of the "
        "error that rounding alone explains in float32: up to 100% is right."
    )
    if not smallest_bug:
        return read
    bug = "Smallest bug is what 100% of it comes to: a relative error below it would not show in float32"
    return f"{read} {bug} on these numbers."
