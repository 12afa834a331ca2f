"""The framework's own training loop: ``TrainStep.epoch`` of a backend, as ``gradparity train`` runs it."""

from collections.abc import Iterator

from gradparity.protocol import Backend
from gradparity_bench.task import Task, Weights


def train(backend: Backend, task: Task) -> Iterator[Weights]:
    """Yield the weights after each epoch, without end."""
    weights, rng = task.start()
    step = backend.model(task.spec).train_step(backend.optimizer("sgd", lr=task.lr))
    state = step.start(weights)
    loaded = step.load(task.examples)
    while True:
        order = rng.permutation(len(task.examples))
        state, _ = step.epoch(state, loaded, order, task.batch_size)
        yield {name: backend.to_numpy(value) for name, value in step.params(state).items()}
