"""The tool's side of GradBench's protocol: a line of JSON comes in, a line of JSON goes out, in lock-step.

The protocol is described in that project's CONTRIBUTING.md. Beyond it: a run's clock stops when its result is there;
what is done once (reading, the first call, which compiles) is told under names of its own; and an output that JSON
cannot hold, NaN or infinity, is a failure and no output.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from gradparity.errors import UsageError

Message = dict[str, Any]
Evaluate = Callable[[str, str, Any], "Evaluation"]
"""From a module, a function and an input to what can be run."""


class Evaluation:
    """One function at one input: ``run`` returns when its result is there, ``output`` is the last one for JSON."""

    def __init__(self, run: Callable[[], Any], output: Callable[[Any], Any]) -> None:
        self.run = run
        self.output = output


def serve(
    lines: Iterable[str], write: Callable[[str], None], tool: str, define: Callable[[str], Any], evaluate: Evaluate
) -> None:
    """Answer every line until the input ends. ``define`` raises UsageError for a module that there is not."""
    for line in lines:
        if line.strip():
            write(respond(line, tool, define, evaluate))


def respond(line: str, tool: str, define: Callable[[str], Any], evaluate: Evaluate) -> str:
    """Return the response to one line. Whatever is raised is ``success: false`` and one line that says why."""
    try:
        message = json.loads(line)
        if not isinstance(message, dict) or "id" not in message:
            raise UsageError(f"a message is an object with an id, got {line.strip()[:60]}")
    except (ValueError, UsageError) as error:
        return json.dumps({"id": None, **_failure(error)})
    response = {"id": message["id"]}
    try:
        match message.get("kind"):
            case "start":
                response |= {"tool": tool}
            case "define":
                response |= {"success": True, **_defined(message, define)}
            case "evaluate":
                response |= {"success": True, **_evaluated(message, evaluate)}
        return json.dumps(response, allow_nan=False)
    except (Exception, SystemExit) as error:  # a tool that ends instead of answering ends the whole benchmark
        return json.dumps({"id": message["id"], **_failure(error)})


@contextmanager
def only_json(stream: TextIO = sys.stdout) -> Iterator[Callable[[str], None]]:
    """Give what writes a line to standard output, and send there nothing else: what is printed goes to standard error.

    Also what libraries print past Python.
    """
    stream.flush()
    with os.fdopen(os.dup(stream.fileno()), "w", encoding="utf-8") as own:
        kept = os.dup(stream.fileno())
        os.dup2(sys.stderr.fileno(), stream.fileno())

        def write(line: str) -> None:
            own.write(line + "\n")
            own.flush()

        try:
            yield write
        finally:
            stream.flush()
            os.dup2(kept, stream.fileno())
            os.close(kept)


def _defined(message: Message, define: Callable[[str], Any]) -> Message:
    started = time.perf_counter_ns()
    define(message["module"])
    return {"timings": [_timing("define", started)]}


def _evaluated(message: Message, evaluate: Evaluate) -> Message:
    given = message["input"]
    fields = given if isinstance(given, dict) else {}
    runs, seconds = int(fields.get("min_runs", 1)), float(fields.get("min_seconds", 0))
    started = time.perf_counter_ns()
    evaluation = evaluate(message["module"], message["function"], given)
    timings = [_timing("read", started)]
    started = time.perf_counter_ns()
    evaluation.run()
    timings.append(_timing("warmup", started))
    result, elapsed, done = None, 0, 0
    while done < max(runs, 1) or elapsed < seconds * 1e9:
        started = time.perf_counter_ns()
        result = evaluation.run()
        timings.append(_timing("evaluate", started))
        elapsed += timings[-1]["nanoseconds"]
        done += 1
    return {"output": evaluation.output(result), "timings": timings}


def _timing(name: str, started: int) -> Message:
    return {"name": name, "nanoseconds": time.perf_counter_ns() - started}


def _failure(error: BaseException) -> Message:
    said = " ".join(str(error).split())
    return {"success": False, "error": said if isinstance(error, UsageError) else f"{type(error).__name__}: {said}"}
