"""Asking a tool: a process that answers lines of JSON; and standing between GradBench's own programs and a tool."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gradparity.errors import UsageError
from gradparity_gradbench.protocol import Message


@dataclass(frozen=True)
class Exchange:
    """A message and what came back."""

    message: Message
    response: Message
    seconds: float
    """From the message to its response, as the one who asks sees it."""

    @property
    def succeeded(self) -> bool:
        """Whether the tool says so; of what is only acknowledged, whether the id is right."""
        if self.response.get("id") != self.message["id"]:
            return False
        return bool(self.response.get("success", self.message["kind"] not in ("define", "evaluate")))

    @property
    def evaluate_seconds(self) -> list[float]:
        """What the tool says that its runs took."""
        timings = self.response.get("timings") or []
        return [timing["nanoseconds"] / 1e9 for timing in timings if timing["name"] == "evaluate"]


Ask = Callable[[Message], Exchange]
"""Sends a message and waits for its response. Raises UsageError where none comes, or one that is not JSON."""


@contextmanager
def tool(
    command: Sequence[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Ask]:
    """Give what asks a tool, whose process ends with the block."""
    with _running(command, folder, environment) as (sent, received):

        def ask(message: Message) -> Exchange:
            line = json.dumps(message)
            began = time.perf_counter()
            try:
                sent.write(line + "\n")
                sent.flush()
                answer = received.readline()
            except BrokenPipeError:
                answer = ""
            seconds = time.perf_counter() - began
            try:
                return Exchange(message, _strict(answer), seconds)
            except ValueError:
                said = answer.strip()[:60] or "nothing"
                raise UsageError(
                    f"a tool answers each message with a line of JSON, got {said} from '{' '.join(command)}'"
                ) from None

        yield ask


def converse(evaluation: Sequence[str], ask: Ask, folder: Path | None = None) -> Iterator[Exchange]:
    """Stand between one of GradBench's programs, run in its own folder, and a tool; yield what they say."""
    with _running(evaluation, folder) as (sent, received):
        for line in received:
            exchange = ask(json.loads(line))
            yield exchange
            sent.write(json.dumps(exchange.response) + "\n")
            sent.flush()


@contextmanager
def _running(
    command: Sequence[str], folder: Path | None, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[IO[str], IO[str]]]:
    """Give what a process reads and what it writes, and wait for its end."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()


def _strict(line: str) -> Message:
    """Read JSON as it is standardised, in which there is no NaN."""
    found = json.loads(line, parse_constant=_refused)
    if not isinstance(found, dict):
        raise ValueError(line)
    return found


def _refused(name: str) -> float:
    raise ValueError(name)
