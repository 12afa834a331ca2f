"""Layers, batch norm and attention as pairs of functions: (out, cache) and (dout, cache)."""

import numpy as np
from tests.foreign.piece import Piece, layer, mistake, normal, pieces

NORMALISED = normal(6, 4) * 2 + 1, normal(4), normal(4, seed=1)
U = np.random.default_rng(1).uniform(size=(6, 5))

LAYERS = [
    *pieces(
        Piece(
            "affine",
            "layer_pairs",
            "vjp",
            lambda m: layer(m.affine_forward, m.affine_backward),
            (normal(5, 2, 3), normal(6, 4), normal(4)),
        ),
        mistake("mean for sum", "np.sum(dout, axis=0)", "np.mean(dout, axis=0)", "b", "5 times too small"),
        mistake("bias not summed", "np.sum(dout, axis=0)", "dout", "b", "not yet summed over axis 0"),
        mistake("transposed", "rows.T.dot(dout)", "dout.T.dot(rows)", "w", "transposed"),
        mistake("mean over the batch", "rows.T.dot(dout)", "rows.T.dot(dout) / len(x)", "w", "5 times too small"),
        mistake("negated", "dout.dot(w.T)", "-dout.dot(w.T)", "x", "wrong sign"),
    ),
    *pieces(
        Piece(
            "relu in place",
            "layer_pairs",
            "vjp",
            lambda m: layer(m.relu_forward, m.relu_backward),
            (normal(6, 5),),
            remark="upstream gradient .* in place",
        ),
        mistake("mask of the upstream gradient", "dx[x <= 0]", "dx[dout <= 0]", "x", "mask"),
        mistake("mask the wrong way round", "dx[x <= 0]", "dx[x >= 0]", "x", r"mask|\(x > 0\)"),
        mistake("no mask", "dx[x <= 0] = 0\n", "pass\n", "x", r"lacks the factor \((x|y|cache) > 0\)"),
    ),
    *pieces(
        Piece(
            "relu of many",
            "layer_pairs",
            "vjp",
            lambda m: layer(m.relu_forward, m.relu_backward),
            (normal(200, 1000),),
            remark="upstream gradient .* in place",
        ),
        mistake("no mask", "dx[x <= 0] = 0\n", "pass\n", "x", r"mask|lacks the factor \([xy] > 0\)"),
        mistake("five times", "dx = dout\n", "dx = 5 * dout\n", "x", "5 times"),
    ),
    *pieces(
        Piece(
            "leaky relu",
            "layer_pairs",
            "vjp",
            lambda m: layer(m.leaky_relu_forward, m.leaky_relu_backward),
            (normal(6, 5),),
        ),
        mistake("another slope", "1.0, 0.01)", "1.0, 0.1)", "x", r"10 times|0\.1"),
        mistake("no slope", "1.0, 0.01)", "1.0, 0.0)", "x", "zero where they should not be|once too often"),
    ),
    *pieces(
        Piece(
            "affine and relu",
            "layer_pairs",
            "vjp",
            lambda m: layer(m.affine_relu_forward, m.affine_relu_backward),
            (normal(5, 2, 3), normal(6, 4), normal(4)),
        ),
        mistake("relu skipped", "relu_backward(dout.copy(), relu_cache)", "dout", "x, w, b", "mask|lacks|relu"),
    ),
    *pieces(
        Piece(
            "dropout",
            "layer_pairs",
            "vjp",
            lambda m: layer(m.dropout_forward, m.dropout_backward),
            (normal(6, 5), 0.7, U),
        ),
        mistake("scale missing", "dx = dout * mask", "dx = dout * (mask > 0)", "x", r"0\.7 times"),
        mistake("mask missing", "dx = dout * mask", "dx = dout / 0.7", "x", "lacks a mask"),
        mistake("scaled twice", "dx = dout * mask", "dx = dout * mask / 0.7", "x", r"1\.429 times"),
    ),
    *pieces(
        Piece(
            "layer norm",
            "layer_pairs",
            "vjp",
            lambda m: layer(m.layernorm_forward, m.layernorm_backward),
            (normal(4, 6), normal(6), normal(6, seed=1)),
        ),
        mistake(
            "the variance's share forgotten",
            " - xhat * (dxhat * xhat).sum(axis=1, keepdims=True) / D",
            "",
            "x",
            "lacks",
        ),
        mistake("the mean's share forgotten", " - dxhat.sum(axis=1, keepdims=True) / D", "", "x", "mean"),
        mistake("summed over the features", "(dout * xhat).sum(axis=0)", "(dout * xhat).sum()", "gamma", "summed over"),
        mistake(
            "sum for mean",
            "(dxhat - dxhat.sum(axis=1, keepdims=True) / D",
            "(dxhat - dxhat.sum(axis=1, keepdims=True)",
            "x",
            "6 times|mean|too much",
        ),
        mistake("gamma left out", "dxhat = dout * gamma", "dxhat = dout", "x", "gamma"),
    ),
    *pieces(
        Piece("sigmoid", "layer_pairs", "vjp", lambda m: layer(m.sigmoid_forward, m.sigmoid_backward), (normal(5, 3),)),
        mistake("square forgotten", "dout * out * (1 - out)", "dout * (1 - out)", "x", "lacks the factor y"),
        mistake(
            "a little too large",
            "dout * out * (1 - out)",
            "dout * out * (1 - out) * (1 + 3e-8)",
            "x",
            r"1\.00000003 times",
        ),
        mistake("tanh's derivative", "dout * out * (1 - out)", "dout * (1 - out**2)", "x", r"has the factor .* where"),
    ),
    *pieces(
        Piece("softmax", "layer_pairs", "vjp", lambda m: layer(m.softmax_forward, m.softmax_backward), (normal(5, 4),)),
        mistake("diagonal only", "p * (dout - inner)", "dout * p * (1 - p)", "x", r"diagonal|lacks|\(1 - y\)"),
        mistake("no inner product", "p * (dout - inner)", "p * dout", "x", "lacks"),
        mistake(
            "over the wrong axis",
            "(dout * p).sum(axis=1, keepdims=True)",
            "(dout * p).sum(axis=0, keepdims=True)",
            "x",
            "axis",
        ),
    ),
    *pieces(
        Piece(
            "convolution",
            "convolution",
            "vjp",
            lambda m: layer(m.conv_forward, m.conv_backward),
            (normal(3, 2, 5, 6), normal(4, 2, 3, 2), normal(4)),
        ),
        mistake("patches overwrite", "] += cols[:, :, i, j]", "] = cols[:, :, i, j]", "x", r"overwrit|last|\+="),
        mistake("bias over the batch alone", "dout.sum(axis=(0, 2, 3))", "dout.sum(axis=0)", "b", "not yet summed"),
        mistake(
            "reshaped, not transposed",
            "dout.transpose(0, 2, 3, 1).reshape(-1, F)",
            "dout.reshape(-1, F)",
            "x, w",
            "transpose|reshape|order",
        ),
    ),
    *pieces(
        Piece(
            "max pooling",
            "convolution",
            "vjp",
            lambda m: (m.max_pool_forward, lambda x, d: m.max_pool_backward(d[0], m.max_pool_forward(x)[1])),
            (normal(2, 3, 4, 6),),
        ),
        mistake(
            "window's axes swapped",
            "h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5)",
            "h, w, 2, 2).transpose(0, 1, 2, 5, 3, 4)",
            "x",
            "order",
        ),
        mistake(
            "shared, as if averaged",
            "dwindows = np.zeros((N, C, h, w, 4))\n",
            "return np.repeat(np.repeat(dout, 2, axis=2), 2, axis=3)\n",
            "x",
            "lacks a mask",
        ),
    ),
    *pieces(
        Piece(
            "average pooling",
            "convolution",
            "vjp",
            lambda m: layer(m.avg_pool_forward, m.avg_pool_backward),
            (normal(2, 3, 4, 6),),
        ),
        mistake("sum for mean", ", axis=3) / 4", ", axis=3)", "x", "4 times too large"),
    ),
    *pieces(
        Piece(
            "seven steps", "batch_norm", "vjp", lambda m: layer(m.batchnorm_forward, m.batchnorm_backward), NORMALISED
        ),
        mistake("the mean's share forgotten", "dx = dx1 + dx2", "dx = dx1", "x", "mean over axis 0"),
        mistake("n − 1 for n", "dsq = 1.0 / N *", "dsq = 1.0 / (N - 1) *", "x", r"[nN6] [−-] 1|6/5"),
        mistake(
            "root forgotten",
            "dvar = 0.5 / np.sqrt(var + eps)",
            "dvar = 0.5 / (var + eps)",
            "x",
            "too (large|small)|factor|lacks|too much",
        ),
        mistake("a 2 forgotten", "dxmu2 = 2 * xmu", "dxmu2 = xmu", "x", r"lacks|half|where 2\.0 belongs"),
        mistake("gamma forgotten", "dxhat = dout * gamma\n    # 6", "dxhat = dout\n    # 6", "x", "gamma"),
        mistake(
            "xhat for x − mu",
            "divar = np.sum(dxhat * xmu, axis=0)",
            "divar = np.sum(dxhat * xhat, axis=0)",
            "x",
            "uses .* where|factor|lacks|too much",
        ),
    ),
    *pieces(
        Piece(
            "in one line",
            "batch_norm",
            "vjp",
            lambda m: layer(m.batchnorm_forward, m.batchnorm_backward_alt),
            NORMALISED,
        ),
        mistake("the mean's share forgotten", " - dbeta - xhat", " - xhat", "x", "mean over axis 0"),
        mistake("1/n forgotten", "gamma * ivar / N *", "gamma * ivar *", "x", "6 times too large"),
        mistake(
            "over the wrong axis",
            "dgamma = (dout * xhat).sum(0)",
            "dgamma = (dout * xhat).sum(1)[:4]",
            "x, gamma",
            "axis",
        ),
        mistake(
            "variance for deviation",
            "_, ivar, _, _, _ = cache",
            "_, ivar, _, _, _ = cache\n    ivar = ivar**2",
            "x",
            "times|factor|once too often",
        ),
        mistake("plus for minus", "- xhat * dgamma", "+ xhat * dgamma", "x", "sign|too much"),
    ),
    *pieces(
        Piece(
            "with running statistics",
            "batch_norm",
            "vjp",
            lambda m: layer(m.batchnorm_train_forward, m.batchnorm_train_backward),
            (*NORMALISED, {"momentum": 0.9, "running_mean": np.zeros(4), "running_var": np.ones(4)}),
        ),
        mistake("the variance's share forgotten", " - xhat * (dxhat * xhat).mean(axis=0)", "", "x", "lacks"),
    ),
    *pieces(
        Piece(
            "scaled dot product",
            "attention",
            "vjp",
            lambda m: layer(m.attention_forward, m.attention_backward),
            (normal(5, 4), normal(6, 4), normal(6, 3)),
        ),
        mistake("scale forgotten", "dq = ds @ k * scale", "dq = ds @ k", "q", "2 times too large|√4"),
        mistake(
            "no inner product", "p * (dp - (dp * p).sum(axis=-1, keepdims=True))", "p * dp", "q, k", "lacks|softmax"
        ),
        mistake(
            "over the wrong axis",
            "(dp * p).sum(axis=-1, keepdims=True)",
            "(dp * p).sum(axis=0, keepdims=True)",
            "q, k",
            "axis",
        ),
        mistake("softmax once more", "dv = p.T @ dout", "dv = (p**2).T @ dout", "v", "lacks|too often|factor"),
    ),
    *pieces(
        Piece(
            "causal",
            "attention",
            "vjp",
            lambda m: layer(m.causal_forward, m.causal_backward),
            (normal(2, 3, 4, 5), normal(2, 3, 4, 5, seed=1), normal(2, 3, 4, 5, seed=2)),
        ),
        mistake("mask the wrong way round", "ds = np.where(np.tril(", "ds = np.where(np.triu(", "q, k", "mask"),
        mistake("keys not turned", "np.swapaxes(ds, -1, -2) @ q", "ds @ q", "k", "transposed|\\.T|swap"),
        mistake(
            "scale squared", "ds, 0) / np.sqrt(q.shape[-1])", "ds, 0) / q.shape[-1]", "q, k", "√5 times too small|√5"
        ),
    ),
    *pieces(
        Piece(
            "multi-head",
            "attention",
            "vjp",
            lambda m: layer(m.multi_head_forward, m.multi_head_backward),
            (normal(5, 6), normal(6, 18) / 2, normal(6, 6), 2),
        ),
        mistake(
            "heads merged in another order",
            ".transpose(2, 0, 1, 3).reshape(T, 3 * C)",
            ".transpose(2, 1, 0, 3).reshape(T, 3 * C)",
            "x, w_qkv",
            "order",
        ),
        mistake(
            "reshaped, not transposed",
            ".reshape(T, heads, C // heads).transpose(1, 0, 2)",
            ".reshape(heads, T, C // heads)",
            "x, w_qkv",
            "order|reshape",
        ),
    ),
]
