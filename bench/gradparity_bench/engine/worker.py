"""``python -m gradparity_bench.engine.worker PIPE CPU…``: a process that answers one request after another.

It binds itself to the CPUs before it imports anything that starts threads. A request and its reply are one JSON
object each; the process ends when the parent closes the pipe.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

WARM_UP = 0.1
"""Before a call is timed it is repeated for this share of the timed repetitions, so that the caches are its own."""
ASLEEP = 0.1
"""A process whose threads together use less than this share of a core is asleep."""
NAP = 0.002
"""Seconds between two looks at that."""
LONGEST_WAIT = 0.5
"""Seconds after which a process that never sleeps is not waited for."""


@dataclass
class Held:
    """What this process keeps between requests."""

    calls: dict[str, Callable[[int], Callable[[], None]]] = field(default_factory=dict)
    """What can be timed; each is a ``workload.Repeat``."""
    at_start: int = 0
    """Bytes in memory before the imports."""
    after_imports: int = 0


def main() -> None:
    """Bind this process, then answer until the pipe is closed."""
    descriptor, *cpus = map(int, sys.argv[1:])
    if cpus:
        os.sched_setaffinity(0, cpus)
    with Connection(descriptor) as pipe:
        held = Held()
        while True:
            try:
                request = json.loads(pipe.recv_bytes())
            except EOFError:
                return
            pipe.send_bytes(json.dumps(answer(request, held)).encode())


def answer(request: dict[str, Any], held: Held) -> dict[str, Any]:
    """Do what a request asks; that it could not be done is an answer too."""
    try:
        handlers: dict[str, Callable[..., dict[str, Any]]] = {
            "check": _check,
            "prepare": _prepare,
            "prepare_limits": _prepare_limits,
            "calibrate": _calibrate,
            "time": _time,
            "memory": _memory,
        }
        return handlers[request.pop("do")](held, **request)
    except Exception as error:  # another package's code: whatever it raises costs its own row only
        return {"failure": _failure(error)}


def _failure(error: Exception) -> list[str]:
    """Return a row's status and the reason, in one line."""
    from gradparity.errors import UsageError

    text = " ".join(str(error).split())
    if isinstance(error, UsageError):
        return ["failed", text]
    # PyTorch and JAX have no exception of their own for it.
    short = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "can't allocate memory" in text
    return ["out of memory" if short else "failed", f"{type(error).__name__}: {text}"]


def _check(_: Held, backend: str, point: dict[str, Any], examples: int) -> dict[str, Any]:
    """Say why a backend is not timed: it is missing, has no such model, or its gradients disagree; else nothing."""
    from gradparity import registry
    from gradparity.errors import UsageError
    from gradparity.parity.report import describe
    from gradparity.subjects import specs
    from gradparity_bench.points import spec_at
    from gradparity_bench.results import Point

    found = registry.availability(backend)
    if found.backend is None:
        install = f": run  {found.install}" if found.install else ""
        return {"status": "not installed" if found.install else "failed", "reason": found.problem + install}
    at = Point.from_dict(point)
    spec = spec_at(at)
    try:
        found.backend.model(spec, at.dtype)
    except UsageError as error:
        return {"status": "not offered", "reason": str(error)}
    # A hand-derived backend beside it: a machine-derived one has it as its subject, a hand-derived one a machine as
    # its witness.
    report = specs.check(spec, backends=[backend, registry.DEFAULT[0]], n=examples)
    wrong = [describe(row) for row in report.disagreements if backend in (row.backend, row.witness)]
    if wrong:
        reason = f"its gradients disagree in {len(wrong)} comparisons, the first: {wrong[0]}"
        return {"status": "disagrees", "reason": reason}
    return {"status": "timed", "reason": ""}


def _prepare(held: Held, backend: str, point: dict[str, Any], arrays: str, memory_limit: int) -> dict[str, Any]:
    """Import a backend, take its first step, and keep its calls; return what each phase took."""
    from gradparity_bench.engine import memory

    held.at_start = memory.resident()
    began = time.perf_counter()
    from gradparity import registry

    loaded = registry.backend(backend)
    importing = time.perf_counter() - began
    held.after_imports = memory.resident()
    memory.limit_growth(memory_limit)

    from gradparity_bench.engine import workload
    from gradparity_bench.results import Point

    work = workload.workload(loaded, Point.from_dict(point), workload.Drawn.load(Path(arrays)))
    stages = work.first_step()
    loss = workload.require_finite(work.final_loss())
    held.calls = work.calls()
    workload.without_garbage_collection()
    return {
        "library": loaded.library,
        "differentiation": loaded.differentiation,
        "phases": {"importing": importing, "trace": None, "compile": None, **stages},
        "final_loss": loss,
        "versions": workload.imported_versions(),
    }


def _prepare_limits(held: Held, dtype: str, threads: int) -> dict[str, Any]:
    """Keep the calls that measure the machine."""
    from gradparity_bench.engine import limits

    held.calls = limits.calls(dtype, threads)  # type: ignore[arg-type]
    return {}


def _calibrate(held: Held, call: str, seconds: float) -> dict[str, Any]:
    """Return how many repetitions last so many seconds."""
    repeat = held.calls[call]
    repeat(1)()  # what is paid once: compiling, the first touch of memory
    count = 1
    while True:
        timed = repeat(count)
        began = time.perf_counter()
        timed()
        taken = time.perf_counter() - began
        if taken >= seconds / 2:
            return {"count": max(1, round(count * seconds / taken))}
        count *= 2


def _time(held: Held, call: str, count: int) -> dict[str, Any]:
    """Return the seconds of one of so many repetitions, and how many threads ran meanwhile.

    The answer comes when this process's threads are asleep: those of OpenBLAS and OpenMP wait busily for some
    milliseconds after their work, and would take the cores from whoever comes next.
    """
    repeat = held.calls[call]
    repeat(max(1, round(count * WARM_UP)))()
    timed = repeat(count)
    cpu = time.process_time()
    began = time.perf_counter()
    timed()
    seconds = time.perf_counter() - began
    threads = (time.process_time() - cpu) / seconds
    return {"seconds": seconds / count, "threads": threads, "awake": _fall_asleep()}


def _fall_asleep() -> float:
    """Wait until no thread of this process runs; return the seconds that it took."""
    began = time.perf_counter()
    while (waited := time.perf_counter() - began) < LONGEST_WAIT:
        cpu = time.process_time()
        time.sleep(NAP)
        if time.process_time() - cpu < ASLEEP * NAP:
            break
    return waited


def _memory(held: Held) -> dict[str, Any]:
    """Return by how many bytes this process grew at most, from its start and from after the imports."""
    from gradparity_bench.engine import memory

    most = memory.peak()
    return {"peak": most - held.at_start, "working": most - held.after_imports}


if __name__ == "__main__":
    main()
