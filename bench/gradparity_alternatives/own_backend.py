"""gradparity's own backends: ``TrainStep.epoch``, as ``gradparity train`` runs it."""

from gradparity import registry
from gradparity_alternatives.task import Order, Problem, Trainer, Weights


def prepare(problem: Problem, name: str) -> Trainer:
    """Return the training of the backend of this name."""
    backend = registry.backend(name)
    step = backend.model(problem.spec).train_step(backend.optimizer("sgd", lr=problem.lr))
    state = step.start(problem.weights)
    loaded = step.load(problem.examples)

    def epoch(order: Order) -> None:
        nonlocal state
        state, _ = step.epoch(state, loaded, order, problem.batch_size)

    def weights() -> Weights:
        return {name: backend.to_numpy(value) for name, value in step.params(state).items()}

    return Trainer(epoch, weights)
