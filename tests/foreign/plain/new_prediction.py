import numpy as np
def train_step(W1, b1, W2, b2, X, y, lr):
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ W2 + b2
    loss = np.mean((Z2 - y) ** 2)
    dZ2 = 2 * (Z2 - y) / y.size
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (Z1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(0)
    W1 = W1 - lr * dW1
    b1 = b1 - lr * db1
    W2 = W2 - lr * dW2
    b2 = b2 - lr * db2
    pred = np.maximum(X @ W1 + b1, 0) @ W2 + b2
    return W1, b1, W2, b2, loss, pred
r = np.random.default_rng(0)
W1, b1, W2, b2 = r.normal(size=(3, 5)), np.zeros(5), r.normal(size=(5, 1)), np.zeros(1)
X = r.normal(size=(20, 3)); y = r.normal(size=(20, 1))
for i in range(3):
    W1, b1, W2, b2, loss, pred = train_step(W1, b1, W2, b2, X, y, .01)
