"""What a training step of each model costs: ``OMP_NUM_THREADS=1 python -m gradparity_bench.model_ratios [MODEL …]``.

Processor time of one thread, in turns, at the sizes that a data set gives the models, so that a busy machine changes
little; the median of the turns, beside PyTorch's autograd. The multilayer perceptron is also held against the multiply
peak that NumPy itself reaches here, and against scikit-learn's on the same network and batches.
"""

import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from gradparity import registry
from gradparity.models import GRU, LSTM, MLP, RNN, ConvNet, Transformer
from gradparity.protocol import Batch, in_dtype

LENET = {"padding": (2, 2), "kernel": (5, 5), "pool": (2, 2), "hidden": (120, 84), "classes": 10}
MODELS: dict[str, tuple[Any, int]] = {
    "mlp": (MLP((784, 256, 10)), 256),
    "convnet": (ConvNet((1, 28, 28), (6, 16), **LENET), 128),  # type: ignore[arg-type]
    "rnn": (RNN(100, 32, 64, 32), 64),
    "gru": (GRU(100, 32, 64, 32), 64),
    "lstm": (LSTM(100, 32, 64, 32), 64),
    "transformer": (Transformer(100, 64, 4, 256, 2, 32, 32), 64),
}
"""Spec and batch size."""
BACKENDS = ("numpy", "jax", "torch", "jax-manual", "torch-manual")
TURNS = 15
STEPS = 4
"""In a turn."""


def stepping(backend_name: str, spec: Any, batch: Batch, params: dict[str, np.ndarray]) -> Callable[[], None]:
    """Return what takes some steps of gradient descent, and waits for them."""
    backend = registry.backend(backend_name)
    step = backend.model(spec, "float32").train_step(backend.optimizer("sgd", lr=1e-3))
    own = batch.map(lambda a: backend.from_numpy(in_dtype(a, "float32")))
    state = step.start(params)

    def steps() -> None:
        nonlocal state
        for _ in range(STEPS):
            state, loss = step(state, own)
        backend.to_numpy(loss)

    return steps


def by_scikit_learn(batch: Batch) -> Callable[[], None]:
    """Return the same steps of MLPClassifier: 256 hidden ReLUs, plain gradient descent."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        (256,), solver="sgd", batch_size=len(batch.x), alpha=0, momentum=0, learning_rate_init=1e-3, max_iter=1
    )
    x = batch.x.astype(np.float32)
    # Every class must occur in the first call.
    y = np.where(np.arange(len(batch.y)) < 10, np.arange(len(batch.y)), batch.y)

    def steps() -> None:
        for _ in range(STEPS):
            model.partial_fit(x, y, classes=range(10))

    return steps


def by_peak(flops: int) -> Callable[[], None]:
    """Return products of large matrices with as many operations as the steps."""
    a = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    columns = max(1, round(STEPS * flops / (2 * 1024 * 1024)))
    b = np.asarray(a.repeat(1 + columns // 1024, axis=1)[:, :columns], order="C")

    def products() -> None:
        np.matmul(a, b)

    return products


def in_turns(contestants: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Return the median processor time of a step of each, in seconds."""
    for run in contestants.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(TURNS):
        for name, run in contestants.items():
            begin = time.process_time()
            run()
            times[name].append((time.process_time() - begin) / STEPS)
    return {name: float(np.median(taken)) for name, taken in times.items()}


def main(models: Iterable[str]) -> None:
    """Print a row for each model."""
    warnings.filterwarnings("ignore", module="sklearn")
    for name in models:
        spec, n = MODELS[name]
        rng = np.random.default_rng(0)
        params, batch = spec.init(rng), spec.example_batch(rng, n)
        contestants = {backend: stepping(backend, spec, batch, params) for backend in BACKENDS}
        if name == "mlp":
            contestants |= {"scikit-learn": by_scikit_learn(batch), "peak": by_peak(spec.flops(n))}
        with threadpool_limits(1):
            found = in_turns(contestants)
        row = ", ".join(f"{who} {t * 1e3:.2f} ms ({t / found['torch']:.2f})" for who, t in found.items())
        print(f"{name}: {row}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or MODELS)
