"""``python -m gradparity_bench.alternatives``: what the same training costs in what people would use instead.

The same network, from the same weights, on the same batches, by the same optimiser, in scikit-learn, Keras, flax with
optax, plain PyTorch, and in gradparity's own backends. Each has a process of its own, restricted to the same number of
threads and cores before it imports anything; whose weights after two epochs are not those of the hand derivation in
float64, up to rounding, is not timed. Then all take turns, an epoch each, in shuffled order.

Each epoch of an alternative is one call of what its users call, with the examples in memory as float32 and put into
the epoch's order within the timed epoch: ``partial_fit``, ``fit``, a loop over a jitted step, a loop over a DataLoader.
The exit status is 0 whatever the ratios are, and 2 for unusable input.
"""

import sys
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated

import typer

from gradparity.data import load
from gradparity.drawing import Table, table_of
from gradparity.drawing.terminal import telling
from gradparity.errors import unknown
from gradparity.manifest import manifest, versions
from gradparity.models import spec_for_data
from gradparity.output import require_writable
from gradparity.report.cli.options import DataDir, JsonFile
from gradparity_bench.contests import contests, interval, run_app, show_all
from gradparity_bench.drawn import EPOCHS
from gradparity_bench.engine.process import cores
from gradparity_bench.entries import ALTERNATIVES, LR, OWN
from gradparity_bench.places import spoken
from gradparity_bench.results import Measurement
from gradparity_bench.standings import Standing

PROGRAM = "gradparity_bench.alternatives"
BATCH_SIZES = {"digits": 64, "mnist": 256}
"""Data set -> batch size: those that ``gradparity train`` and the notebook take."""
MODELS: dict[str, Sequence[str]] = {"softmax_regression": (), "mlp": ("hidden=32", "activation=relu")}
"""Model -> its settings: none hidden, or one hidden layer."""
DISTRIBUTIONS = ("scikit-learn", "keras", "flax", "optax")
COLUMNS = ("contestant", "loss", "first", "ms", "ratio", "interval", "numpy")
CAPTION = (
    f"loss: after {EPOCHS} epochs, over all training examples; first: seconds of the first epoch with its compilation, "
    "import not counted; ms: one epoch, the median; ratio: to gradparity's own backend on the same library, the first "
    "of its group, paired round by round, with its 95% interval; numpy: the ratio to gradparity's own on NumPy"
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def alternatives(
    data: Annotated[str, typer.Option("--data", help="digits or mnist.")] = "digits",
    data_dir: DataDir = None,
    rounds: Annotated[int, typer.Option("--rounds", min=3, help="Epochs of each contestant that count.")] = 15,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads and cores of each contestant.")] = 1,
    json: JsonFile = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Time an epoch in scikit-learn, Keras, flax and plain PyTorch beside gradparity's own backends."""
    require_writable(json)
    cores(threads)
    if data not in BATCH_SIZES:
        raise unknown("data set to compare the alternatives on", data, BATCH_SIZES)
    dataset = load(data, data_dir=data_dir)
    found: list[Measurement] = []
    with telling() as progress:
        for model, settings in MODELS.items():
            found += contests(
                [ALTERNATIVES],
                spec_for_data(model, dataset, settings),
                dataset.train,
                batch_size=BATCH_SIZES[data],
                threads=threads,
                rounds=rounds,
                processes=1,
                progress=progress,
            )
    tables = [contestants_table(data, m) for m in found]
    machine = {**manifest(), **versions(DISTRIBUTIONS)}
    shown = {table.title: [m] for table, m in zip(tables, found, strict=True)}
    show_all(shown, tables, machine, json, as_markdown=as_markdown)


def contestants_table(data: str, m: Measurement) -> Table:
    """Return a table with a group for each library."""
    point = m.point
    title = (
        f"{point.model} on {data}: batch {point.batch_size}, lr {LR:g}, SGD, float32, "
        f"{spoken('threads', point.threads)}"
    )
    groups = ((contestant_cells(m, row) for row in rows) for _, rows in groupby(m.rows, key=lambda row: row.library))
    floor = m.noise_floor("epoch")
    noise = "" if floor is None else f"; within {floor:.2f}×, from two copies of {m.rows[0].backend}, is a tie"
    return table_of(title, COLUMNS, groups, caption=CAPTION + noise)


def contestant_cells(m: Measurement, row: Standing) -> tuple[str, ...]:
    """Return what stands in each column."""
    loss = "" if row.final_loss is None else f"{row.final_loss:.4f}"
    first = "" if row.phases is None else f"{row.phases.first_step:.2f}"
    seconds = row.seconds("epoch")
    if seconds is None:
        return row.backend, loss, first, "", "not timed", "", ""
    own = interval(m, row.backend, OWN[row.library])
    to_numpy = m.ratio(row.backend, OWN["numpy"], "epoch") if m.baseline is m.row(OWN["numpy"]) else None
    return row.backend, loss, first, f"{1e3 * seconds:.3g}", *own, "" if to_numpy is None else f"{to_numpy.value:.3g}×"


def main(arguments: list[str]) -> int:
    """Measure, and return the exit status."""
    return run_app(app, PROGRAM, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
