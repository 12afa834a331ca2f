import math, random

# a single neuron by hand, pure python floats
random.seed(3)
w = [random.uniform(-1, 1) for _ in range(2)]
b = 0.1
data = [((0.5, -1.2), 1.0), ((1.5, 0.3), 0.0), ((-0.7, 0.8), 1.0)]
lr = 0.1
for epoch in range(20):
    for (x1, x2), y in data:
        z = w[0] * x1 + w[1] * x2 + b
        a = 1 / (1 + math.exp(-z))
        loss = (a - y) ** 2
        da = 2 * (a - y)
        dz = da * a * (1 - a)
        dw0 = dz * x1
        dw1 = dz * x2
        db = dz
        w[0] -= lr * dw0
        w[1] -= lr * dw1
        b -= lr * db
print(w, b)
