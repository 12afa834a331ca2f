"""The parent's end of a worker process: one request, one reply, and what became of a worker that does not reply."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from multiprocessing import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from gradparity_bench.engine.threads import cores, environment
from gradparity_bench.results import Status

WORKER = "gradparity_bench.engine.worker"


class WorkerError(Exception):
    """A worker did not do what it was asked; it takes no further requests."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@runtime_checkable
class Answers(Protocol):
    """Whatever answers requests."""

    def request(self, do: str, **details: Any) -> dict[str, Any]:
        """Return the reply. Raises WorkerError."""


class Worker:
    """A worker process with so many threads. Close it, or use it in a ``with`` statement."""

    def __init__(self, threads: int, folder: Path, patience: float) -> None:
        """Start it. It writes what its libraries print to a file in ``folder``; ``patience`` is in seconds."""
        self._patience = patience
        self._pipe, theirs = Pipe()
        with theirs, tempfile.NamedTemporaryFile(dir=folder, suffix=".log", delete=False) as log:
            self._log = Path(log.name)
            self._process = subprocess.Popen(
                # -P: a file of the user's called numpy.py is not taken for the library.
                [sys.executable, "-P", "-m", WORKER, str(theirs.fileno()), *map(str, cores(threads))],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(threads, os.environ),
                # A session of its own: Ctrl-C in the terminal reaches the parent alone, which ends the workers.
                start_new_session=True,
            )

    def request(self, do: str, **details: Any) -> dict[str, Any]:
        """Send a request and wait for the reply. Raises WorkerError where none comes, or says why it was not done."""
        try:
            self._pipe.send_bytes(json.dumps({"do": do, **details}).encode())
            if not self._pipe.poll(self._patience):
                self.close()
                raise WorkerError("hung", f"no answer to '{do}' within {self._patience:g} s")
            reply: dict[str, Any] = json.loads(self._pipe.recv_bytes())
        except (EOFError, OSError):
            raise self._obituary(do) from None
        if "failure" in reply:
            raise WorkerError(*reply["failure"])
        return reply

    def close(self) -> None:
        """End the process, and whatever processes its libraries started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._pipe.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _obituary(self, do: str) -> WorkerError:
        code = self._process.wait()
        lines = self._log.read_text(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        said = f"; its last words: {last}" if last else ""
        if code == -signal.SIGKILL:
            return WorkerError("out of memory", f"the system killed it during '{do}', as it does when memory runs out")
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
        return WorkerError("died", f"it ended {how} during '{do}'{said}")
