from types import SimpleNamespace

import numpy as np


def step(theta, t, y):
    hidden = np.tanh(np.outer(t, theta.freq) + theta.phase)
    miss = hidden @ theta.amp - y
    mse = np.mean(miss**2)

    slope = SimpleNamespace()
    r = 2 * miss / len(t)
    slope.amp = hidden.T @ r
    s = np.outer(r, theta.amp) * (1 - hidden**2)
    slope.freq = t @ s
    slope.phase = s.sum(axis=0)
    return mse, slope


t = np.linspace(-1, 1, 11)
theta = SimpleNamespace(freq=np.array([1.0, 2.0, -1.5]), phase=np.array([0.1, -0.4, 0.8]), amp=np.array([0.5, -0.3, 1.1]))
for _ in range(4):
    mse, slope = step(theta, t, np.sin(3 * t))
    theta.amp = theta.amp - 0.1 * slope.amp
    theta.freq = theta.freq - 0.1 * slope.freq
    theta.phase = theta.phase - 0.1 * slope.phase
