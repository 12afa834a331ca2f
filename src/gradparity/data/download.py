"""Downloads: from the first mirror that gives the right file; nothing half-written is left behind."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from gradparity.errors import UsageError
from gradparity.output import scratch

CONNECT_SECONDS = 5
READ_SECONDS = 30
CHUNK = 1 << 16
"""Bytes written at a time."""

Checked = TypeVar("Checked")


def fetch(urls: Sequence[str], destination: Path, check: Callable[[Path], Checked]) -> Checked:
    """Download to ``destination`` from the first URL whose file passes ``check``, and return what ``check`` returned.

    ``check`` raises UsageError for a wrong file. Raises UsageError, saying what each mirror answered, when none gives
    the right file, or when the destination cannot be written; then ``destination`` is not created.
    """
    answers = []
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with scratch(destination.parent) as folder:
            partial = folder / destination.name
            for url in urls:
                problem = _download(url, partial)
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


def _download(url: str, path: Path) -> str | None:
    """Download one file. Returns None, or in a few words why it failed."""
    import pooch
    import requests

    bar = _Bar(path.name) if sys.stderr.isatty() else None
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    downloader = pooch.HTTPDownloader(progressbar=bar or False, chunk_size=CHUNK, timeout=timeout)
    try:
        downloader(url, str(path), None)
    except requests.HTTPError as error:
        return str(error).partition(" for url")[0]
    except requests.Timeout:
        return "no answer in time"
    except requests.ConnectionError:
        return "no connection"
    except requests.RequestException as error:
        return f"broken answer ({type(error).__name__})"
    finally:
        if bar:
            bar.close()
    return None


class _Bar:
    """The progress bar that pooch asks for (total, update, reset, close), drawn by rich on standard error."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(f"downloading {title}", total=None)
        self._progress.start()

    @property
    def total(self) -> float | None:
        """The number of bytes to come."""
        return self._progress.tasks[0].total

    @total.setter
    def total(self, total: int) -> None:
        self._progress.update(self._task, total=total)

    def update(self, count: int) -> None:
        """Advance by ``count`` bytes."""
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        """Go back to zero bytes."""
        self._progress.reset(self._task)

    def close(self) -> None:
        """Take the bar off the screen; closing twice is harmless."""
        self._progress.stop()
