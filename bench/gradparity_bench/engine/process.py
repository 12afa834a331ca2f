"""The parent's end of a worker process: its share of the machine, one request and one reply at a time, its end.

How many threads it may use is told to the libraries, and enforced by the operating system.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import Pipe
from pathlib import Path
from types import TracebackType
from typing import Any

from gradparity.errors import UsageError
from gradparity_bench.standings import Status

WORKER = "gradparity_bench.engine.worker"
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPROC",  # XLA sizes its thread pools by it; it has no flag for their size
    "TORCHINDUCTOR_COMPILE_THREADS",
)
"""Read by the libraries when they are imported, never later."""


def environment(threads: int, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return a worker's environment: so many threads, on the CPU, and nothing compiled in an earlier run."""
    return {
        **inherited,
        **dict.fromkeys(VARIABLES, str(threads)),
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    }


def cores(threads: int) -> list[int]:
    """Return the CPUs that a worker is bound to: the first ones that this process may use.

    JAX sizes its thread pools by them and obeys nothing else that can be set from outside. The list is empty where
    the operating system binds no process; then only the observed use shows what a library took. Raises UsageError
    for more threads than cores.
    """
    if threads < 1:
        raise UsageError(f"threads must be at least 1, got {threads}")
    bindable = hasattr(os, "sched_getaffinity")
    allowed = sorted(os.sched_getaffinity(0)) if bindable else list(range(os.cpu_count() or 1))
    if threads > len(allowed):
        raise UsageError(f"threads must be at most the {len(allowed)} cores of this machine, got {threads}")
    return allowed[:threads] if bindable else []


class WorkerError(Exception):
    """A worker did not do what it was asked; it takes no further requests."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Worker:
    """A worker process with so many threads. Close it, or use it in a ``with`` statement."""

    def __init__(self, threads: int, folder: Path, patience: float, variables: Mapping[str, str] | None = None) -> None:
        """Start it, with these variables in its environment besides those of its threads.

        It writes what its libraries print to a file in ``folder``; ``patience`` is in seconds.
        """
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
                env={**environment(threads, os.environ), **(variables or {})},
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
