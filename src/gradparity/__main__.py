"""``gradparity`` and ``python -m gradparity``: run a command; a user's mistake is one line and exit status 2."""

import _thread
import sys
import threading
import traceback
from io import TextIOWrapper

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit: 0 agreed or done, 1 disagreed, 2 unusable input, 130 interrupted."""
    # In an encoding that lacks ∂ or −, a question mark is better than no answer.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    sys.unraisablehook = _interrupt_again
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    import typer

    from gradparity.errors import UsageError
    from gradparity.report.cli import app

    try:
        status = app(arguments, prog_name="gradparity", standalone_mode=False) or 0
    except UsageError as error:
        return _refuse(str(error))
    except typer.TyperException as error:
        return _refuse(error.format_message())
    except SystemExit as error:  # of a user's model or another package's backend: no command of ours ends so
        place = traceback.extract_tb(error.__traceback__)[-1]
        return _refuse(
            f"{place.filename}:{place.lineno}: code that is checked must not end the process, it raised "
            f"SystemExit({'' if error.code is None else repr(error.code)}): raise an error instead"
        )
    if status == INTERRUPTED:
        print("gradparity: interrupted", file=sys.stderr)
    return int(status)


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Repeat a Ctrl-C that came where nothing can be raised, such as JAX's callback of the garbage collector."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        threading.Timer(0.05, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def _refuse(message: str) -> int:
    from gradparity.drawing.words import visible

    if message:  # without arguments the help is the answer
        print("gradparity:", visible(" ".join(message.split())), file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
