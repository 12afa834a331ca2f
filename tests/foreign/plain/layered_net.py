"""A net made of layer functions that stand in a module beside it."""

import numpy as np
from layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss


class Net:
    def __init__(self, dims, reg=0.0):
        rng = np.random.default_rng(0)
        self.reg = reg
        self.params = {}
        for i, (a, b) in enumerate(zip(dims, dims[1:]), 1):
            self.params[f'W{i}'] = 0.5 * rng.normal(size=(a, b))
            self.params[f'b{i}'] = np.zeros(b)
        self.L = len(dims) - 1

    def loss(self, X, y):
        caches = []
        h = X
        for i in range(1, self.L + 1):
            h, cache = affine_forward(h, self.params[f'W{i}'], self.params[f'b{i}'])
            caches.append(cache)
            if i < self.L:
                h, cache = relu_forward(h)
                caches.append(cache)
        loss, dh = softmax_loss(h, y)
        for i in range(1, self.L + 1):
            loss += 0.5 * self.reg * np.sum(self.params[f'W{i}'] ** 2)

        grads = {}
        for i in range(self.L, 0, -1):
            if i < self.L:
                dh = relu_backward(dh, caches.pop())
            dh, grads[f'W{i}'], grads[f'b{i}'] = affine_backward(dh, caches.pop())
            grads[f'W{i}'] += self.reg * self.params[f'W{i}']
        return loss, grads


rng = np.random.default_rng(1)
X, y = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
net = Net([4, 5, 5, 3], reg=0.1)
loss, grads = net.loss(X, y)
print(loss)
