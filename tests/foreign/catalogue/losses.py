"""Losses with their gradients, and layers as objects."""

from types import ModuleType
from typing import Any

import numpy as np
from tests.foreign.piece import Function, Piece, loss, mistake, normal, pieces

LABELS = np.array([0, 2, 2, 1, 2, 0, 2])
ONE_HOT = np.eye(3)[LABELS]
BINARY = np.array([1.0, 0, 0, 1, 0, 0, 0])
NETWORK = {"W1": normal(5, 4), "b1": normal(4), "W2": normal(4, 3), "b2": normal(3)}


def network(m: ModuleType) -> tuple[Function, Function]:
    """Linear, tanh, linear and a squared error: objects, brought in as a function of their parameters."""

    def run(x: Any, W1: Any, b1: Any, W2: Any, b2: Any, target: Any) -> Any:
        first, last, mse = m.Linear(W1, b1), m.Linear(W2, b2), m.MSELoss()
        net = m.Network([first, m.Tanh(), last])
        return net, first, last, mse, mse.forward(net.forward(x), target)

    def f(x: Any, W1: Any, b1: Any, W2: Any, b2: Any, target: Any) -> Any:
        return run(x, W1, b1, W2, b2, target)[-1]

    def vjp(x: Any, W1: Any, b1: Any, W2: Any, b2: Any, target: Any, dy: Any) -> Any:
        net, first, last, mse, _ = run(x, W1, b1, W2, b2, target)
        dx = net.backward(dy * mse.backward())
        return dx, first.dW, first.db, last.dW, last.db, None

    return f, vjp


def batch_norm_object(m: ModuleType) -> tuple[Function, Function]:
    def vjp(x: Any, gamma: Any, beta: Any, dy: Any) -> Any:
        bn = m.BatchNorm(gamma, beta)
        bn.forward(x)
        return bn.backward(dy), bn.dgamma, bn.dbeta

    return lambda x, gamma, beta: m.BatchNorm(gamma, beta).forward(x), vjp


def embedding_object(m: ModuleType) -> tuple[Function, Function]:
    def vjp(table: Any, tokens: Any, dy: Any) -> Any:
        embedding = m.Embedding(table)
        embedding.forward(tokens)
        embedding.backward(dy)
        return embedding.dtable, None

    return lambda table, tokens: m.Embedding(table).forward(tokens), vjp


def elementwise(name: str) -> Any:
    def subject(m: ModuleType) -> tuple[Function, Function]:
        def vjp(x: Any, dy: Any) -> Any:
            one = getattr(m, name)()
            one.forward(x)
            return one.backward(dy)

        return lambda x: getattr(m, name)().forward(x), vjp

    return subject


NORMALISED = normal(6, 4) * 2 + 1, normal(4), normal(4, seed=1)

LOSSES = [
    *pieces(
        Piece(
            "softmax",
            "loss_and_grads",
            "vjp",
            lambda m: loss(m.softmax_loss),
            (normal(5, 3), normal(7, 5), LABELS, 0.1),
        ),
        mistake("1/n forgotten", "dW = X.T.dot(ds) / num", "dW = X.T.dot(ds)", "W", "n times|7 times|lacks|too much"),
        mistake("decay halved", "/ num + 2 * reg * W", "/ num + reg * W", "W", "weight decay"),
        mistake("decay left out", "/ num + 2 * reg * W", "/ num", "W", "weight decay"),
        mistake("labels left out", "    ds[np.arange(num), y] -= 1\n", "", "W", r"lacks .*\by\b|\by\b.* too much"),
    ),
    *pieces(
        Piece(
            "support vectors",
            "loss_and_grads",
            "vjp",
            lambda m: loss(m.svm_loss),
            (normal(5, 3), normal(7, 5), LABELS, 0.1),
        ),
        mistake("right class by one", "= -binary.sum(axis=1)", "= -1", "W", "lacks|too much|one_hot"),
        mistake("margin's own sign", "X.T.dot(binary) / num", "-X.T.dot(binary) / num", "W", "wrong sign|too much"),
    ),
    *pieces(
        Piece(
            "two layers in a dict",
            "loss_and_grads",
            "vjp",
            lambda m: loss(m.two_layer_loss),
            (NETWORK, normal(7, 5), LABELS, 0.05),
        ),
        mistake(
            "1/n forgotten",
            "    dscores /= N\n",
            "",
            "params['W1'], params['b1'], params['W2'], params['b2']",
            "7 times too large",
        ),
        mistake(
            "mask of the wrong array",
            "dh[h <= 0] = 0",
            "dh[dh <= 0] = 0",
            "params['W1'], params['b1']",
            "mask|lacks|dh where h",
        ),
        mistake("mask left out", "    dh[h <= 0] = 0\n", "", "params['W1'], params['b1']", "mask|lacks"),
        mistake(
            "bias decayed",
            'grads["b2"] = dscores.sum(axis=0)',
            'grads["b2"] = dscores.sum(axis=0) + 2 * reg * b2',
            "params['b2']",
            "weight decay",
        ),
        mistake("decay left out", "h.T @ dscores + 2 * reg * W2", "h.T @ dscores", "params['W2']", "weight decay"),
        mistake(
            "a gradient left out", '    grads["b1"] = dh.sum(axis=0)\n', "", "params['b1']", "never|None|no gradient"
        ),
    ),
    *pieces(
        Piece(
            "ridge", "loss_and_grads", "vjp", lambda m: loss(m.ridge), (normal(5), 0.3, normal(7, 5), normal(7), 0.2)
        ),
        mistake("sum for mean", "db = r.mean()", "db = r.sum()", "b", "7 times too large"),
        mistake(
            "2 too much",
            "dw = X.T @ r / len(t)",
            "dw = 2 * X.T @ r / len(t)",
            "w",
            "factor 2 once too often",
        ),
        mistake("decay squared away", "/ len(t) + lam * w\n", "/ len(t) + lam\n", "w", "lacks .*w|weight decay|0\\.2"),
    ),
    *pieces(
        Piece(
            "logistic",
            "loss_and_grads",
            "vjp",
            lambda m: loss(m.logistic),
            (normal(5), np.array(0.3), normal(7, 5), BINARY),
        ),
        mistake("negated", "dz = (p - t) / len(t)", "dz = (t - p) / len(t)", "w, b", "wrong sign"),
        mistake("1/n forgotten", "dz = (p - t) / len(t)", "dz = p - t", "w, b", "7 times too large"),
        mistake(
            "sigmoid' once more",
            "dz = (p - t) / len(t)",
            "dz = (p - t) * p * (1 - p) / len(t)",
            "w, b",
            "sigmoid|factor|once too often",
        ),
    ),
    *pieces(
        Piece(
            "matrix factorisation",
            "loss_and_grads",
            "vjp",
            lambda m: loss(m.matrix_factorisation),
            (normal(6, 2), normal(5, 2), normal(6, 5), (normal(6, 5, seed=3) > 0).astype(float), 0.1),
        ),
        mistake("2 too much", "E.T @ U", "E.T @ (2 * U)", "V", "factor 2 once too often"),
        mistake(
            "unseen entries count",
            "E = seen * (U @ V.T - R)\n    loss = 0.5 * np.sum(E**2)",
            "E = U @ V.T - R\n    loss = 0.5 * np.sum(seen * E**2)",
            "U, V",
            "seen",
        ),
        mistake("decay of the other", "E @ V + lam * U", "E @ V + lam * U.mean()", "U", r"\.mean\(\) too much"),
    ),
    *pieces(
        Piece(
            "network",
            "layer_classes",
            "vjp",
            network,
            (normal(6, 4), normal(4, 5), normal(5), normal(5, 3), normal(3), normal(6, 3)),
        ),
        mistake(
            "tanh' of the input",
            "grad * (1 - self.out**2)",
            "grad * (1 - self.x**2)",
            "x, W1, b1",
            "tanh|pre-activation|factor|uses self.x where self.out",
        ),
        mistake(
            "mean over the batch only",
            "2 * self.diff / self.diff.size",
            "2 * self.diff / len(self.diff)",
            "x, W1, b1, W2, b2",
            "3 times too large",
        ),
        mistake(
            "bias by mean", "self.db = grad.sum(axis=0)", "self.db = grad.mean(axis=0)", "b1, b2", "6 times too small"
        ),
        mistake("2 forgotten", "return 2 * self.diff", "return self.diff", "x, W1, b1, W2, b2", "2 times too small"),
    ),
    *pieces(
        Piece("sigmoid", "layer_classes", "vjp", elementwise("Sigmoid"), (normal(5, 3),)),
        mistake(
            "square for product",
            "self.out * (1 - self.out) * grad",
            "self.out * (1 - self.out) ** 2 * grad",
            "x",
            r"\(1 - y\)|once too often|sigmoid",
        ),
    ),
    *pieces(
        Piece("softmax with its Jacobian", "layer_classes", "vjp", elementwise("Softmax"), (normal(5, 4),)),
        mistake(
            "diagonal only", "np.diagflat(s) - s @ s.T", "np.diagflat(s * (1 - s))", "x", r"diagonal|lacks|\(1 - y\)"
        ),
        mistake("plus", "np.diagflat(s) - s @ s.T", "np.diagflat(s) + s @ s.T", "x", "sign|too much"),
    ),
    *pieces(
        Piece("batch norm", "layer_classes", "vjp", batch_norm_object, NORMALISED),
        mistake("gamma forgotten", "g = grad * self.gamma", "g = grad", "x", "gamma"),
        mistake("mean over everything", "- g.mean(axis=0)", "- g.mean()", "x", "mean|axis"),
    ),
    *pieces(
        Piece("embedding", "layer_classes", "vjp", embedding_object, (normal(6, 3), np.array([4, 1, 4, 0, 4, 2]))),
        mistake(
            "the last one wins",
            "np.add.at(self.dtable, self.tokens, grad)",
            "self.dtable[self.tokens] = grad",
            "table",
            r"repeated|last|row 4",
        ),
        mistake(
            "counted once",
            "np.add.at(self.dtable, self.tokens, grad)",
            "self.dtable[self.tokens] += grad",
            "table",
            r"repeated|last|row 4",
        ),
    ),
]
