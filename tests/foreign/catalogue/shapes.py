"""Code that writes over what it is given, trees of parameters, several outputs, and plain numbers."""

import numpy as np
from tests.foreign.piece import Piece, layer, mistake, normal, pieces

LAYERS_OF_MLP = [(normal(4, 5), normal(5)), (normal(5, 3), normal(3)), (normal(3, 2), normal(2))]
CONDITIONER = {"shared": {"W": normal(4, 5)}, "mean": normal(5, 3), "scale": normal(5, 2)}

SHAPES = [
    *pieces(
        Piece(
            "softmax over its input",
            "in_place",
            "vjp",
            lambda m: layer(m.softmax_forward, m.softmax_backward),
            (normal(5, 4),),
            remark="changes .*x.* in place",
        ),
        mistake("no inner product", "    dout -= (dout * p).sum(axis=1, keepdims=True)\n", "", "x", "lacks"),
    ),
    *pieces(
        Piece(
            "centring",
            "in_place",
            "vjp",
            lambda m: layer(m.centre_forward, m.centre_backward),
            (normal(5, 4),),
            remark="upstream gradient .* in place",
        ),
        mistake(
            "over the wrong axis",
            "dout -= dout.mean(axis=0)",
            "dout -= dout.mean(axis=1, keepdims=True)",
            "x",
            "axis|mean",
        ),
        mistake("not centred", "    dout -= dout.mean(axis=0)\n", "", "x", "mean over axis 0"),
    ),
    *pieces(
        Piece(
            "swish with a number",
            "in_place",
            "vjp",
            lambda m: layer(m.swish_forward, m.swish_backward),
            (normal(5, 4), 1.5),
            remark="upstream gradient .* in place",
        ),
        mistake(
            "used after it was changed",
            "    dbeta = np.sum(dout * x * x * s * (1 - s))\n    dout *= s + beta * x * s * (1 - s)\n",
            "    dout *= s + beta * x * s * (1 - s)\n    dbeta = np.sum(dout * x * x * s * (1 - s))\n",
            "beta",
            "times|in place",
        ),
        mistake(
            "number left out",
            "beta * x * s * (1 - s)\n    return dout",
            "x * s * (1 - s)\n    return dout",
            "x",
            "lacks|beta",
        ),
    ),
    *pieces(
        Piece(
            "clipping",
            "in_place",
            "vjp",
            lambda m: layer(m.clip_forward, m.clip_backward),
            (normal(5, 4), -0.5, 0.7),
            remark="upstream gradient .* in place",
        ),
        mistake("one side only", "dout[(x < lo) | (x > hi)]", "dout[x < lo]", "x", "mask"),
        mistake(
            "of the upstream gradient", "dout[(x < lo) | (x > hi)]", "dout[(dout < lo) | (dout > hi)]", "x", "mask"
        ),
    ),
    *pieces(
        Piece(
            "list of pairs",
            "trees",
            "vjp",
            lambda m: (lambda params, x: m.mlp_forward(params, x)[0], m.mlp_backward),
            (LAYERS_OF_MLP, normal(6, 4)),
        ),
        mistake(
            "tanh of tanh",
            "activations[i + 1] ** 2",
            "np.tanh(activations[i + 1]) ** 2",
            "params[0][0], params[0][1], params[1][0], params[1][1], x",
            "tanh|factor|lacks",
        ),
        mistake(
            "bias by mean",
            "dout.sum(axis=0)))",
            "dout.mean(axis=0)))",
            "params[0][1], params[1][1], params[2][1]",
            "6 times too small",
        ),
        mistake(
            "order of the layers",
            "return grads[::-1], dout",
            "return grads, dout",
            "params[0][0], params[0][1], params[2][0], params[2][1]",
            "swapped|order|should be",
        ),
    ),
    *pieces(
        Piece(
            "nested dict, two outputs",
            "trees",
            "vjp",
            lambda m: (m.conditioner, m.conditioner_vjp),
            (CONDITIONER, normal(6, 4)),
        ),
        mistake(
            "one output forgotten", ' + dy["log_scale"] @ params["scale"].T', "", "params['shared']['W'], x", "lacks"
        ),
        mistake("tanh' forgotten", "dz = dh * (1 - h**2)", "dz = dh", "params['shared']['W'], x", "tanh|factor|lacks"),
        mistake(
            "a gradient left out", '        "scale": h.T @ dy["log_scale"],\n', "", "params['scale']", "None|never"
        ),
    ),
    *pieces(
        Piece(
            "divergence with a number",
            "trees",
            "vjp",
            lambda m: (m.gaussian_kl, m.gaussian_kl_vjp),
            (normal(5, 3), normal(5, 3, seed=1), 0.25),
        ),
        mistake("one forgotten", "(np.exp(logvar) - 1)", "np.exp(logvar)", "logvar", "lacks|too much"),
        mistake("half forgotten", "dy * beta * 0.5 * (np", "dy * beta * (np", "logvar", "2 times too large"),
        mistake("negated", "dmu = dy * beta * mu", "dmu = -dy * beta * mu", "mu", "wrong sign"),
    ),
    *pieces(
        Piece(
            "squared distances",
            "trees",
            "vjp",
            lambda m: (m.pairwise_distances, m.pairwise_distances_vjp),
            (normal(5, 3), normal(6, 3)),
        ),
        mistake(
            "over the other axis",
            "dy.sum(0)[:, None] * b - dy.T @ a",
            "dy.sum(0)[:, None] * b - dy.T @ b[:5]",
            "b",
            "uses .* where|a",
        ),
        mistake("2 forgotten", "da = 2 * (dy", "da = (dy", "a", "2 times too small"),
        mistake("own share forgotten", "dy.sum(0)[:, None] * b - dy.T @ a", "-(dy.T @ a)", "b", "lacks"),
    ),
    *pieces(
        Piece("maximum and where it is", "trees", "vjp", lambda m: (m.best, m.best_vjp), (normal(5, 4),)),
        mistake("of the columns", "x.argmax(axis=1)] = dbest", "x.argmin(axis=1)] = dbest", "x", "mask|order|max"),
        mistake(
            "to every entry",
            "    dx[np.arange(len(x)), x.argmax(axis=1)] = dbest\n",
            "    dx += dbest[:, None]\n",
            "x",
            "lacks a mask",
        ),
    ),
]

REFUSED = {
    "draws its own mask": (
        Piece(
            "draws its own mask",
            "in_place",
            "vjp",
            lambda m: layer(m.noisy_forward, m.noisy_backward),
            (normal(5, 4), normal(4, 3)),
        ),
        "same|twice|two answers|random",
    ),
    "remembers its last call": (
        Piece(
            "remembers its last call",
            "in_place",
            "vjp",
            lambda m: (m.Stateful().forward, lambda _, dy: dy - 0.1 * dy.mean(axis=0)),
            (normal(5, 4),),
        ),
        "same|twice|two answers|random",
    ),
    "the logarithm of a negative number": (
        Piece(
            "the logarithm of a negative number",
            "in_place",
            "vjp",
            lambda _: (np.emath.log, lambda x, dy: dy / x),
            (normal(5, 4),),
        ),
        "real|complex|finite",
    ),
}
"""Name -> a piece that cannot be judged, and what is said of it."""
