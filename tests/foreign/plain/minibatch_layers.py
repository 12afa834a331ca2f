# layers whose backward is given the input again, minibatches from a generator
import numpy as np


def minibatches(inputs, labels, size):
    order = np.random.permutation(len(inputs))
    for start in range(0, len(inputs) - size + 1, size):
        chosen = order[start:start + size]
        yield inputs[chosen], labels[chosen]


class Rectifier:
    def forward(self, x):
        return np.maximum(0, x)

    def backward(self, x, grad_output):
        return grad_output * (x > 0)


class Affine:
    def __init__(self, n_in, n_out, rate=0.1):
        self.rate = rate
        self.weights = np.random.randn(n_in, n_out) * 0.3
        self.biases = np.zeros(n_out)

    def forward(self, x):
        return x @ self.weights + self.biases

    def backward(self, x, grad_output):
        grad_input = grad_output @ self.weights.T
        grad_weights = x.T @ grad_output
        grad_biases = grad_output.sum(axis=0)
        self.weights = self.weights - self.rate * grad_weights
        self.biases = self.biases - self.rate * grad_biases
        return grad_input


def cross_entropies(logits, labels):
    return np.log(np.exp(logits).sum(axis=-1)) - logits[np.arange(len(logits)), labels]


def cross_entropies_grad(logits, labels):
    chosen = np.zeros_like(logits)
    chosen[np.arange(len(logits)), labels] = 1
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return (p - chosen) / len(logits)


np.random.seed(42)
network = [Affine(5, 9), Rectifier(), Affine(9, 3)]


def train(network, x, labels):
    inputs = [x]
    for layer in network:
        inputs.append(layer.forward(inputs[-1]))
    loss = cross_entropies(inputs[-1], labels)
    loss_grad = cross_entropies_grad(inputs[-1], labels)
    for layer, given in zip(network[::-1], inputs[-2::-1]):
        loss_grad = layer.backward(given, loss_grad)
    return np.mean(loss)


x, labels = np.random.randn(30, 5), np.random.randint(0, 3, 30)
for epoch in range(2):
    for xb, yb in minibatches(x, labels, 7):
        print(train(network, xb, yb))
