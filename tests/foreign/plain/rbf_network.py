import numpy as np
import numpy.linalg as la

# RBF network, squared loss; gradient wrt centres, widths and weights
np.random.seed(4)
X = np.random.uniform(-2, 2, (15, 2))
y = np.sin(X[:, 0]) * X[:, 1]
C = np.random.uniform(-2, 2, (6, 2))
s = np.ones(6) * 0.8
w = np.random.randn(6) * 0.1

def loss_and_grad(C, s, w):
    diff = X[:, None, :] - C[None, :, :]
    d2 = (diff ** 2).sum(-1)
    phi = np.exp(-d2 / (2 * s ** 2))
    f = phi @ w
    r = f - y
    E = 0.5 * np.mean(r ** 2)
    g_f = r / len(y)
    g_w = phi.T @ g_f
    g_phi = np.outer(g_f, w)
    g_d2 = -g_phi * phi / (2 * s ** 2)
    g_s = (g_phi * phi * d2 / s ** 3).sum(0)
    g_C = (-2 * diff * g_d2[..., None]).sum(0)
    return E, g_C, g_s, g_w

for i in range(100):
    E, gC, gs, gw = loss_and_grad(C, s, w)
    C -= 0.3 * gC
    s -= 0.3 * gs
    w -= 0.3 * gw
print("final", E)
