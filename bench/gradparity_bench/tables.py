"""What a benchmark measured, as tables of gradparity's one table model: a terminal and a page draw the same."""

from collections.abc import Iterator, Sequence

from gradparity.drawing import Table, TableCell, TableColumn, table_of
from gradparity_bench import words
from gradparity_bench.places import common_label, differing, label
from gradparity_bench.results import Measurement
from gradparity_bench.standings import Standing

VERDICT = TableColumn("verdict", "code")
EXAMPLES = TableColumn("examples\n/ s", detail=True)
THREADS = TableColumn("threads\nseen", detail=True)
LOSS = TableColumn("loss at\nthe end", detail=True)


def each_step(m: Measurement) -> Table:
    """Return what a step costs in every timed backend, beside the first one and the machine's limit."""
    columns = ("backend", "step", "ratio", "95%\ninterval", VERDICT, "∇/loss", "limit", EXAMPLES, THREADS)
    rows = (
        (
            row.backend,
            words.seconds(row.seconds()),
            words.to_baseline(m, row),
            _interval(m, row),
            _verdict(m, row),
            "" if row.gradient_over_loss is None else words.times(row.gradient_over_loss.value),
            words.share(m.roofline_share(row.backend)),
            f"{m.samples_per_second(row.backend):,.0f}",
            f"{row.threads_observed:.2f}",
        )
        for row in m.timed
    )
    limits = ""
    if m.limits is not None:
        peak = words.rate(m.limits.peak_flops, "FLOP")
        limits = f"; limit: share of what this machine could do at best ({peak}, {words.rate(m.limits.bandwidth, 'B')})"
    said = f"{words.noise(m)}; ∇/loss: loss and gradient over the loss alone{limits}"
    return table_of("Each step", columns, [rows], caption=said)


def paid_once(m: Measurement) -> Table:
    """Return what is paid before the steady step, when it has paid off, and what an epoch and memory come to."""
    columns = ("backend", "import", "trace", "compile", "first\nstep", "ahead\nafter", "epoch", "memory\n(MiB)", LOSS)
    rows = (
        (
            row.backend,
            *map(words.seconds, (paid.importing, paid.trace, paid.compile, paid.first_step)),
            _ahead(m, row),
            words.seconds(row.seconds("epoch")),
            "" if row.peak_memory is None else f"{row.peak_memory / words.MIB:,.0f}",
            "" if row.final_loss is None else f"{row.final_loss:.6g}",
        )
        for row in m.timed
        if (paid := row.phases) is not None
    )
    base = "" if m.baseline is None else m.baseline.backend
    said = (
        f"paid once: import to first step; ahead after: steps until all that is faster than {base} has paid for its "
        f"start; epoch: {m.examples} examples with the gathering of batches; memory: at its peak"
    )
    return table_of("Paid once", columns, [rows], caption=said)


def library_and_method(m: Measurement) -> Table:
    """Return a row for each library, with who derives by hand and who by machine in two columns."""

    def cell(rows: Sequence[Standing]) -> str:
        return "\n".join(
            f"{row.backend:<14} {words.seconds(row.seconds()) or row.status:>8} {words.to_baseline(m, row):>7}"
            for row in rows
        )

    columns = ("library", TableColumn("derived by hand", "code"), TableColumn("derived by the machine", "code"))
    rows = ((row.library, cell(row.by_hand), cell(row.by_machine)) for row in words.grid(m))
    return table_of("A training step, and its ratio to the first backend's", columns, [rows])


def sweep(found: Sequence[Measurement]) -> Table:
    """Return a row for each point, with each backend's step and its ratio to the first."""
    points = [m.point for m in found]
    names = differing(points)
    backends = [row.backend for row in found[0].rows]

    def row(m: Measurement) -> Iterator[str | TableCell]:
        yield label(m.point, names).replace(", ", "\n")
        for name in backends:
            own = m.row(name)
            step = f"{words.seconds(own.seconds())}\n{_short(m, own)}"
            yield step if own.timed else TableCell((own.status,), "–", own.reason)

    floors = sorted(floor for m in found if (floor := m.noise_floor()) is not None)
    noise = f"; noise floor from {floors[0]:.2f}× to {floors[-1]:.2f}×" if floors else ""
    said = f"first line: a training step; second line: its ratio to the first backend's{noise}"
    title = f"{points[0].model}, {common_label(points)}"
    return table_of(title, ("point", *backends), [map(row, found)], caption=said)


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
