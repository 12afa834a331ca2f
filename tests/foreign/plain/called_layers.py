import numpy as np

class Layer:
    def __init__(self):
        self.params, self.grads = {}, {}

class Dense(Layer):
    def __init__(self, in_features, units, activation=None):
        super().__init__()
        self.params["kernel"] = np.random.normal(0, 0.2, (in_features, units))
        self.params["bias"] = np.zeros(units)
        self.activation = activation
    def __call__(self, x):
        self.x = x
        self.z = x @ self.params["kernel"] + self.params["bias"]
        self.a = np.tanh(self.z) if self.activation == "tanh" else self.z
        return self.a
    def backward(self, grad):
        if self.activation == "tanh":
            grad = grad * (1 - self.a ** 2)
        self.grads["kernel"] = self.x.T @ grad
        self.grads["bias"] = grad.sum(axis=0)
        return grad @ self.params["kernel"].T

class MSE:
    def __call__(self, y_pred, y_true):
        self.diff = y_pred - y_true
        return (self.diff ** 2).mean()
    def backward(self):
        return 2 * self.diff / self.diff.size

class Sequential:
    def __init__(self, layers):
        self.layers = layers
    def compile(self, loss, lr):
        self.loss_fn, self.lr = loss, lr
    def train_on_batch(self, x, y):
        for layer in self.layers:
            x = layer(x)
        loss = self.loss_fn(x, y)
        grad = self.loss_fn.backward()
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        for layer in self.layers:
            for name in layer.params:
                layer.params[name] -= self.lr * layer.grads[name]
        return loss
    def fit(self, x, y, epochs=2, batch_size=8):
        for epoch in range(epochs):
            for i in range(0, len(x), batch_size):
                loss = self.train_on_batch(x[i:i + batch_size], y[i:i + batch_size])
            print(f"epoch {epoch}: loss {loss:.4f}")

model = Sequential([Dense(4, 6, "tanh"), Dense(6, 5, "tanh"), Dense(5, 2)])
model.compile(MSE(), 0.1)
model.fit(np.random.randn(32, 4), np.random.randn(32, 2))
