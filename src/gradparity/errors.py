"""The one exception a user's mistake raises: a sentence with the rule, what was received and the likely fix."""

import difflib
import importlib.util
import sys
import traceback
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class UsageError(Exception):
    """Unusable input. The command line prints the message as one line and exits with status 2."""


class NotOfferedError(UsageError):
    """What was asked for is not in a backend's model, such as ``predict`` where it has only a loss."""


LONGEST = 60
"""Letters of what was received that a message quotes."""


@contextmanager
def ending_nothing() -> Iterator[None]:
    """Raise UsageError where code that is checked ends the process, which would pass for a verdict."""
    try:
        yield
    except SystemExit as error:
        raise ended(error) from None


def ended(error: SystemExit) -> UsageError:
    """Say where code that is checked ended the process."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    code = "" if error.code is None else repr(error.code)
    return UsageError(
        f"{place.filename}:{place.lineno}: code that is checked must not end the process, it raised "
        f"SystemExit({code}): raise an error instead"
    )


def quoted(value: object) -> str:
    """Return what was received as Python writes it, or its type where that is long or cannot be written."""
    try:
        text = repr(value)
    except Exception:  # a user's own __repr__
        text = ""
    return text if 0 < len(text) <= LONGEST and "\n" not in text else type(value).__name__


def said_by(error: BaseException) -> str:
    """Return what an exception says, its own ``__str__`` permitting."""
    try:
        return str(error).strip()
    except Exception:  # a user's own __str__
        return "it cannot say what"


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says."""
    return said_by(error).partition("\n")[0]


def raised(error: BaseException) -> str:
    """Return an exception's kind and the first line of what it says."""
    return ": ".join(filter(None, (type(error).__name__, first_line(error))))


def unknown(kind: str, received: object, known: Iterable[str]) -> UsageError:
    """Say that ``received`` names no ``kind``, list what there is, and guess what was meant."""
    names = sorted(known)
    if not isinstance(received, str):
        return UsageError(f"{kind} must be a name, got {quoted(received)}: there is {', '.join(names)}")
    return UsageError(f"unknown {kind} '{received}': there is {', '.join(names)}{did_you_mean(received, names)}")


def require_package(package: str, extra: str, what: str) -> None:
    """Raise UsageError, with the command that installs it, where a package is missing that only ``what`` needs."""
    if importlib.util.find_spec(package) is None:
        install = f"{sys.executable} -m pip install 'gradparity[{extra}]'"
        raise UsageError(f"{what} needs {package}, which is not installed: run  {install}")


def require_some(what: str, given: Collection[Any], known: Iterable[str]) -> None:
    """Raise UsageError unless a choice is a list of at least one of what there is: ``lanes=[...]``."""
    names = tuple(known)
    if not isinstance(given, list | tuple | set | frozenset | dict) or not given:
        raise UsageError(f"{what} must be a list of at least one, got {quoted(given)}: there is {', '.join(names)}")
    for each in given:
        if not isinstance(each, str) or each not in names:
            raise unknown(what.removesuffix("s"), each, names)


def did_you_mean(received: str, known: Iterable[str]) -> str:
    """Guess what was meant, as the end of a sentence; empty where nothing is close."""
    by_lower_case = {name.lower(): name for name in known}
    close = difflib.get_close_matches(received.lower(), by_lower_case, n=1, cutoff=0.5)
    return f"; did you mean '{by_lower_case[close[0]]}'?" if close else ""
