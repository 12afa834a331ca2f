"""Downloads: from the first mirror that gives the right file; nothing half-written is left behind."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from gradparity.errors import UsageError
from gradparity.output import scratch

CONNECT_SECONDS = 5
READ_SECONDS = 30
DEADLINE = 600
"""Seconds that one file may take."""
OWN = "http://127.0.0.1:"
"""This machine, from where plain http is as good as https."""
CHUNK = 1 << 16
"""Bytes written at a time."""

Checked = TypeVar("Checked")


def fetch(urls: Sequence[str], destination: Path, check: Callable[[Path], Checked], most: int) -> Checked:
    """Download to ``destination`` from the first URL whose file passes ``check``, and return what ``check`` returned.

    No file may have more than ``most`` bytes. ``check`` raises UsageError for a wrong file. Raises UsageError, saying
    what each mirror answered, when none gives the right file, or when the destination cannot be written; then
    ``destination`` is not created.
    """
    answers = []
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with scratch(destination.parent) as folder:
            partial = folder / destination.name
            for url in urls:
                problem = _download(url, partial, most)
                if problem is None:
                    try:
                        checked = check(partial)
                    except UsageError:
                        problem = "wrong content"
                    else:
                        partial.replace(destination)
                        return checked
                answers.append(f"{urlsplit(url).netloc}: {problem}")
    except OSError as error:
        raise UsageError(f"'{destination.parent}' cannot be written: {error.strerror}") from None
    raise UsageError(f"no mirror gave '{destination.name}' ({'; '.join(answers)})")


def _download(url: str, path: Path, most: int) -> str | None:
    """Download one file. Returns None, or in a few words why it failed."""
    import requests

    bar = _Bar(path.name, most) if sys.stderr.isatty() else None
    try:
        return _received(url, path, most, bar)
    except requests.HTTPError as error:
        return str(error).partition(" for url")[0]
    except (requests.RequestException, ValueError) as error:  # ValueError: headers that are none
        known = {requests.Timeout: "no answer in time", requests.exceptions.InvalidSchema: "no https"}
        known[requests.ConnectionError] = "no connection"
        broken = f"broken answer ({type(error).__name__})"
        return next((said for kind, said in known.items() if isinstance(error, kind)), broken)
    finally:
        if bar:
            bar.close()


def _received(url: str, path: Path, most: int, bar: "_Bar | None") -> str | None:
    """Write what a URL sends to a file; return in a few words why that was ended, if it was."""
    import requests
    from requests.adapters import HTTPAdapter

    until = time.monotonic() + DEADLINE
    with requests.Session() as session, path.open("wb") as file:
        # Nothing comes by plain http but from this machine, however a mirror redirects.
        del session.adapters["http://"]
        session.mount(OWN, HTTPAdapter())
        with session.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
            answer.raise_for_status()
            for piece in answer.iter_content(CHUNK):
                file.write(piece)
                if file.tell() > most:
                    return f"more than the {most:,} bytes of the file"
                if time.monotonic() > until:
                    return f"not finished within {DEADLINE} s"
                if bar:
                    bar.update(len(piece))
    return None


class _Bar:
    """A progress bar, drawn by rich on standard error."""

    def __init__(self, title: str, size: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(f"downloading {title}", total=size)
        self._progress.start()

    def update(self, count: int) -> None:
        """Advance by ``count`` bytes."""
        self._progress.advance(self._task, count)

    def close(self) -> None:
        """Take the bar off the screen; closing twice is harmless."""
        self._progress.stop()
