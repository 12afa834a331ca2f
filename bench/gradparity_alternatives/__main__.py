"""``python -m gradparity_alternatives``: what the same training costs in what people would use instead.

Each contestant has a process of its own, restricted to the same number of threads and cores before it imports
anything. They train from the same weights on the same batches; whose weights after two epochs are not those of
the hand derivation in float64, up to rounding, is not timed. Then all take turns, an epoch each, in shuffled order.

Each epoch of an alternative is one call of what its users call, with the examples in memory as float32 and put into
the epoch's order within the timed epoch: ``partial_fit``, ``fit``, a loop over a jitted step, a loop over a DataLoader.
The exit status is 0 whatever the ratios are, and 2 for unusable input.
"""

import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from gradparity.drawing.terminal import progress
from gradparity.errors import UsageError, unknown
from gradparity.manifest import manifest, versions
from gradparity.output import require_writable, write_json
from gradparity.report.cli.options import DataDir, JsonFile
from gradparity_alternatives.measure import measure
from gradparity_alternatives.tables import Table, for_terminal, markdown
from gradparity_alternatives.task import MODELS, Task
from gradparity_bench.engine.threads import cores
from gradparity_bench.tables import machine_line

PROGRAM = "python -m gradparity_alternatives"
BATCH_SIZES = {"digits": 64, "mnist": 256}
"""Data set -> batch size: those that ``gradparity train`` and the notebook take."""
DISTRIBUTIONS = ("scikit-learn", "keras", "flax", "optax")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def alternatives(
    data: Annotated[str, typer.Option("--data", help="digits or mnist.")] = "digits",
    data_dir: DataDir = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Epochs of each contestant that count.")] = 15,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads and cores of each contestant.")] = 1,
    json: JsonFile = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Time an epoch in scikit-learn, Keras, flax and plain PyTorch beside gradparity's own backends."""
    require_writable(json)
    cores(threads)
    if data not in BATCH_SIZES:
        raise unknown("data set to compare the alternatives on", data, BATCH_SIZES)
    where = None if data_dir is None else str(data_dir)
    tasks = [Task(data, where, model, BATCH_SIZES[data]) for model in MODELS]
    with progress() as display:
        shown = display.add_task("starting", total=None)
        tables = [
            Table(task, threads, measure(task, rounds, threads, lambda now: display.update(shown, description=now)))
            for task in tasks
        ]
    machine = {**manifest(), **versions(DISTRIBUTIONS)}
    if json is not None:
        write_json(json, {"machine": machine, "tables": [asdict(table) for table in tables]})
    console = Console()
    for table in tables:
        if as_markdown:
            print(markdown(table), end="\n\n")
            continue
        console.print(for_terminal(table))
        for refusal in table.refusals:
            console.print(refusal, highlight=False, markup=False, soft_wrap=True)
    print(machine_line(machine))


def main(arguments: list[str]) -> int:
    """Measure, and return the exit status."""
    try:
        return app(arguments, prog_name=PROGRAM, standalone_mode=False) or 0
    except UsageError as error:
        problem = str(error)
    except typer.TyperException as error:
        problem = error.format_message()
    print(f"gradparity_alternatives: {' '.join(problem.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
