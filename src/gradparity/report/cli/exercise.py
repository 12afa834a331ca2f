"""``gradparity exercise``: files with a backward pass to write or to repair, checked without telling the answer."""

import time
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from gradparity.drawing import TableColumn, table_of

if TYPE_CHECKING:
    from gradparity.drawing import Table
    from gradparity.exercise import Grade, Outcome

app = typer.Typer(
    help="Write or repair a backward pass; be told which line is wrong, not the answer.",
    epilog="Example:  gradparity exercise start softmax-regression",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file that `gradparity exercise start` wrote.")]
RUNGS = ("line", "symptom", "question")
LOOKS_AGAIN = 0.3
"""Seconds between two looks at a file that is watched."""


@app.command("list", epilog="Example:  gradparity exercise list")
def list_() -> None:
    """List the exercises, in the order in which to try them, and how far you are."""
    from gradparity.drawing.terminal import Shown, console
    from gradparity.exercise import exercises, progress

    def done(name: str, lines: int) -> str:
        right = progress.reached_in(name)
        return "✓" if right >= lines else f"{right}/{lines}" if right else ""

    rows = (
        (done(name, len(each.questions)), str(each.order[0]), name, each.task) for name, each in exercises().items()
    )
    columns = (
        TableColumn("", "word"),
        TableColumn("lesson", "word"),
        TableColumn("exercise", "code"),
        TableColumn("what to do", "word"),
    )
    console.print(Shown(table_of("", columns, [rows])))
    print("to begin:  gradparity exercise start NAME")


@app.command(epilog="Example:  gradparity exercise start softmax-regression")
def start(name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `exercise list` lists.")]) -> None:
    """Write an exercise's file to the current folder; one that is there is never overwritten."""
    from gradparity.exercise import exercise, progress
    from gradparity.exercise import start as write

    path = write(name)
    progress.forget(path)
    _say(exercise(name).task)
    print(f"{path} is yours to edit. Then:")
    print(f"  gradparity exercise check {quote(str(path))}")
    print(f"  gradparity exercise hint {quote(str(path))}")


@app.command(epilog="Example:  gradparity exercise check softmax_regression.py --watch")
def check(
    file: File,
    watch: Annotated[
        bool, typer.Option("--watch", help="Check again whenever the file is saved, until it is right.")
    ] = False,
) -> None:
    """Name the first line that is wrong, and how; exit 1 if there is one."""
    from gradparity.errors import UsageError

    while watch:
        seen = _saved(file)
        try:
            if _check(file):
                return
        except UsageError as error:
            _say(str(error))
        print("Waiting until the file is saved again; Ctrl-C ends it.", flush=True)
        while _saved(file) in (seen, None):
            time.sleep(LOOKS_AGAIN)
    if not _check(file):
        raise typer.Exit(1)


def _saved(file: Path) -> int | None:
    """Return when a file was saved; None while an editor is replacing it."""
    return file.stat().st_mtime_ns if file.exists() else None


def _check(file: Path) -> bool:
    from gradparity.errors import UsageError
    from gradparity.exercise import judge_file, progress

    outcome = judge_file(file)
    progress.reached(outcome.exercise, len(outcome.right))
    _remark(outcome)
    wrong = outcome.wrong
    if wrong is not None and (wrong.blank or wrong.raised):
        done = f"; right so far: {', '.join(_line(outcome, line) for line in outcome.right)}" if outcome.right else ""
        why = " is still blank: write an expression in place of the three dots" if wrong.blank else f": {wrong.symptom}"
        raise UsageError(f"{wrong.place}: {_line(outcome, wrong.line, wrong.number)}{why}{done}")
    for line in outcome.right:
        _say(f"✓ {_line(outcome, line)}")
    if wrong is None:
        _say(f"All lines agree with {outcome.witness}.")
        _next(file, outcome.exercise)
        return True
    _say(f"✗ {_line(outcome, wrong.line, wrong.number)}, {wrong.place}: {wrong.symptom}")
    _say("The error is in this line alone, for what it was given is right.")
    print("For a hint:")
    print(f"  gradparity exercise hint {quote(str(file))}")
    return False


@app.command(epilog="Example:  gradparity exercise hint softmax_regression.py")
def hint(file: File) -> None:
    """Say a little more about the first wrong line each time: the line, its symptom, a question."""
    from gradparity.exercise import exercise, judge_file, progress

    outcome = judge_file(file)
    _remark(outcome)
    wrong = outcome.wrong
    if wrong is None:
        progress.forget(file)
        _say("All lines are right: there is nothing to hint at.")
        _next(file, outcome.exercise)
        return
    rung = progress.climb(file, wrong.line, len(RUNGS))
    question = exercise(outcome.exercise).questions[wrong.line]
    said = (f"{wrong.place}, {_line(outcome, wrong.line, wrong.number)}", wrong.symptom, question)
    for number, (kind, text) in enumerate(zip(RUNGS[:rung], said, strict=False), start=1):
        _say(f"{number} of {len(RUNGS)}, the {kind}: {text}")
    if rung < len(RUNGS):
        print("Ask again for the next hint.")
        return
    print("That was the last hint. If you give up:")
    print(f"  gradparity exercise solution {quote(str(file))}")


@app.command(epilog="Example:  gradparity exercise solution softmax_regression.py")
def solution(file: File) -> None:
    """Show how the first wrong line may be written; only after its last hint."""
    from gradparity.errors import UsageError
    from gradparity.exercise import exercise, judge_file, name_in, progress

    chosen, outcome = exercise(name_in(file)), judge_file(file)
    if not chosen.solution:
        raise UsageError(f"'{file}': this exercise keeps its solution elsewhere: ask who gave it to you")
    if outcome.wrong is None:
        print("All lines are right. Another way to write them:")
        shown = [chosen.lines_of(line) for line in chosen.questions]
    elif progress.rung_of(file, outcome.wrong.line) < len(RUNGS):
        raise UsageError(
            f"the solution comes after the last hint for {_line(outcome, outcome.wrong.line)}: run  "
            f"gradparity exercise hint {quote(str(file))}"
        )
    else:
        print(f"{_line(outcome, outcome.wrong.line)} may be written so:")
        shown = [chosen.lines_of(outcome.wrong.line)]
    for code in shown:
        print("\n".join(f"    {row}" if row else "" for row in code.strip().splitlines()))


@app.command("grade", epilog="Example:  gradparity exercise grade submissions --csv grades.csv --html grades.html")
def grade_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder with a folder of answers for each student.")
    ],
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a row for each file.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the table as a page.")] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write what Gradescope reads; - is standard output.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long a file's own code may take.")] = 20.0,
    seed: Annotated[int | None, typer.Option(min=0, help="Try all on these numbers; without it, on new ones.")] = None,
) -> None:
    """Check every file of a class; exit 1 unless all are right."""
    from gradparity.drawing.page import Section, page
    from gradparity.drawing.terminal import Shown, console
    from gradparity.exercise import grade
    from gradparity.exercise.grading import as_csv, as_json
    from gradparity.output import STANDARD_OUTPUT, require_writable, write_json, write_text

    require_writable(csv, html, json)
    grades = grade(folder, seconds, seed)
    table = _class_table(grades)
    if STANDARD_OUTPUT not in (csv, json, html):
        console.print(Shown(table))
    if csv is not None:
        write_text(csv, as_csv(grades))
    if json is not None:
        write_json(json, as_json(grades))
    if html is not None:
        command = f"exercise grade {quote(str(folder))}"
        write_text(html, page(command, "Exercises", [Section("grades", "The class", table)], facts={}))
    if any(each.remark for each in grades):
        raise typer.Exit(1)


def _class_table(grades: "list[Grade]") -> "Table":
    columns = (
        TableColumn("student", "word"),
        TableColumn("exercise", "word"),
        TableColumn("right", "number"),
        TableColumn("first that is wrong", "word"),
    )
    rows = [(each.student, each.exercise, f"{each.right} of {each.lines}", each.remark) for each in grades]
    done = sum(not each.remark for each in grades)
    headline = f"{done} of {len(grades)} files are right."
    return replace(table_of("", columns, [rows]), headline=headline, agrees=done == len(grades))


def _next(file: Path, name: str) -> None:
    from gradparity.exercise import exercises

    print("See what the machine does for the same lines:")
    print(f"  gradparity explain {quote(str(file))}")
    names = list(exercises())
    after = names[names.index(name) + 1 :]
    if after:
        print("The next exercise:")
        print(f"  gradparity exercise start {after[0]}")


def _remark(outcome: "Outcome") -> None:
    if outcome.printed:
        print("The file prints:")
        print("\n".join(f"  {row}" for row in outcome.printed.splitlines()))
    if outcome.wrote:
        _say("What the file writes to the current folder is discarded in a check.")


def _line(outcome: "Outcome", line: str, number: int | None = None) -> str:
    return f"d['{line}'{'' if number is None else f', {number}'}] {outcome.shapes[line]}"


def _say(text: str) -> None:
    """Print a sentence; where the terminal ends it goes on in the next line, indented."""
    from textwrap import fill

    from gradparity.drawing.terminal import console

    print(fill(text, console.width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
