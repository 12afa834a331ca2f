"""Keras' ``fit``, on whichever library the environment variable KERAS_BACKEND names, with Keras' own defaults."""

import keras

from gradparity_alternatives.task import Order, Problem, Trainer, Weights


def prepare(problem: Problem) -> Trainer:
    """Return the training by a Sequential model, compiled as Keras does by default."""
    x, y = problem.in_memory()
    inputs, *hidden, classes = problem.widths
    layers = [*(keras.layers.Dense(width, activation="relu") for width in hidden), keras.layers.Dense(classes)]
    model = keras.Sequential([keras.Input((inputs,)), *layers])
    for layer, own in zip(layers, problem.layers, strict=True):
        layer.set_weights(list(own))
    model.compile(
        optimizer=keras.optimizers.SGD(problem.lr),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def epoch(order: Order) -> None:
        model.fit(x[order], y[order], batch_size=problem.batch_size, shuffle=False, verbose=0)

    def weights() -> Weights:
        return problem.named([tuple(layer.get_weights()) for layer in layers])

    return Trainer(epoch, weights)
