"""The command line. Each command imports what it computes with when it runs, so that ``--help`` is quick.

Another package adds commands, a ``typer.Typer``, by an entry point in the group ``gradparity.commands``: a single one
is called as the entry point is, several are a group of that name.
"""

from importlib.metadata import entry_points
from typing import Annotated

import typer

from gradparity import __version__
from gradparity.report.cli import exercise
from gradparity.report.cli.check import CheckCommand, check_command
from gradparity.report.cli.compare import compare_command
from gradparity.report.cli.explain import explain_command
from gradparity.report.cli.lists import backends, data, models
from gradparity.report.cli.trace import trace_command
from gradparity.report.cli.train import train_command

EXIT_STATUS = (
    "Exit status: 0 agreed or done, 1 disagreed, 2 unusable input or nothing compared, 3 gradparity could not finish "
    "(a full disk, an error of its own), 130 interrupted, 141 nobody reads the output any more."
)
EXAMPLES = {
    "compare": "gradparity compare mlp --epochs 2 --report out.html",
    "check": "gradparity check my_model.py --report out.html",
    "explain": "gradparity explain my_model.py --html out.html",
    "train": "gradparity train mlp --backend jax --epochs 3 --optimizer adam",
    "trace": "gradparity trace mlp --out mlp.safetensors",
    "models": "gradparity models",
    "backends": "gradparity backends",
    "data": "gradparity data --data-dir ~/data",
}
app = typer.Typer(
    epilog=f"Example:  gradparity check my_model.py\n\n{EXIT_STATUS}",
    help="Gradients derived by hand beside gradients derived by a machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(f"gradparity {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for command in (compare_command, check_command, explain_command, train_command, trace_command, models, backends, data):
    name = command.__name__.removesuffix("_command")
    cls = CheckCommand if command is check_command else None
    app.command(name, cls=cls, epilog=f"Example:  {EXAMPLES[name]}")(command)
app.add_typer(exercise.app, name="exercise")

for entry in entry_points(group="gradparity.commands"):
    try:
        theirs = entry.load()
    except ImportError:  # its package, or what that needs, is not installed
        continue
    if len(theirs.registered_commands) == 1 and not theirs.registered_groups:
        (single,) = theirs.registered_commands
        single.name = entry.name
        app.registered_commands.append(single)
    else:
        app.add_typer(theirs, name=entry.name)
