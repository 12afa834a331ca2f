"""The notebook's own training loop: softmax regression by hand in NumPy, on arrays prepared beforehand.

The baseline. It uses nothing of the framework but the numbers it starts from.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from gradparity.protocol import Dtype
from gradparity_bench.task import Task, Weights


def softmax(Z: Float[np.ndarray, "n classes"]) -> Float[np.ndarray, "n classes"]:
    """exp(Zₖ) / Σⱼ exp(Zⱼ) of each row, shifted by the row's maximum so that no exponential overflows."""
    E: Float[np.ndarray, "n classes"] = np.exp(Z - Z.max(axis=1, keepdims=True))
    P: Float[np.ndarray, "n classes"] = E / E.sum(axis=1, keepdims=True)
    return P


def train(task: Task, dtype: Dtype = "float32") -> Iterator[Weights]:
    """Yield the weights after each epoch, without end."""
    X, labels, _ = task.examples.batch(slice(None), dtype)
    Y = np.eye(task.classes, dtype=dtype)[labels]
    weights, rng = task.start()
    W, b = weights["W"].astype(dtype), weights["b"].astype(dtype)

    while True:
        order = rng.permutation(len(X))
        for start in range(0, len(X), task.batch_size):
            batch = order[start : start + task.batch_size]
            x, y = X[batch], Y[batch]

            P = softmax(x @ W + b)
            dZ = (P - y) / len(x)
            dW = x.T @ dZ
            db = dZ.sum(axis=0)

            W -= task.lr * dW
            b -= task.lr * db
        yield {"W": W.copy(), "b": b.copy()}
