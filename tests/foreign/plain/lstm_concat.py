# LSTM, concatenated input, dictionary of caches
import numpy as np
np.random.seed(0)
n_a, n_x, n_y, m, Tx = 3, 2, 2, 4, 3
parameters = {"Wf": np.random.randn(n_a, n_a + n_x), "bf": np.random.randn(n_a, 1),
    "Wi": np.random.randn(n_a, n_a + n_x), "bi": np.random.randn(n_a, 1),
    "Wo": np.random.randn(n_a, n_a + n_x), "bo": np.random.randn(n_a, 1),
    "Wc": np.random.randn(n_a, n_a + n_x), "bc": np.random.randn(n_a, 1)}
def sigmoid(x): return 1 / (1 + np.exp(-x))
def lstm_cell_forward(xt, a_prev, c_prev, parameters):
    Wf, bf, Wi, bi, Wc, bc, Wo, bo = (parameters[k] for k in ("Wf", "bf", "Wi", "bi", "Wc", "bc", "Wo", "bo"))
    concat = np.concatenate([a_prev, xt], axis=0)
    ft = sigmoid(np.dot(Wf, concat) + bf)
    it = sigmoid(np.dot(Wi, concat) + bi)
    cct = np.tanh(np.dot(Wc, concat) + bc)
    c_next = ft * c_prev + it * cct
    ot = sigmoid(np.dot(Wo, concat) + bo)
    a_next = ot * np.tanh(c_next)
    cache = (a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters)
    return a_next, c_next, cache
def lstm_cell_backward(da_next, dc_next, cache):
    (a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters) = cache
    n_a = a_next.shape[0]
    dot = da_next * np.tanh(c_next) * ot * (1 - ot)
    dcct = (dc_next * it + ot * (1 - np.square(np.tanh(c_next))) * it * da_next) * (1 - np.square(cct))
    dit = (dc_next * cct + ot * (1 - np.square(np.tanh(c_next))) * cct * da_next) * it * (1 - it)
    dft = (dc_next * c_prev + ot * (1 - np.square(np.tanh(c_next))) * c_prev * da_next) * ft * (1 - ft)
    concat = np.concatenate([a_prev, xt], axis=0)
    dWf = np.dot(dft, concat.T)
    dWi = np.dot(dit, concat.T)
    dWc = np.dot(dcct, concat.T)
    dWo = np.dot(dot, concat.T)
    dbf = np.sum(dft, axis=1, keepdims=True)
    dbi = np.sum(dit, axis=1, keepdims=True)
    dbc = np.sum(dcct, axis=1, keepdims=True)
    dbo = np.sum(dot, axis=1, keepdims=True)
    W = parameters
    da_prev = W['Wf'][:, :n_a].T @ dft + W['Wi'][:, :n_a].T @ dit + W['Wc'][:, :n_a].T @ dcct + W['Wo'][:, :n_a].T @ dot
    dc_prev = dc_next * ft + ot * (1 - np.square(np.tanh(c_next))) * ft * da_next
    dxt = W['Wf'][:, n_a:].T @ dft + W['Wi'][:, n_a:].T @ dit + W['Wc'][:, n_a:].T @ dcct + W['Wo'][:, n_a:].T @ dot
    return {"dxt": dxt, "da_prev": da_prev, "dc_prev": dc_prev, "dWf": dWf, "dbf": dbf, "dWi": dWi, "dbi": dbi, "dWc": dWc, "dbc": dbc, "dWo": dWo, "dbo": dbo}
def total(xt, a_prev, c_prev, parameters):
    a_next, c_next, cache = lstm_cell_forward(xt, a_prev, c_prev, parameters)
    loss = np.sum(a_next ** 2) + np.sum(c_next * 3)
    da_next = 2 * a_next
    dc_next = 3 * np.ones_like(c_next)
    gradients = lstm_cell_backward(da_next, dc_next, cache)
    return loss, gradients
total(np.random.randn(n_x, m), np.random.randn(n_a, m), np.random.randn(n_a, m), parameters)
