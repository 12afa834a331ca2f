"""``gradparity`` and ``python -m gradparity``: run a command; a user's mistake is one line and exit status 2."""

import _thread
import os
import sys
import threading
import traceback
from contextlib import redirect_stdout
from io import TextIOWrapper

UNUSABLE = 2
FAILED = 3
"""A full disk, a working folder that is gone, an error of gradparity's own: no verdict."""
INTERRUPTED = 130
UNREAD = 141
"""As a shell says it of a program that SIGPIPE ended."""


def main() -> None:
    """Run the command line and exit: 0 agreed or done, 1 disagreed, or one of the statuses above."""
    # Python has none of a stream that the shell closed, >&-, and the verdict is the exit status all the same.
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the process ends
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    # In an encoding that lacks ∂ or −, a question mark is better than no answer.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    sys.unraisablehook = _interrupt_again
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # said already; Python would say it again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if status == UNUSABLE and any(not thread.daemon for thread in threading.enumerate()[1:]):
        sys.stderr.flush()
        os._exit(status)  # a thread that a user's file has left would keep the process
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    try:
        os.getcwd()  # where it is gone, a library may end the process in words of its own
        from gradparity.report.cli import app

        with redirect_stdout(sys.stdout):  # undone, where a command was silent
            status = int(app(arguments, prog_name="gradparity", standalone_mode=False) or 0)
        sys.stdout.flush()
    except KeyboardInterrupt:  # while what a command needs is imported: later it is its status
        status, said = INTERRUPTED, "interrupted"
    except (Exception, SystemExit) as error:
        status, said = _told(error)
    else:
        said = "interrupted" if status == INTERRUPTED else ""
    if said:
        from gradparity.drawing.words import visible

        print("gradparity:", visible(" ".join(said.split())), file=sys.stderr)
    return status


def _told(error: BaseException) -> tuple[int, str]:
    """Return the exit status of a command that raised, and the line that is said."""
    from typer import TyperException

    from gradparity.errors import UsageError, ended

    match error:
        case UsageError():
            told = UNUSABLE, str(error)
        case TyperException():  # empty without arguments: the help is the answer
            told = UNUSABLE, error.format_message() + _received(error)
        case MemoryError():
            told = UNUSABLE, f"there is not enough memory for these sizes: ask for smaller ones {error}"
        case BrokenPipeError() | SystemExit(__context__=BrokenPipeError()):  # as typer passes it on
            told = UNREAD, ""
        case SystemExit() if "_GRADPARITY_COMPLETE" in os.environ:  # the shell asks what could come next
            told = int(error.code or 0), ""
        case SystemExit():  # of a user's model or another package's backend: no command of ours ends so
            told = UNUSABLE, str(ended(error))
        case FileNotFoundError(filename=None):
            told = FAILED, "could not finish: the working folder is gone: go to one that is there"
        case OSError():
            file = "" if error.filename is None else f": '{error.filename}'"
            told = FAILED, f"could not finish: {error.strerror or error}{file}"
        case _:
            traceback.print_exception(error)
            told = FAILED, f"an error of gradparity's own, {type(error).__name__}: please report the lines above"
    return told


def _received(error: BaseException) -> str:
    """Return the end of a sentence: what pydantic, by which typer reads numbers, was given instead of one."""
    wrong: list[dict[str, object]] = getattr(error.__cause__, "errors", list)()
    return f", got {wrong[0]['input']!r}" if wrong else ""


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C that came where nothing can be raised, such as JAX's callback of the garbage collector."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        threading.Timer(0.05, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    main()
