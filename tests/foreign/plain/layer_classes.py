"""Layers as classes with forward and backward, called one after the other."""

import numpy as np


class Linear:
    def __init__(self, n_in, n_out, rng):
        self.W = rng.normal(0, 1 / np.sqrt(n_in), (n_in, n_out))
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        self.out = x @ self.W + self.b
        return self.out

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        dx = dout @ self.W.T
        return dx


class Tanh:
    def forward(self, x):
        self.x = x
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        dx = dout * (1 - self.out**2)
        return dx


class MSE:
    def forward(self, pred, target):
        self.pred, self.target = pred, target
        self.loss = np.mean((pred - target) ** 2)
        return self.loss

    def backward(self):
        dpred = 2 * (self.pred - self.target) / self.pred.size
        return dpred


rng = np.random.default_rng(0)
layers = [Linear(3, 6, rng), Tanh(), Linear(6, 2, rng)]
criterion = MSE()
X = rng.normal(size=(8, 3))
T = rng.normal(size=(8, 2))
for step in range(100):
    h = X
    for layer in layers:
        h = layer.forward(h)
    loss = criterion.forward(h, T)
    d = criterion.backward()
    for layer in reversed(layers):
        d = layer.backward(d)
    for layer in layers:
        if hasattr(layer, 'W'):
            layer.W -= 0.1 * layer.dW
            layer.b -= 0.1 * layer.db
print(loss)
