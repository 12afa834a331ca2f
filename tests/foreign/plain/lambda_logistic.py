import numpy as np
sigmoid = lambda x: 1 / (1 + np.exp(-x))
np.random.seed(0)
X = np.random.randn(50, 3); y = (X[:, 0] > 0).astype(float)
W = np.random.randn(3); b = 0.0
losses = []
while len(losses) < 30:
    p = sigmoid(X @ W + b)
    losses.append(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    gW = X.T @ (p - y) / len(y)
    gb = np.mean(p - y)
    W, b = W - 0.5 * gW, b - 0.5 * gb
print(losses[-1])
