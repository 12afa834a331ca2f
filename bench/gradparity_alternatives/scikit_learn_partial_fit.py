"""scikit-learn's MLPClassifier, one ``partial_fit`` an epoch; without hidden layers it is softmax regression."""

import numpy as np
from sklearn.neural_network import MLPClassifier

from gradparity_alternatives.task import Order, Problem, Trainer, Weights


def prepare(problem: Problem) -> Trainer:
    """Return the training by a classifier whose own initial weights are replaced."""
    x, y = problem.in_memory()
    classifier = MLPClassifier(
        hidden_layer_sizes=problem.widths[1:-1],
        activation="relu",
        solver="sgd",
        alpha=0.0,
        batch_size=problem.batch_size,
        learning_rate="constant",
        learning_rate_init=problem.lr,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
    )
    # The first call makes the weights that are then overwritten; a smaller batch than batch_size is warned about.
    first = slice(problem.batch_size)
    classifier.partial_fit(x[first], y[first], classes=np.arange(problem.classes))
    for (W, b), coefficients, intercepts in zip(problem.layers, classifier.coefs_, classifier.intercepts_, strict=True):
        coefficients[...], intercepts[...] = W, b

    def epoch(order: Order) -> None:
        classifier.partial_fit(x[order], y[order])

    def weights() -> Weights:
        return problem.named(list(zip(classifier.coefs_, classifier.intercepts_, strict=True)))

    return Trainer(epoch, weights)
