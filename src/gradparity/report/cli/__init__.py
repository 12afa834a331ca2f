"""The command line. Each command imports what it computes with when it runs, so that ``--help`` is quick.

Another package adds a group of commands, a ``typer.Typer``, by an entry point in the group ``gradparity.commands``.
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

app = typer.Typer(
    help="Gradients derived by hand beside gradients derived by a machine.",
    no_args_is_help=True,
    add_completion=False,
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


app.command("compare")(compare_command)
app.command("check", cls=CheckCommand)(check_command)
for command in (explain_command, train_command, trace_command, models, backends, data):
    app.command(command.__name__.removesuffix("_command"))(command)
app.add_typer(exercise.app, name="exercise")

for entry in entry_points(group="gradparity.commands"):
    try:
        app.add_typer(entry.load(), name=entry.name)
    except ImportError:  # its package, or what that needs, is not installed
        continue
