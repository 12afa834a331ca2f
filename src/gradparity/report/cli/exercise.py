"""``gradparity exercise``: files with a backward pass to write or to repair, checked without telling the answer."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from gradparity.drawing import TableColumn, table_of

if TYPE_CHECKING:
    from gradparity.exercise import Outcome

app = typer.Typer(
    help="Write or repair a backward pass; be told which line is wrong, not the answer.", no_args_is_help=True
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file that `gradparity exercise start` wrote.")]
RUNGS = ("line", "symptom", "question")


@app.command("list", epilog="Example:  gradparity exercise list")
def list_() -> None:
    """List the exercises, in the order in which to try them."""
    from gradparity.drawing.terminal import Shown, console
    from gradparity.exercise import exercises

    rows = ((name, each.task) for name, each in exercises().items())
    console.print(Shown(table_of("", ("exercise", TableColumn("what to do", "word")), [rows])))
    print("to begin:  gradparity exercise start NAME")


@app.command(epilog="Example:  gradparity exercise start softmax-regression")
def start(name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `exercise list` lists.")]) -> None:
    """Write an exercise's file to the current folder; one that is there is never overwritten."""
    from gradparity.exercise import exercise, hints
    from gradparity.exercise import start as write

    path = write(name)
    hints.forget(path)
    _say(exercise(name).task)
    print(f"{path} is yours to edit. Then:")
    print(f"  gradparity exercise check {quote(str(path))}")
    print(f"  gradparity exercise hint {quote(str(path))}")


@app.command(epilog="Example:  gradparity exercise check softmax_regression.py")
def check(file: File) -> None:
    """Name the first line that is wrong, and how; exit 1 if there is one."""
    from gradparity.errors import UsageError
    from gradparity.exercise import judge_file

    outcome = judge_file(file)
    _remark(outcome)
    if outcome.wrong is not None and outcome.wrong.blank:
        done = f"; right so far: {_names(outcome.right)}" if outcome.right else ""
        raise UsageError(
            f"{outcome.wrong.place}: d['{outcome.wrong.line}'] is still blank: write an expression in place of "
            f"the three dots{done}"
        )
    for line in outcome.right:
        _say(f"✓ d['{line}']")
    if outcome.wrong is None:
        _say(f"All lines agree with {outcome.witness}.")
        _next(file)
        return
    _say(f"✗ d['{outcome.wrong.line}'], {outcome.wrong.place}: {outcome.wrong.symptom}")
    _say("The error is in this line alone, for it was given the right values of c and d.")
    print("For a hint:")
    print(f"  gradparity exercise hint {quote(str(file))}")
    raise typer.Exit(1)


@app.command(epilog="Example:  gradparity exercise hint softmax_regression.py")
def hint(file: File) -> None:
    """Say a little more about the first wrong line each time: the line, its symptom, a question."""
    from gradparity.exercise import exercise, hints, judge_file, name_in

    outcome = judge_file(file)
    _remark(outcome)
    wrong = outcome.wrong
    if wrong is None:
        hints.forget(file)
        _say("All lines are right: there is nothing to hint at.")
        _next(file)
        return
    rung = hints.climb(file, wrong.line, len(RUNGS))
    said = (f"{wrong.place}, d['{wrong.line}']", wrong.symptom, exercise(name_in(file)).questions[wrong.line])
    for number, (kind, text) in enumerate(zip(RUNGS[:rung], said, strict=False), start=1):
        _say(f"{number} of {len(RUNGS)}, the {kind}: {text}")
    print("That was the last hint." if rung == len(RUNGS) else "Ask again for the next hint.")


def _next(file: Path) -> None:
    from gradparity.exercise import exercises, name_in

    print("See what the machine does for the same lines:")
    print(f"  gradparity explain {quote(str(file))}")
    names = list(exercises())
    after = names[names.index(name_in(file)) + 1 :]
    if after:
        print("The next exercise:")
        print(f"  gradparity exercise start {after[0]}")


def _remark(outcome: "Outcome") -> None:
    if outcome.printed:
        _say("What the file prints is not shown: in a check, d holds the right values.")
    if outcome.wrote:
        _say("What the file writes to the current folder is discarded in a check.")


def _names(lines: tuple[str, ...]) -> str:
    return ", ".join(f"d['{line}']" for line in lines)


def _say(text: str) -> None:
    """Print a sentence; where the terminal ends it goes on in the next line, indented."""
    from textwrap import fill

    from gradparity.drawing.terminal import console

    print(fill(text, console.width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
