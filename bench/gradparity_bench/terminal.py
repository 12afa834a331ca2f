"""A benchmark's result in a terminal: its tables, and which backend to choose and the verdicts in words below."""

from rich.console import RenderableType

from gradparity.drawing.terminal import Shown, console, said
from gradparity_bench import tables, words
from gradparity_bench.places import differing, full_label, label, sweep_axis
from gradparity_bench.results import Measurement, Result


def print_result(result: Result, *, as_grid: bool) -> None:
    """Print the tables of every point, or one table of all points where there are several, then the verdicts."""
    found = result.measurements
    if len(found) == 1:
        _print_point(found[0], as_grid=as_grid)
    elif found:
        _print(Shown(tables.sweep(found)), "")
    for sentence in result.choice:
        _print(said(sentence, "bold"))
    for sentence in words.verdicts(found):
        _print(said(sentence))
    axis = sweep_axis([m.point for m in found])
    for common, crossovers in words.crossovers(found):
        for crossover in crossovers:
            turns = words.describe_crossover(crossover, axis or "")
            _print(said(f"{turns}{f' ({common})' if common else ''}."))
    for m in found:
        where = label(m.point, differing([each.point for each in found]))
        for remark in words.untimed(m):
            # A command in it is copied as it is typed.
            console.print(said(f"{where}: {remark}" if where else remark, "yellow"), soft_wrap=True)
    for caution in words.cautions(found):
        _print(said(caution, "yellow"))


def _print(*lines: RenderableType) -> None:
    console.print(*lines, sep="\n")


def _print_point(m: Measurement, *, as_grid: bool) -> None:
    rounds = next((len(row.rounds.step) for row in m.timed if row.rounds), 0)
    _print(said(f"{full_label(m.point)}, {rounds} rounds"))
    if m.timed:
        shown = [tables.library_and_method(m)] if as_grid else []
        for table in (*shown, tables.each_step(m), tables.paid_once(m)):
            _print(Shown(table), "")
