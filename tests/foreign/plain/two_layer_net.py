"""A two-layer net as a class, after the well-known course: parameters in self.params, loss(X, y) returns loss and grads."""

import numpy as np


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size, std=1e-1):
        self.params = {}
        self.params['W1'] = std * np.random.randn(input_size, hidden_size)
        self.params['b1'] = np.zeros(hidden_size)
        self.params['W2'] = std * np.random.randn(hidden_size, output_size)
        self.params['b2'] = np.zeros(output_size)

    def loss(self, X, y=None, reg=0.0):
        W1, b1 = self.params['W1'], self.params['b1']
        W2, b2 = self.params['W2'], self.params['b2']
        N, D = X.shape

        h1 = np.maximum(0, X.dot(W1) + b1)
        scores = h1.dot(W2) + b2
        if y is None:
            return scores

        shifted = scores - np.max(scores, axis=1, keepdims=True)
        exp_scores = np.exp(shifted)
        probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
        loss = -np.sum(np.log(probs[range(N), y])) / N
        loss += reg * (np.sum(W1 * W1) + np.sum(W2 * W2))

        grads = {}
        dscores = probs.copy()
        dscores[range(N), y] -= 1
        dscores /= N
        grads['W2'] = np.dot(h1.T, dscores) + 2 * reg * W2
        grads['b2'] = np.sum(dscores, axis=0)
        dh1 = np.dot(dscores, W2.T)
        dh1[h1 <= 0] = 0
        grads['W1'] = np.dot(X.T, dh1) + 2 * reg * W1
        grads['b1'] = np.sum(dh1, axis=0)
        return loss, grads

    def train(self, X, y, learning_rate=1e-1, reg=5e-2, num_iters=50):
        history = []
        for it in range(num_iters):
            loss, grads = self.loss(X, y=y, reg=reg)
            history.append(loss)
            for name in self.params:
                self.params[name] -= learning_rate * grads[name]
        return history


np.random.seed(1)
net = TwoLayerNet(4, 10, 3)
X = 10 * np.random.randn(5, 4)
y = np.array([0, 1, 2, 2, 1])
print(net.train(X, y)[-1])
