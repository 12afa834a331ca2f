"""Guards against zero, single precision inside, code that writes over what it is given, trees, and plain numbers."""

import numpy as np
from tests.foreign.piece import Piece, layer, mistake, normal, pieces

ONE_HOT = np.eye(3)[[0, 2, 2, 1, 2, 0, 2]]
BINARY = np.array([1.0, 0, 0, 1, 0, 0, 0])
LAYERS_OF_MLP = [(normal(4, 5), normal(5)), (normal(5, 3), normal(3)), (normal(3, 2), normal(2))]
CONDITIONER = {"shared": {"W": normal(4, 5)}, "mean": normal(5, 3), "scale": normal(5, 2)}

UNUSUAL = [
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
            "of the upstream gradient",
            "dout[(x < lo) | (x > hi)]",
            "dout[(dout < lo) | (dout > hi)]",
            "x",
            "uses dout where x",
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
        mistake(
            "one forgotten",
            "(np.exp(logvar) - 1)",
            "np.exp(logvar)",
            "logvar",
            r"lacks|too much|\(np\.exp\(logvar\) - 1\) belongs",
        ),
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
            "uses .* where",
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
            "mask|summed over axis 1",
        ),
    ),
    *pieces(
        Piece(
            "cross-entropy",
            "guards",
            "vjp",
            lambda m: layer(m.cross_entropy_forward, m.cross_entropy_backward),
            (normal(7, 3), ONE_HOT),
            remark="guard 1e-09|guard 1e-9",
        ),
        mistake("1/n forgotten", "(p - onehot) / len(p)", "(p - onehot)", "logits", "7 times too large"),
    ),
    *pieces(
        Piece(
            "binary cross-entropy",
            "guards",
            "vjp",
            lambda m: layer(m.binary_forward, m.binary_backward),
            (normal(7), BINARY),
            remark="guard 1e-09|guard 1e-9",
        ),
        mistake("negated", "(p - t) / p.size", "(t - p) / p.size", "z", "wrong sign"),
    ),
    *pieces(
        Piece(
            "l2 normalise",
            "guards",
            "vjp",
            lambda m: layer(m.l2_normalize_forward, m.l2_normalize_backward),
            (normal(5, 4),),
            remark="guard 1e-09|guard 1e-9",
        ),
        mistake(
            "the length's share forgotten",
            "(dout - out * np.sum(dout * out, axis=1, keepdims=True)) / s",
            "dout / s",
            "x",
            "lacks",
        ),
        mistake(
            "over the wrong axis",
            "np.sum(dout * out, axis=1, keepdims=True)",
            "np.sum(dout * out, axis=0, keepdims=True)",
            "x",
            "axis",
        ),
    ),
    *pieces(
        Piece(
            "cosine similarity",
            "guards",
            "vjp",
            lambda m: layer(m.cosine_forward, m.cosine_backward),
            (normal(5, 4), normal(5, 4, seed=1)),
            remark="guard 1e-08|guard 1e-8",
        ),
        mistake("of the other vector", "a * (cos / na**2)", "a * (cos / nb**2)", "a", "uses .* where|factor"),
        mistake("share forgotten", " - b * (cos / nb**2)[:, None]", "", "b", "lacks"),
    ),
    *pieces(
        Piece("length", "guards", "vjp", lambda m: layer(m.norm_forward, m.norm_backward), (normal(5, 3),)),
        mistake("not divided by the length", "x / safe[:, None]", "x", "x", "factor|times|lacks"),
    ),
    *pieces(
        Piece(
            "single precision inside",
            "guards",
            "vjp",
            lambda m: layer(m.rms_forward, m.rms_backward),
            (normal(5, 8), normal(8)),
            remark="float32",
        ),
        mistake(
            "share forgotten", "(gd - xhat * np.mean(gd * xhat, axis=-1, keepdims=True))", "gd", "x", "lacks|share"
        ),
        mistake("two per cent", "dgain = np.sum(", "dgain = 1.02 * np.sum(", "gain", r"1\.02 times"),
        mistake("zero", "dgain = np.sum(", "dgain = 0 * np.sum(", "gain", "all zero"),
    ),
]

SOME_ZERO = normal(5, 3) * np.array([1, 1, 0, 1, 1])[:, None]

UNJUDGED = (
    (
        Piece(
            "draws its own mask",
            "in_place",
            "vjp",
            lambda m: layer(m.noisy_forward, m.noisy_backward),
            (normal(5, 4), normal(4, 3)),
        ),
        "same|twice|two answers|random",
    ),
    (
        Piece(
            "remembers its last call",
            "in_place",
            "vjp",
            lambda m: (m.Stateful().forward, lambda _, dy: dy - 0.1 * dy.mean(axis=0)),
            (normal(5, 4),),
        ),
        "same|twice|two answers|random",
    ),
    (
        Piece(
            "the logarithm of a negative number",
            "in_place",
            "vjp",
            lambda _: (np.emath.log, lambda x, dy: dy / x),
            (normal(5, 4),),
        ),
        "real|complex|finite",
    ),
    (
        Piece("a length of zero", "guards", "vjp", lambda m: layer(m.norm_forward, m.norm_backward), (SOME_ZERO,)),
        "not checked",
    ),
    (
        Piece(
            "a wrong rule at a kink",
            "layer_pairs",
            "vjp",
            lambda m: layer(m.relu_forward, lambda dout, _: 5 * dout),
            (np.array([0.0, 1.0, -1.0]),),
        ),
        "not checked",
    ),
)
"""Pieces that cannot be judged, and what is said of each, as an error or as a disagreement."""
