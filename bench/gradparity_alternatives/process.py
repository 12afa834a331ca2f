"""The other end of a worker: start it with its thread limits, ask, and say what it died of."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import IO, Any

from gradparity_alternatives.contestants import Contestant
from gradparity_alternatives.task import Task
from gradparity_bench.engine.threads import environment

PATIENCE = 600.0
"""Seconds without an answer after which a worker is ended: an epoch of MNIST takes a second, a start some ten."""


class WorkerDiedError(Exception):
    """A worker ended before it answered, or was ended; the message is what it wrote last, or why."""


class Worker:
    """A running contestant. ``started`` is what its import and its preparation took, in seconds."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[str]) -> None:
        self._process = process
        self._errors = errors
        self.started = self._answer()

    def ask(self, word: str) -> dict[str, Any]:
        """Send a word and wait for its answer. Raises WorkerDiedError where none comes."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has died then, and the missing answer says so
            print(word, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answered, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        if not answered:
            self._process.kill()
            raise WorkerDiedError(f"it gave no answer within {PATIENCE:g} s")
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            last = [text for text in map(str.strip, self._errors) if text][-1:]
            raise WorkerDiedError(*last or [f"it ended with status {self._process.returncode}"])
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def running(contestant: Contestant, task: Task, threads: int) -> Iterator[Worker]:
    """Run a contestant's process; end it on leaving. Raises WorkerDiedError where it does not come up."""
    arguments = (contestant.module, str(threads), json.dumps(asdict(task)), *contestant.arguments)
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "gradparity_alternatives.worker", *arguments],
            env={**environment(threads, os.environ), **contestant.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Worker(process, errors)
        finally:
            process.kill()
