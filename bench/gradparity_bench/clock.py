"""One benchmark of a pytest-benchmark suite: fresh arguments, warm-up, and waiting for the backend."""

import time
from collections.abc import Callable
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from gradparity.manifest import manifest
from gradparity.models import RegisteredSpec
from gradparity.protocol import Backend, Dtype
from gradparity_bench.engine import limits
from gradparity_bench.points import step_bytes
from gradparity_bench.results import Limits

BATCH_SIZE = 64
DTYPE: Dtype = "float32"
TRIALS = 5
WORK = {"multiply": limits.MULTIPLY_FLOPS, "copy": limits.MOVED}
"""Operations of one call of the one, bytes of one call of the other."""


def clock(
    benchmark: BenchmarkFixture,
    operation: str,
    spec: RegisteredSpec,
    backend: Backend,
    call: Callable[..., Any],
    arguments: Callable[[], tuple[Any, ...]],
    rounds: int,
) -> None:
    """Time ``call(*arguments())``, with the arguments made outside the timed region, anew for each round.

    The backends of one model stand under one another; ``flops_per_step`` is always that of a training step.
    """

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        fresh = arguments()
        backend.wait(fresh)
        return fresh, {}

    def blocked(*fresh: Any) -> None:
        backend.wait(call(*fresh))

    benchmark.group = f"{spec.name}: {operation}"
    benchmark.extra_info.update(
        model=spec.name,
        backend=backend.name,
        dtype=DTYPE,
        batch_size=BATCH_SIZE,
        flops_per_step=spec.flops(BATCH_SIZE),
        manifest=manifest(),
    )
    benchmark.pedantic(blocked, setup=setup, rounds=rounds, warmup_rounds=max(2, rounds // 10))  # type: ignore[no-untyped-call]


def beside_the_limit(benchmark: BenchmarkFixture, spec: RegisteredSpec, machine: Limits, steps: float) -> None:
    """Note the share of the machine's limit that the timed call reached, which did so many training steps.

    1 is as fast as this machine can: the longer of computing the steps' operations and moving their bytes.
    """
    if benchmark.stats is None:  # --benchmark-disable
        return
    least = max(spec.flops(BATCH_SIZE) / machine.peak_flops, step_bytes(spec, BATCH_SIZE, DTYPE) / machine.bandwidth)
    benchmark.extra_info["roofline_share"] = steps * least / benchmark.stats.stats.median


def machine_limits(threads: int) -> Limits:
    """Measure what this process could do at best: a large matrix product, and a copy by so many threads."""
    calls = limits.calls(DTYPE, threads)
    rates = {name: tuple(work / _seconds(calls[name](1)) for _ in range(TRIALS)) for name, work in WORK.items()}
    return Limits(rates["multiply"], rates["copy"])


def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
