"""The process of one contestant: ``python -m gradparity_alternatives.worker MODULE THREADS TASK [ARGUMENT …]``.

It answers each word on standard input with one line of JSON on standard output: "epoch" trains for one epoch,
"turn" lets the caches settle and then does the same, "weights" gives the weights. It ends with its input.
"""

import json
import os
import sys
import time
from importlib import import_module
from typing import Any

from gradparity_bench.engine.threads import cores


def main(module: str, threads: str, task: str, *arguments: str) -> None:
    """Restrict this process to its share of the machine, then import, prepare and serve."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    # Before the contestant's libraries are imported: that is when they count the cores.
    if bound := cores(int(threads)):
        os.sched_setaffinity(0, bound)
    for answer in serve(module, json.loads(task), arguments):
        print(json.dumps(answer), file=answers, flush=True)


def serve(module: str, task: dict[str, Any], arguments: tuple[str, ...]) -> Any:
    """Yield what the start took, then an answer to each line of standard input."""
    began = time.perf_counter()
    contestant = import_module(f"gradparity_alternatives.{module}")
    imported = time.perf_counter()

    from gradparity.timing import SETTLE
    from gradparity_alternatives.task import Task, problem

    given = problem(Task(**task))
    loaded = time.perf_counter()
    trainer = contestant.prepare(given, *arguments)
    yield {"import": imported - began, "prepare": time.perf_counter() - loaded}

    def epoch() -> dict[str, float]:
        order = given.rng.permutation(len(given.examples))
        began, busy = time.perf_counter(), time.process_time()
        trainer.epoch(order)
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "cores": (time.process_time() - busy) / seconds}

    for word in map(str.strip, sys.stdin):
        if word == "turn":
            until = time.perf_counter() + SETTLE
            epoch()
            while time.perf_counter() < until:
                epoch()
        if word == "weights":
            yield {name: value.tolist() for name, value in trainer.weights().items()}
        else:
            yield epoch()


if __name__ == "__main__":
    main(*sys.argv[1:])
