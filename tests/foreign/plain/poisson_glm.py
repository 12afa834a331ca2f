import numpy as np
from numpy import exp, log, dot
from scipy.special import gammaln

def nll_and_grad(beta, X, y, ridge=0.01):
    eta = dot(X, beta)
    mu = exp(eta)
    nll = (mu - y * eta + gammaln(y + 1)).sum() + 0.5 * ridge * dot(beta, beta)
    grad = dot(X.T, mu - y) + ridge * beta
    return nll, grad

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4)) * 0.5
    y = rng.poisson(np.exp(X @ [0.2, -0.1, 0.4, 0.0]))
    beta = np.zeros(4)
    for _ in range(100):
        f, g = nll_and_grad(beta, X, y)
        beta -= 0.01 * g
    print(beta)
