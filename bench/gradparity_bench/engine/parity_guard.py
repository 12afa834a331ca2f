"""No speed without parity: the check of a backend on the benchmark's own model, in a process of its own."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from gradparity_bench.engine.process import Worker, WorkerError
from gradparity_bench.results import Point, Status

EXAMPLES = 11
"""Examples that are checked: few, because an error shows in few, and the check takes every line many times."""

Refusal = Callable[[Point, str], tuple[Status, str]]
"""Returns the status of a backend's row at a point, and the reason; "timed" where nothing speaks against it."""


@contextmanager
def guard(folder: Path, patience: float) -> Iterator[Refusal]:
    """Give what checks a backend, once for each model at its sizes. The process lasts as long as the context.

    A backend on which the check itself dies or hangs costs that backend only: the next one has a new process.
    """
    workers: list[Worker] = []
    known: dict[tuple[str, str, str], tuple[Status, str]] = {}

    def ask(point: Point, backend: str) -> tuple[Status, str]:
        if not workers:
            workers.append(Worker(1, folder, patience))
        try:
            reply = workers[0].request("check", backend=backend, point=asdict(point), examples=EXAMPLES)
        except WorkerError as failure:
            workers.pop().close()
            return failure.status, f"in the check of its gradients: {failure.reason}"
        return reply["status"], reply["reason"]

    def refusal(point: Point, backend: str) -> tuple[Status, str]:
        key = (point.model, json.dumps(dict(point.settings)), backend)
        if key not in known:
            known[key] = ask(point, backend)
        return known[key]

    try:
        yield refusal
    finally:
        for worker in workers:
            worker.close()
