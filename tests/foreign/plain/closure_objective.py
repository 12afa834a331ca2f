import numpy as np
from scipy.optimize import minimize

def make_objective(X, y, lam):
    n, d = X.shape
    def f(theta):
        w, b = theta[:-1], theta[-1]
        z = X.dot(w) + b
        p = 1 / (1 + np.exp(-z))
        loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + 0.5 * lam * w.dot(w)
        dz = (p - y) / n
        dw = X.T.dot(dz) + lam * w
        db = dz.sum()
        return loss, np.append(dw, db)
    return f

rng = np.random.default_rng(5)
X = rng.standard_normal((40, 6))
y = (X @ rng.standard_normal(6) + 0.3 * rng.standard_normal(40) > 0) * 1.0
obj = make_objective(X, y, lam=0.1)
res = minimize(obj, rng.standard_normal(7) * 0.1, jac=True, method="L-BFGS-B")
print(res.message, res.fun)
