"""Layers as objects that remember their input, in a network that calls them in turn."""

import numpy as np


class Linear:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T


class Tanh:
    def forward(self, x):
        self.x = x
        self.out = np.tanh(x)
        return self.out

    def backward(self, grad):
        return grad * (1 - self.out**2)


class Sigmoid:
    def forward(self, x):
        self.out = 1.0 / (1.0 + np.exp(-x))
        return self.out

    def backward(self, grad):
        return self.out * (1 - self.out) * grad


class Softmax:
    """With the whole Jacobian of each row."""

    def forward(self, x):
        e = np.exp(x - np.max(x, axis=-1, keepdims=True))
        self.out = e / np.sum(e, axis=-1, keepdims=True)
        return self.out

    def backward(self, grad):
        result = np.empty_like(grad)
        for i, (s, g) in enumerate(zip(self.out, grad)):
            s = s.reshape(-1, 1)
            jacobian = np.diagflat(s) - s @ s.T
            result[i] = jacobian @ g
        return result


class MSELoss:
    def forward(self, prediction, target):
        self.diff = prediction - target
        return np.mean(self.diff**2)

    def backward(self):
        return 2 * self.diff / self.diff.size


class BatchNorm:
    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta

    def forward(self, x):
        self.std = x.std(axis=0)
        self.xhat = (x - x.mean(axis=0)) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, grad):
        self.dgamma = np.sum(grad * self.xhat, axis=0)
        self.dbeta = np.sum(grad, axis=0)
        g = grad * self.gamma
        return (g - g.mean(axis=0) - self.xhat * np.mean(g * self.xhat, axis=0)) / self.std


class Embedding:
    def __init__(self, table):
        self.table = table

    def forward(self, tokens):
        self.tokens = tokens
        return self.table[tokens]

    def backward(self, grad):
        self.dtable = np.zeros_like(self.table)
        np.add.at(self.dtable, self.tokens, grad)


class Network:
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad
