"""The numpy backend's epoch written out without the framework: the same operations, in one function."""

from collections.abc import Iterator

import numpy as np
from threadpoolctl import ThreadpoolController

from gradparity_bench.task import Task, Weights


def train(task: Task) -> Iterator[Weights]:
    """Yield the weights after each epoch, without end."""
    images, labels = task.examples.x, task.examples.y
    divisor = np.float32(task.examples.divisor)
    classes = np.arange(task.classes)[:, None]
    weights, rng = task.start()
    W, b = weights["W"].astype(np.float32), weights["b"].astype(np.float32)

    blas = ThreadpoolController()
    while True:
        order = rng.permutation(len(images))
        raw = np.empty_like(images, shape=(min(task.batch_size, len(images)), images.shape[1]))
        X = np.empty(raw.shape, dtype=np.float32)
        losses = []
        with blas.limit(limits=1, user_api="blas"):
            for start in range(0, len(order), task.batch_size):
                index = order[start : start + task.batch_size]
                n = len(index)
                x, y = X[:n], labels[index]
                np.take(images, index, axis=0, out=raw[:n], mode="clip")
                np.copyto(x, raw[:n], casting="unsafe")
                x /= divisor

                Z = x @ W + b
                ZT = np.ascontiguousarray(Z.T)
                top = np.max(ZT, axis=0)
                log_sum_exp = np.log(np.exp(ZT - top).sum(axis=0)) + top
                losses.append((log_sum_exp - Z[np.arange(n), y]).mean())

                # As in the derivation: cross-entropy and softmax are two functions, and each shifts and exponentiates.
                ZT = np.ascontiguousarray(Z.T)
                E = np.exp(ZT - np.max(ZT, axis=0))
                P = (E / E.sum(axis=0)).T
                Y = (classes == y).astype(np.float32).T
                dZ = 1.0 / n * (P - Y)
                dW = x.T @ dZ
                db = dZ.sum(axis=0)

                W -= task.lr * dW
                b -= task.lr * db
        yield {"W": W.copy(), "b": b.copy()}
