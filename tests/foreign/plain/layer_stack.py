import numpy as np
from numpy import *


class Layer:
    def forward(self, x):
        raise NotImplementedError

    def backward(self, grad):
        raise NotImplementedError


class Dense(Layer):
    def __init__(self, n_in, n_out):
        self.weights = np.random.randn(n_in, n_out) * np.sqrt(2 / n_in)
        self.bias = np.zeros((1, n_out))

    def forward(self, x):
        self.inputs = x
        return x @ self.weights + self.bias

    def backward(self, grad_output):
        self.grad_weights = self.inputs.T @ grad_output
        self.grad_bias = grad_output.sum(axis=0, keepdims=True)
        return grad_output @ self.weights.T


class LeakyReLU(Layer):
    def __init__(self, alpha=0.01):
        self.alpha = alpha

    def forward(self, x):
        self.inputs = x
        return where(x > 0, x, self.alpha * x)

    def backward(self, grad_output):
        return grad_output * where(self.inputs > 0, 1, self.alpha)


class MSE:
    def forward(self, pred, target):
        self.pred, self.target = pred, target
        return mean((pred - target) ** 2)

    def backward(self):
        return 2 * (self.pred - self.target) / self.pred.size


class Sequential:
    def __init__(self, *layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad

    def update(self, lr):
        for layer in self.layers:
            if hasattr(layer, "weights"):
                layer.weights -= lr * layer.grad_weights
                layer.bias -= lr * layer.grad_bias


random.seed(42)
X = random.randn(32, 6)
Y = sin(X[:, :2]) + 0.1 * random.randn(32, 2)
net = Sequential(Dense(6, 10), LeakyReLU(), Dense(10, 2))
criterion = MSE()
for epoch in range(30):
    pred = net.forward(X)
    loss = criterion.forward(pred, Y)
    net.backward(criterion.backward())
    net.update(0.05)
    if epoch % 10 == 0:
        print(f"{epoch=} {loss=:.4f}")
