"""``python -m gradparity_bench.engine.worker PIPE CPU…``: a process that answers one request after another.

It binds itself to the CPUs before it imports anything that starts threads. A request and its reply are one JSON
object each; the process ends when the parent closes the pipe.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
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
    outcome: Callable[[], dict[str, Any]] | None = None
    """What a contestant computes from the drawn weights, each time anew."""
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
            "finish": _finish,
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
    """Say why a backend is not timed at a point; nothing where it may be."""
    import msgspec

    from gradparity_bench.engine.guard import gradient_refusal
    from gradparity_bench.points import spec_at
    from gradparity_bench.standings import Point

    at = msgspec.convert(point, Point)
    status, reason = gradient_refusal(spec_at(at), backend, at.dtype, examples)
    return {"status": status, "reason": reason}


def _prepare(held: Held, contestant: dict[str, Any], point: dict[str, Any], arrays: str, memory: int) -> dict[str, Any]:
    """Import a contestant, take its first step or epoch, and keep its calls; return what each phase took.

    From then on this process's memory may grow by so many bytes.
    """
    held.at_start = resident()
    began = time.perf_counter()
    source = _imported(**contestant)
    importing = time.perf_counter() - began
    held.after_imports = resident()
    limit_growth(memory)

    import msgspec

    from gradparity_bench.drawn import Drawn, Task
    from gradparity_bench.engine import workload
    from gradparity_bench.standings import Point

    at, drawn = msgspec.convert(point, Point), Drawn.load(Path(arrays))
    lr = contestant["lr"]
    work = workload.steps(source, at, drawn) if lr is None else workload.epochs(source, Task(at, drawn, lr))
    paid = work.first()
    held.outcome = work.outcome
    outcome = held.outcome()
    held.calls = work.calls()
    workload.without_garbage_collection()
    return {
        "phases": {"importing": importing, "trace": None, "compile": None, **paid},
        "outcome": outcome,
        "about": {**work.about, "versions": workload.imported_versions()},
    }


def _imported(backend: str = "", loop: str = "", needs: Sequence[str] = (), lr: float | None = None) -> Any:  # noqa: ARG001
    """Return a backend, or a loop that is named module:function, with the libraries that it needs imported."""
    if backend:
        from gradparity import registry

        return registry.backend(backend)
    for package in needs:
        import_module(package)
    module, _, function = loop.partition(":")
    return getattr(import_module(f"gradparity_bench.contestants.{module}"), function)


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


def _finish(held: Held) -> dict[str, Any]:
    """Return by how many bytes this process grew at most, from its start and from after the imports; the outcome anew.

    The outcome shows that what was timed still computes the same.
    """
    most = peak()
    outcome = held.outcome() if held.outcome else {}
    return {"peak": most - held.at_start, "working": most - held.after_imports, "outcome": outcome}


def resident() -> int:
    """Return the bytes that this process has in memory."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """Return the most bytes that this process has had in memory."""
    # On Linux, ru_maxrss goes on through exec: it would be the parent's where that was larger.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def limit_growth(most: int) -> None:
    """Let this process's writable memory grow by so many bytes; an allocation beyond that fails."""
    import psutil

    # Not RLIMIT_AS: libraries reserve far more addresses than they ever write to.
    info = psutil.Process().memory_info()
    allowed = getattr(info, "data", info.vms) + most
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or allowed < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


if __name__ == "__main__":
    main()
