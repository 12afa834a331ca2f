"""The loss of a variational autoencoder's bottleneck with the reparametrisation trick."""

import numpy as np


class Bottleneck:
    def __init__(self, rng):
        self.rng = rng

    def forward(self, mu, logvar):
        self.eps = self.rng.standard_normal(mu.shape)
        self.mu, self.logvar = mu, logvar
        self.std = np.exp(0.5 * logvar)
        self.z = mu + self.std * self.eps
        return self.z

    def backward(self, dz, beta=1.0):
        n = len(self.mu)
        dmu = dz + beta * self.mu / n
        dlogvar = dz * self.eps * 0.5 * self.std + beta * 0.5 * (np.exp(self.logvar) - 1) / n
        return dmu, dlogvar


def step(mu, logvar, target):
    layer = Bottleneck(np.random.default_rng(5))
    z = layer.forward(mu, logvar)
    n = len(mu)
    kl = -0.5 * np.sum(1 + logvar - mu ** 2 - np.exp(logvar)) / n
    loss = 0.5 * np.sum((z - target) ** 2) / n + kl
    dz = (z - target) / n
    dmu, dlogvar = layer.backward(dz)
    return loss, dmu, dlogvar


rng = np.random.default_rng(0)
print(step(rng.normal(size=(5, 3)), 0.3 * rng.normal(size=(5, 3)), rng.normal(size=(5, 3)))[0])
