# 層を OrderedDict に並べたネットワーク
from collections import OrderedDict
import numpy as np

np.random.seed(4)

class Linear:
    def __init__(self, w, c):
        self.w, self.c = w, c
    def forward(self, x):
        self.x = x
        return x @ self.w + self.c
    def backward(self, dout):
        self.dw = self.x.T @ dout
        self.dc = dout.sum(axis=0)
        return dout @ self.w.T

class ReLU:
    def forward(self, x):
        self.off = x <= 0
        y = x.copy()
        y[self.off] = 0
        return y
    def backward(self, dout):
        dout[self.off] = 0
        return dout

class Head:
    def forward(self, x, t):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p, self.t = e / e.sum(axis=1, keepdims=True), t
        self.loss = -np.sum(np.log(self.p[np.arange(len(t)), t] + 1e-7)) / len(t)
        return self.loss
    def backward(self):
        dx = self.p.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx / len(self.t)

class Net:
    def __init__(self, sizes):
        self.params = {}
        self.layers = OrderedDict()
        for i, (a, b) in enumerate(zip(sizes, sizes[1:]), 1):
            w = self.params[f'w{i}'] = 0.3 * np.random.randn(a, b)
            c = self.params[f'c{i}'] = np.zeros(b)
            self.layers[f'linear{i}'] = Linear(w, c)
            if i < len(sizes) - 1:
                self.layers[f'relu{i}'] = ReLU()
        self.head = Head()
    def loss(self, x, t):
        for layer in self.layers.values():
            x = layer.forward(x)
        return self.head.forward(x, t)
    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.head.backward()
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        grads = {}
        for i in (1, 2):
            grads[f'w{i}'] = self.layers[f'linear{i}'].dw
            grads[f'c{i}'] = self.layers[f'linear{i}'].dc
        return grads

data, label = np.random.rand(40, 6), np.random.randint(0, 3, 40)
net = Net([6, 5, 3])
for step in range(20):
    pick = np.random.choice(40, 8)
    grads = net.gradient(data[pick], label[pick])
    for key in net.params:
        net.params[key] -= 0.1 * grads[key]
    loss = net.loss(data[pick], label[pick])
