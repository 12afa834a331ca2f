"""``python -m gradparity_bench.speed``: what an epoch of softmax regression on MNIST costs.

Two tables. The first times each backend's epoch against the notebook's own loop in NumPy, and the torch backend's
against the loop that a PyTorch user writes. The second times the framework's loop against the same operations
written without the framework. Each loop has a process of its own, by default with as many threads as there are cores.
Where other work has the cores, threads that wait for each other make the figures meaningless: the row of a baseline
against itself shows it.

Nothing is timed whose weights after two epochs are not those of the hand derivation. The exit status is 0 whatever the
ratios are, and 2 for unusable input.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from gradparity import SoftmaxRegression, data, registry
from gradparity.drawing import Table, TableColumn, table_of
from gradparity.drawing.terminal import telling
from gradparity.errors import UsageError
from gradparity.manifest import manifest
from gradparity.output import require_writable
from gradparity.protocol import Examples
from gradparity.report.cli.options import DataDir, JsonFile
from gradparity_bench import PROCESSES
from gradparity_bench.contests import contests, interval, run_app, show_all
from gradparity_bench.engine.process import cores
from gradparity_bench.engine.sitting import Progress
from gradparity_bench.entries import Entry, training
from gradparity_bench.results import Measurement
from gradparity_bench.standings import Standing

PROGRAM = "gradparity_bench.speed"
BATCH_SIZE = 256
COLUMNS = ("loop", "s / epoch", TableColumn("against", "code"), "ratio", "interval", "target")


@dataclass(frozen=True)
class Contest:
    """Loops that are timed in turns: a baseline, and each other loop with the largest ratio to it that is wanted."""

    baseline: str
    targets: Mapping[str, float | None]
    """Backend -> ratio; None where nothing is promised."""

    @property
    def entries(self) -> list[Entry]:
        """All its loops, the baseline first."""
        return [training(name) for name in (self.baseline, *self.targets)]


SPEED = (
    Contest("notebook", {"numpy": 0.80, "jax": 0.80, "torch": None, "jax-manual": None, "torch-manual": None}),
    Contest("PyTorch loop", {"torch": 0.60}),
)
OVERHEAD = tuple(Contest(f"{name} inlined", {name: 1.03}) for name in registry.DEFAULT)
"""Each framework loop against the same operations written without the framework."""
TITLES = {
    "One epoch of softmax regression on MNIST, batch 256, float32": SPEED,
    "The framework's loop against the same operations written without the framework": OVERHEAD,
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def speed(
    data_dir: DataDir = None,
    rounds: Annotated[int, typer.Option("--rounds", min=3, help="Epochs of each loop that count.")] = 15,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads and cores of each loop; all without it.")
    ] = None,
    json: JsonFile = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Time an epoch of each backend on MNIST against loops written without the framework."""
    require_writable(json)
    threads = threads or int(manifest()["cores"])
    cores(threads)
    examples, classes = mnist_examples(data_dir)
    with telling() as progress:
        found = run_contests(examples, classes, threads, rounds, progress)
    # Contests in the order of their tables.
    left = iter(found)
    shown = {title: [next(left) for _ in own] for title, own in TITLES.items()}
    tables = [contest_table(title, TITLES[title], own) for title, own in shown.items()]
    show_all(shown, tables, manifest(), json, as_markdown=as_markdown)


def mnist_examples(data_dir: Path | None) -> tuple[Examples, int]:
    """Return MNIST's training examples and classes. Raises UsageError where MNIST is not on this machine."""
    status = data.status("mnist", data_dir)
    if not status.present:
        fix = f": run  {status.command}" if status.command else ""
        raise UsageError(f"the speed is measured on MNIST, which is not here ({status.where}){fix}")
    mnist = data.load("mnist", data_dir=data_dir)
    return mnist.train, mnist.outputs


def run_contests(examples: Examples, classes: int, threads: int, rounds: int, progress: Progress) -> list[Measurement]:
    """Time all loops of all tables."""
    return contests(
        [contest.entries for own in TITLES.values() for contest in own],
        SoftmaxRegression(features=examples.x.shape[1], classes=classes),
        examples,
        batch_size=BATCH_SIZE,
        threads=threads,
        rounds=rounds,
        processes=PROCESSES,
        progress=progress,
    )


def contest_table(title: str, own: tuple[Contest, ...], found: list[Measurement]) -> Table:
    """Return the contests of one table: each baseline against itself, then the others."""
    groups = (_rows(contest, m) for contest, m in zip(own, found, strict=True))
    return table_of(title, COLUMNS, groups)


def _rows(contest: Contest, m: Measurement) -> Iterator[tuple[str, ...]]:
    same = m.same("epoch")
    said = ("not timed", "") if same is None else (f"{same.value:.3g}×", f"{same.low:.3g}–{same.high:.3g}")
    yield ("itself, again", _seconds(m.again), contest.baseline, *said, "")
    for name, target in contest.targets.items():
        row = m.row(name)
        said = interval(m, name, contest.baseline) if row.timed else ("not timed", "")
        yield (name, _seconds(row), contest.baseline, *said, "" if target is None else f"≤ {target:.2f}")


def _seconds(row: Standing | None) -> str:
    seconds = None if row is None else row.seconds("epoch")
    return "" if seconds is None else f"{seconds:.4f}"


def main(arguments: list[str]) -> int:
    """Measure, and return the exit status."""
    return run_app(app, PROGRAM, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
