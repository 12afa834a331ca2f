"""Linear regression by gradient descent in a function, as in a first tutorial."""

import numpy as np


def train(X, y, lr=0.01, epochs=100):
    n_samples, n_features = X.shape
    w = np.zeros(n_features)
    b = 0.0
    for _ in range(epochs):
        y_pred = np.dot(X, w) + b
        loss = np.mean((y_pred - y) ** 2)
        dw = (2 / n_samples) * np.dot(X.T, (y_pred - y))
        db = (2 / n_samples) * np.sum(y_pred - y)
        w -= lr * dw
        b -= lr * db
    return w, b, loss


rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
y = X @ np.array([1.0, -2.0, 0.5]) + 0.3
print(train(X, y))
