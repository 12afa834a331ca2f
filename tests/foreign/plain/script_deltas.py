# two layers, deltas of the activations inputs, no function at all
import numpy as np
X = np.array([[0,0,1],[0,1,1],[1,0,1],[1,1,1]])
y = np.array([[0,1,1,0]]).T
np.random.seed(1)
first = 2*np.random.random((3,4)) - 1
second = 2*np.random.random((4,1)) - 1
for j in range(60):
    mid = 1/(1+np.exp(-(np.dot(X,first))))
    out = 1/(1+np.exp(-(np.dot(mid,second))))
    loss = 0.5 * np.sum((y - out) ** 2)
    out_delta = (out - y)*(out*(1-out))
    mid_delta = out_delta.dot(second.T) * (mid * (1-mid))
    second -= mid.T.dot(out_delta)
    first -= X.T.dot(mid_delta)
