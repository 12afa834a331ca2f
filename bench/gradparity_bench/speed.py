"""``python -m gradparity_bench.speed``: what an epoch of softmax regression on MNIST costs.

Two tables. The first times each backend's epoch against the notebook's own loop in NumPy, and the torch backend's
against the loop that a PyTorch user writes. The second times the framework's loop against the same operations
written without the framework. Everything runs in one process, in turns and in shuffled order, with as many threads
as each library takes by itself; ``gradparity.timing`` lets the threads of the one before fall asleep. A ratio is the
median of the ratios of each round, beside their quartiles. Where other work has the cores, threads that wait for
each other make the figures meaningless: the row of a baseline against itself shows it.

Nothing is timed whose weights after one epoch are not the notebook's. The exit status is 0 whatever the ratios are,
and 2 for unusable input.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gradparity import data
from gradparity.drawing.terminal import progress
from gradparity.errors import UsageError
from gradparity.manifest import manifest
from gradparity.output import require_writable, write_json
from gradparity.report.cli.options import DataDir, JsonFile
from gradparity_bench.contests import OVERHEAD, SPEED
from gradparity_bench.measure import Progress, measure, refusals
from gradparity_bench.tables import Table, for_terminal, machine_line, markdown
from gradparity_bench.task import Task

PROGRAM = "python -m gradparity_bench.speed"
TITLES = {
    "One epoch of softmax regression on MNIST, batch 256, float32": SPEED,
    "The framework's loop against the same operations written without the framework": OVERHEAD,
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def speed(
    data_dir: DataDir = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Epochs of each loop that count.")] = 15,
    json: JsonFile = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Time an epoch of each backend on MNIST against loops written without the framework."""
    require_writable(json)
    task = mnist_task(data_dir)
    with progress() as display:
        shown = display.add_task("starting", total=None)
        tables = run(task, rounds, lambda now: display.update(shown, description=now))
    machine = manifest()
    if json is not None:
        write_json(json, {"machine": machine, "tables": [asdict(table) for table in tables]})
    console = Console()
    for table in tables:
        if as_markdown:
            print(markdown(table), end="\n\n")
        else:
            console.print(for_terminal(table))
    print(machine_line(machine))


def mnist_task(data_dir: Path | None) -> Task:
    """Return the task on MNIST's training examples. Raises UsageError where MNIST is not on this machine."""
    status = data.status("mnist", data_dir)
    if not status.present:
        fix = f": run  {status.command}" if status.command else ""
        raise UsageError(f"the speed is measured on MNIST, which is not here ({status.where}){fix}")
    mnist = data.load("mnist", data_dir=data_dir)
    return Task(mnist.train, mnist.outputs)


def run(task: Task, rounds: int, progress: Progress) -> list[Table]:
    """Compare the weights of all loops, then time them."""
    refused = refusals(task, SPEED + OVERHEAD, progress)
    return [
        Table(title, tuple(row for c in contests for row in measure(c, task, refused, rounds, progress)))
        for title, contests in TITLES.items()
    ]


def main(arguments: list[str]) -> int:
    """Measure, and return the exit status."""
    try:
        return app(arguments, prog_name=PROGRAM, standalone_mode=False) or 0
    except UsageError as error:
        problem = str(error)
    except typer.TyperException as error:
        problem = error.format_message()
    print(f"gradparity_bench.speed: {' '.join(problem.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
