"""A benchmark's result as tables that fit a terminal of 80 columns, the verdicts in words below."""

from collections.abc import Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from gradparity_bench import words
from gradparity_bench.places import common_label, differing, full_label, label, sweep_axis
from gradparity_bench.results import Measurement, Result
from gradparity_bench.standings import Standing

console = Console()


def print_result(result: Result, *, as_grid: bool) -> None:
    """Print the tables of every point, or one table of all points where there are several, then the verdicts."""
    found = result.measurements
    if len(found) == 1:
        _print_point(found[0], as_grid=as_grid)
    elif found:
        console.print(*_sweep(found), highlight=False)
    for sentence in words.verdicts(found):
        console.print(f"[bold]{escape(sentence)}[/bold]", highlight=False)
    axis = sweep_axis([m.point for m in found])
    for common, crossovers in words.crossovers(found):
        for crossover in crossovers:
            said = words.describe_crossover(crossover, axis or "")
            console.print(escape(f"{said}{f' ({common})' if common else ''}."), highlight=False)
    for m in found:
        where = label(m.point, differing([each.point for each in found]))
        for remark in words.untimed(m):
            # A command in it is copied as it is typed.
            _warn(f"{where}: {remark}" if where else remark, soft_wrap=True)
    for caution in words.cautions(found):
        _warn(caution)


def _warn(text: str, *, soft_wrap: bool = False) -> None:
    console.print(f"[yellow]{escape(text)}[/yellow]", highlight=False, soft_wrap=soft_wrap)


def _print_point(m: Measurement, *, as_grid: bool) -> None:
    rounds = next((len(row.rounds.step) for row in m.timed if row.rounds), 0)
    console.print(escape(f"{full_label(m.point)}, {rounds} rounds"), highlight=False)
    if not m.timed:
        return
    if as_grid:
        console.print(_grid(m), highlight=False)
    console.print(_cost(m), f"[dim]{_cost_caption(m)}[/dim]\n", highlight=False)
    console.print(_phases(m), f"[dim]{_phases_caption(m)}[/dim]\n", highlight=False)


def _table(*columns: str, left: Iterable[str] = ("backend",)) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return table


def _grid(m: Measurement) -> Table:
    columns = ("library", "derived by hand", "derived by the machine")
    table = _table(*columns, left=columns)
    for row in words.grid(m):
        table.add_row(row.library, _cells(m, row.by_hand), _cells(m, row.by_machine))
    return table


def _cells(m: Measurement, rows: Sequence[Standing]) -> str:
    return "\n".join(
        f"{row.backend:<14} {words.seconds(row.seconds()) or row.status:>8} {words.to_baseline(m, row):>7}"
        for row in rows
    )


def _cost(m: Measurement) -> Table:
    table = _table("backend", "step", "ratio", "95%\ninterval", "verdict", "∇/loss", "limit", "memory\n(MiB)")
    for row in m.timed:
        gradient = row.gradient_over_loss
        table.add_row(
            row.backend,
            words.seconds(row.seconds()),
            words.to_baseline(m, row),
            _interval(m, row),
            _verdict(m, row),
            "" if gradient is None else words.times(gradient.value),
            words.share(m.roofline_share(row.backend)),
            "" if row.peak_memory is None else f"{row.peak_memory / words.MIB:,.0f}",
        )
    return table


def _cost_caption(m: Measurement) -> str:
    limits = ""
    if m.limits is not None:
        peak = words.rate(m.limits.peak_flops, "FLOP")
        limits = f"; limit: share of what this machine could do at best ({peak}, {words.rate(m.limits.bandwidth, 'B')})"
    return f"{words.noise(m)}; ∇/loss: loss and gradient over the loss alone{limits}"


def _phases(m: Measurement) -> Table:
    table = _table("backend", "import", "trace", "compile", "first step", "epoch", "ahead\nafter")
    for row in m.timed:
        if row.phases is None:
            continue
        paid = (row.phases.importing, row.phases.trace, row.phases.compile, row.phases.first_step)
        epoch = words.seconds(row.seconds("epoch"))
        table.add_row(row.backend, *map(words.seconds, paid), epoch, _ahead(m, row))
    return table


def _phases_caption(m: Measurement) -> str:
    base = "" if m.baseline is None else m.baseline.backend
    return (
        f"paid once: import to first step; epoch: {m.examples} examples with the gathering of batches; "
        f"ahead after: steps until all that is faster than {base} has paid for its start"
    )


def _sweep(found: Sequence[Measurement]) -> Iterator[RenderableType]:
    """Yield a row for each point with each backend's ratio to the first, and what the cells mean."""
    names = differing([m.point for m in found])
    backends = [row.backend for row in found[0].rows]
    table = _table("point", *(name.replace("-", "-\n") for name in backends), left=("point",))
    for m in found:
        cells = (_sweep_cell(m, m.row(name)) for name in backends)
        table.add_row(label(m.point, names).replace(", ", "\n"), *cells)
    points = [m.point for m in found]
    yield escape(f"{points[0].model}, {common_label(points)}")
    yield table
    floors = sorted(floor for m in found if (floor := m.noise_floor()) is not None)
    noise = f"; noise floor from {floors[0]:.2f}× to {floors[-1]:.2f}×" if floors else ""
    yield f"[dim]first line: a training step; second line: its ratio to the first backend's{noise}[/dim]\n"


def _sweep_cell(m: Measurement, row: Standing) -> str:
    if not row.timed:
        return f"[yellow]{row.status}[/yellow]"
    return f"{words.seconds(row.seconds())}\n{_short(m, row)}"


def _short(m: Measurement, row: Standing) -> str:
    """The ratio, or the word where it means nothing."""
    said = _verdict(m, row)
    return said if said in ("tie", "unclear") else words.to_baseline(m, row)


def _interval(m: Measurement, row: Standing) -> str:
    ratio = m.ratio(row.backend)
    return "" if ratio is None or row is m.baseline else f"{ratio.low:.2f}–{ratio.high:.2f}"


def _verdict(m: Measurement, row: Standing) -> str:
    return "" if row is m.baseline else m.verdict(row.backend) or "unknown"


def _ahead(m: Measurement, row: Standing) -> str:
    if row is m.baseline:
        return ""
    steps = m.break_even(row.backend)
    return "never" if steps is None else f"{steps:,}"
