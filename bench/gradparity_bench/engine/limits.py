"""What this machine could do: the fastest matrix product of any installed library, and moving bytes."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from gradparity.protocol import Dtype
from gradparity_bench.engine.workload import Repeat

SIDE = 1024
"""Of the square matrices that are multiplied: 4 MiB of float32 each, blocked by every library to fit its caches."""
MULTIPLY_FLOPS = 2 * SIDE**3
COPIED = 128 * 2**20
"""Bytes of the array that is copied: more than any cache holds (J. McCalpin, STREAM: four times the last cache)."""
MOVED = 2 * COPIED
"""Bytes of one copy: each is read once and written once, as STREAM counts."""
TRIALS = 3


def calls(dtype: Dtype, threads: int) -> dict[str, Repeat]:
    """Return the two calls of the limits' worker, "multiply" and "copy"."""
    return {"multiply": _repeated(_fastest_product(dtype)), "copy": _repeated(_copy(threads))}


def _repeated(call: Callable[[], Any]) -> Repeat:
    def repeat(count: int) -> Callable[[], None]:
        def timed() -> None:
            for _ in range(count):
                call()

        return timed

    return repeat


def _fastest_product(dtype: Dtype) -> Callable[[], Any]:
    """Return the product of the library that multiplies fastest here, NumPy's or PyTorch's."""
    a = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(dtype)
    out = np.empty_like(a)
    products: list[Callable[[], Any]] = [lambda: np.matmul(a, a, out=out)]
    try:
        import torch
    except ImportError:
        return products[0]
    tensor, into = torch.from_numpy(a), torch.from_numpy(out)
    products.append(lambda: torch.mm(tensor, tensor, out=into))
    return min(products, key=_best_seconds)


def _best_seconds(call: Callable[[], Any]) -> float:
    call()
    seconds = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _copy(threads: int) -> Callable[[], Any]:
    """Return a copy by so many threads, each a part of the array."""
    source, target = np.ones(COPIED, dtype=np.uint8), np.zeros(COPIED, dtype=np.uint8)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    pool = ThreadPoolExecutor(threads)

    # NumPy lets go of the interpreter's lock while it copies.
    def copy() -> None:
        if threads == 1:
            np.copyto(target, source)
        else:
            list(pool.map(lambda part: np.copyto(*part), parts))

    return copy
