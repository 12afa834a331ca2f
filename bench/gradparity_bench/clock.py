"""One benchmark of a pytest-benchmark suite: fresh arguments, warm-up, and waiting for the backend."""

from collections.abc import Callable
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from gradparity.models.configure import Spec
from gradparity.protocol import Backend

BATCH_SIZE = 64


def clock(
    benchmark: BenchmarkFixture,
    operation: str,
    spec: Spec,
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
        backend.block(fresh)
        return fresh, {}

    def blocked(*fresh: Any) -> None:
        backend.block(call(*fresh))

    benchmark.group = f"{spec.name}: {operation}"
    benchmark.extra_info.update(
        model=spec.name,
        backend=backend.name,
        dtype="float32",
        batch_size=BATCH_SIZE,
        flops_per_step=spec.flops(BATCH_SIZE),
    )
    benchmark.pedantic(blocked, setup=setup, rounds=rounds, warmup_rounds=max(2, rounds // 10))  # type: ignore[no-untyped-call]
