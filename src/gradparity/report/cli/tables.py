"""Results as tables that fit a terminal of 80 columns."""

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gradparity.comparison import Comparison, Run
from gradparity.parity.examine import DIFFERENCES
from gradparity.parity.report import Kind, Report, Row, describe
from gradparity.parity.training_parity import TrainingParity, TrainingRow
from gradparity.parity.training_parity import describe as describe_training
from gradparity.timing import ratios

console = Console()

NAMED: dict[Kind, str] = {"value": "c['{}']", "gradient": "d['{}']", "whole gradient": "∂L/∂{}"}
"""How a row is named: a line's value, a line's gradient, a parameter's gradient from the backend's own chain."""


def progress() -> Progress:
    """Return a progress display on standard error: on a terminal only, and gone when it ends."""
    errors = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def print_report(report: Report) -> None:
    """Print a report."""
    console.print(report, highlight=False)


def report_shown(report: Report) -> Group:
    """Arrange a row per line and a column per backend, then each disagreement in words, then the verdict."""
    title = f"{report.model}: {report.n} examples, seed {report.seed}; witnesses: {', '.join(report.witnesses)}"
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("line", no_wrap=True)
    for backend in report.backends:
        table.add_column(backend.replace("-", "-\n"), justify="right", no_wrap=True)
    for kind, name in NAMED.items():
        table.add_section()
        for line in _in_reading_order(report, kind):
            cells = (
                _cell([r for r in report.rows if (r.kind, r.line, r.backend) == (kind, line, b)], report)
                for b in report.backends
            )
            table.add_row(name.format(line), *cells)
    remarks = (f"[dim]{text}[/dim]" for text in (_caption(report), *report.remarks))
    findings = (f"[bold red]✗[/bold red] {describe(row)}" for row in report.findings)
    return Group(title, table, *remarks, *findings, verdict(report))


def print_training_parity(found: TrainingParity) -> None:
    """Print a row for each lane and moment and a column for each backend, then each backend that runs apart."""
    title = f"the same {found.steps} steps from the same weights: {found.optimizer}, lr {found.lr:g}"
    caption = (
        f"each cell: relative distance of the worst parameter from {found.truth}'s float64 run, and how much of the "
        "distance that rounding explains it is"
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("lane")
    table.add_column("steps", justify="right")
    for backend in found.backends:
        table.add_column(backend.replace("-", "-\n"), justify="right", no_wrap=True)
    rows = {(row.lane, row.step, row.backend): row for row in found.rows}
    for lane, step in dict.fromkeys((row.lane, row.step) for row in found.rows):
        cells = (rows.get((lane, step, backend)) for backend in found.backends)
        table.add_row(lane, str(step), *("truth" if row is None else _training_cell(row) for row in cells))
    console.print(title, table, f"[dim]{caption}[/dim]", highlight=False)
    for name, reason in found.untrained.items():
        console.print(f"[dim]{escape(f'{name} is not trained: {reason}')}[/dim]", highlight=False)
    _print_training_verdict(found)


def _print_training_verdict(found: TrainingParity) -> None:
    for row in found.findings:
        console.print(f"[bold red]✗[/bold red] {describe_training(row, found.truth)}", highlight=False)
    print(training_verdict(found))


def training_verdict(found: TrainingParity) -> str:
    """Say in one sentence whether training runs together."""
    wrong = list(dict.fromkeys(row.backend for row in found.disagreements))
    if wrong:
        return f"Training of {', '.join(wrong)} runs apart from {found.truth}'s within {found.steps} steps."
    largest = max((row.share for row in found.rows), default=0.0)
    return f"Training runs together for {found.steps} steps: at most {largest:.0%} of what rounding explains."


def _training_cell(row: TrainingRow) -> str:
    text = f"{_error(row.distance)} {_percent(row.share):>4}"
    return text if row.agrees else f"[bold red]✗ {text}[/bold red]"


def verdict(report: Report) -> str:
    """Say in one sentence whether the backends agree."""
    total = len(report.rows)
    if report.agrees:
        return f"All {total} comparisons of {', '.join(report.backends)} agree."
    lines = ", ".join(dict.fromkeys(NAMED[row.kind].format(row.line) for row in report.findings))
    follow = len(report.consequences)
    said = f"{len(report.disagreements) - follow} of {total} comparisons disagree, in {lines}"
    return f"{said}; {follow} more follow from that (↳)." if follow else f"{said}."


def print_comparison(result: Comparison) -> None:
    """Print a row per backend: parity, training, cost."""
    s = result.settings
    title = (
        f"{result.spec.name} on {result.dataset.name}: {s.epochs} epochs, batch {s.batch_size}, lr {s.lr:g}, "
        f"{s.optimizer}, {s.dtype}, seed {s.seed}"
    )
    caption = (
        f"weights: largest difference from {result.runs[0].backend}'s after training; "
        "step: time of a training step on one thread as a ratio, measured in turns, median and quartiles"
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("backend", "gradients", "loss", "test acc.", "weights", "step", "quartiles"):
        table.add_column(column, justify="left" if column in ("backend", "gradients") else "right", no_wrap=True)
    for run in result.runs:
        table.add_row(*_summary(result, run))
    console.print(title, table, f"[dim]{caption}[/dim]", highlight=False)
    if result.training is not None:
        _print_training_verdict(result.training)


def _summary(result: Comparison, run: Run) -> Iterable[str]:
    yield run.backend
    yield "agree" if result.report.agrees_for(run.backend) else "[bold red]✗ disagree[/bold red]"
    yield f"{run.epochs[-1].loss:.4f}"
    yield "" if run.test_accuracy is None else f"{run.test_accuracy:.2%}"
    yield _error(run.differences[-1])
    if run.backend not in result.timings:
        yield from ("not timed", "")
        return
    to = next(iter(result.timings))
    median, low, high = ratios(result.timings, to)[run.backend]
    yield from ("1×", "") if run.backend == to else (f"{median:.2f}×", f"{low:.2f}–{high:.2f}")


def _caption(report: Report) -> str:
    parts = {"float64": "float64 relative error", "float32": "share of the float32 error budget"}
    lanes = [text for lane, text in parts.items() if any(row.lane == lane for row in report.rows)]
    worst = " against the worst witness" if len(report.witnesses) > 1 else ""
    cells = (
        f"each cell: {', '.join(lanes)}{worst}; c and d: each line alone, fed the witness's numbers; "
        "∂L/∂: the backend's own chain"
    )
    bugs = report.smallest_visible_bugs
    if not bugs:
        return cells
    kind, line = max(bugs, key=lambda key: bugs[key])
    size = bugs[kind, line]
    return f"{cells}; float32 here shows a relative bug above {size:.0e} (worst line {NAMED[kind].format(line)})"


def _in_reading_order(report: Report, kind: Kind) -> list[str]:
    """Values as the forward pass goes, gradients as the backward pass goes."""
    lines = list(dict.fromkeys(row.line for row in report.rows if row.kind == kind))
    return lines if kind == "value" else lines[::-1]


def _cell(rows: list[Row], report: Report) -> str:
    """The worst error of each lane, in red with a cross where it disagrees; with an arrow where that is no news."""
    if not rows:
        return "given"
    # What autodiff gives is exact to rounding; differences are not, and would hide that.
    shown = [row for row in rows if row.witness != DIFFERENCES] or rows
    by_lane = {lane: [r for r in shown if r.lane == lane] for lane in ("float64", "float32")}
    text = " ".join(
        _error(max(r.error for r in own)) if lane == "float64" else f"{_percent(max(r.share for r in own)):>4}"
        for lane, own in by_lane.items()
        if own
    )
    return {"✓": text, "✗": f"[bold red]✗ {text}[/bold red]", "↳": f"[yellow]↳ {text}[/yellow]"}[report.sign(rows)]


def _error(error: float) -> str:
    return f"{error:.0e}" if error else "0"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share < 10 else ">999%"
