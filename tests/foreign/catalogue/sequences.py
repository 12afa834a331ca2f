"""Recurrent networks, alignment and word vectors, in plain NumPy."""

from types import ModuleType
from typing import Any

import numpy as np
from tests.foreign.piece import Function, Piece, layer, loss, mistake, normal, pieces


def lstm_cell(m: ModuleType) -> tuple[Function, Function]:
    """Two outputs."""

    def f(x: Any, h: Any, c: Any, Wx: Any, Wh: Any, b: Any) -> Any:
        return m.lstm_step_forward(x, h, c, Wx, Wh, b)[:2]

    def vjp(x: Any, h: Any, c: Any, Wx: Any, Wh: Any, b: Any, dy: Any) -> Any:
        return m.lstm_step_backward(*dy, m.lstm_step_forward(x, h, c, Wx, Wh, b)[2])

    return f, vjp


CHARACTERS = (normal(4, 5) / 2, normal(4, 4) / 2, normal(5, 4), normal(4, 1), normal(5, 1), normal(4, 1, seed=1))
CELL = (normal(5, 3), normal(5, 2), normal(5, 2, seed=1), normal(3, 8), normal(2, 8), normal(8))
STARTS = tuple(np.log(np.exp(a) / np.exp(a).sum(-1, keepdims=True)) for a in (normal(3), normal(3, 3), normal(3, 4)))
BEFORE = "x, h, Wx, Wh, b"

SEQUENCES = [
    *pieces(
        Piece(
            "characters",
            "min_char_rnn",
            "vjp",
            lambda m: loss(m.lossFun),
            (*CHARACTERS, [0, 3, 1, 3, 2, 0], [3, 1, 3, 2, 0, 4]),
        ),
        mistake(
            "no gradient from the next step",
            "np.dot(Why.T, dy) + dhnext",
            "np.dot(Why.T, dy)",
            "Wxh, Whh, bh, hprev",
            "lacks|next|time",
        ),
        mistake(
            "off by one in time",
            "np.dot(dhraw, hs[t - 1].T)",
            "np.dot(dhraw, hs[t].T)",
            "Whh",
            "time|step|uses .* where|shifted",
        ),
        mistake(
            "last step wins",
            "dWhy += np.dot(dy, hs[t].T)",
            "dWhy = np.dot(dy, hs[t].T)",
            "Why",
            r"last|overwrit|\+=|lacks",
        ),
        mistake(
            "not transposed", "np.dot(Whh.T, dhraw)", "np.dot(Whh, dhraw)", "Wxh, Whh, bh, hprev", "transposed|\\.T"
        ),
        mistake(
            "clipped",
            "    return loss, (dWxh",
            "    for g in (dWxh, dWhh, dWhy, dbh, dby):\n        np.clip(g, -1, 1, out=g)\n    return loss, (dWxh",
            "Wxh, Whh, bh, by",
            "clip",
        ),
        mistake("tanh' forgotten", "(1 - hs[t] * hs[t]) * dh", "dh", "Wxh, Whh, bh, hprev", "tanh|factor|1 - "),
    ),
    *pieces(
        Piece(
            "batch of sequences",
            "min_char_rnn",
            "vjp",
            lambda m: layer(m.rnn_forward, m.rnn_backward),
            (normal(3, 5, 2), normal(3, 4), normal(2, 4), normal(4, 4) / 2, normal(4)),
        ),
        mistake("first state forgotten", "h[:, t - 1] if t > 0 else h0", "h[:, t - 1]", "Wh", "h0|first|t = 0|step 0"),
        mistake(
            "bias of the last step", "db += da.sum(axis=0)", "db = da.sum(axis=0)", "b", r"last|overwrit|\+=|lacks"
        ),
        mistake(
            "state before for after",
            "(1 - h[:, t] ** 2)",
            "(1 - before**2)",
            "x, h0, Wx, Wh, b",
            r"tanh|time|step|factor|uses before where h\[:, t\]",
        ),
    ),
    *pieces(
        Piece("LSTM cell", "lstm", "vjp", lstm_cell, CELL, remark="upstream gradient .* in place"),
        mistake(
            "input and forget gate swapped",
            "[i * (1 - i) * di, f * (1 - f) * df,",
            "[f * (1 - f) * df, i * (1 - i) * di,",
            BEFORE,
            "swapped|order|gate",
        ),
        mistake(
            "tanh' of the cell forgotten",
            "dnext_h * o * (1 - tc**2)",
            "dnext_h * o",
            "x, h, c, Wx, Wh, b",
            "tanh|1 - |factor",
        ),
        mistake(
            "through h alone",
            "dnext_c += dnext_h",
            "dnext_c = dnext_h",
            "x, h, c, Wx, Wh, b",
            r"= overwrites where \+= adds",
        ),
        mistake("forget gate forgotten", "dprev_c = dnext_c * f", "dprev_c = dnext_c", "c", "lacks the factor|factor"),
        mistake("bias not summed", "db = da.sum(axis=0)", "db = da", "b", "not yet summed over axis 0"),
        mistake("weights of the other", "dprev_h = da @ Wh.T", "dprev_h = da @ Wx[:2].T", "h", "Wx|uses .* where"),
    ),
    *pieces(
        Piece(
            "LSTM",
            "lstm",
            "vjp",
            lambda m: layer(m.lstm_forward, m.lstm_backward),
            (normal(3, 4, 2), normal(3, 2), normal(2, 8), normal(2, 8, seed=1), normal(8)),
        ),
        mistake(
            "cell forgotten between steps",
            "dxt, dh_next, dc_next, dWxt",
            "dxt, dh_next, _, dWxt",
            "x, h0, Wx, Wh, b",
            "lacks|time|cell|next",
        ),
        mistake("time not reversed back", "dx.insert(0, dxt)", "dx.append(dxt)", "x", "reverse order"),
        mistake("last step wins", "dWh += dWht", "dWh = dWht", "Wh", r"last|overwrit|\+=|lacks"),
    ),
    *pieces(
        Piece(
            "GRU",
            "lstm",
            "vjp",
            lambda m: layer(m.gru_forward, m.gru_backward),
            (
                normal(5, 3),
                normal(5, 2),
                *(normal(3, 2, seed=i) for i in range(3)),
                *(normal(2, 2, seed=i) for i in range(3)),
            ),
        ),
        mistake("reset gate forgotten", "(r * h).T @ dn", "h.T @ dn", "Un", r"lacks|factor"),
        mistake("update gate's sign", "dz = dout * (h - n)", "dz = dout * (n - h)", "x, h, Wz, Uz", "wrong sign"),
        mistake("direct path forgotten", "dh = dout * z + drh * r", "dh = drh * r", "h", "lacks .*dout"),
    ),
    *pieces(
        Piece("alignments", "ctc", "vjp", lambda m: loss(m.ctc_loss), (normal(7, 4), [2, 1, 1])),
        mistake(
            "skips forgotten on the way back",
            "if s < S - 2 and ext[s + 2] != blank and ext[s + 2] != ext[s]:",
            "if False:",
            "logits",
            "rows|time|lacks|sum to",
        ),
        mistake("of probabilities", "grad = np.exp(lp) - occupancy", "grad = -occupancy", "logits", "lacks|softmax"),
        mistake(
            "repeated label counted once",
            "] += np.exp(alpha",
            "] = np.exp(alpha",
            "logits",
            r"last|overwrit|\+=|repeated|sum to",
        ),
    ),
    *pieces(
        Piece("hidden Markov chain", "ctc", "vjp", lambda m: loss(m.hmm_loss), (*STARTS, [1, 3, 0, 0, 2])),
        mistake(
            "off by one",
            "log_emit[:, observed[t + 1]] + beta[t + 1]\n",
            "log_emit[:, observed[t]] + beta[t + 1]\n",
            "log_start, log_move, log_emit",
            "time|step|off",
        ),
        mistake(
            "last emission wins",
            "demit[:, observed[t]] -= gamma[t]",
            "demit[:, observed[t]] = -gamma[t]",
            "log_emit",
            r"last|overwrit|\+=|repeated|column 0",
        ),
        mistake("negated", "dstart = -gamma[0]", "dstart = gamma[0]", "log_start", "wrong sign"),
    ),
    *pieces(
        Piece("full softmax", "word2vec", "vjp", lambda m: loss(m.naive_softmax), (normal(4), normal(6, 4), 2)),
        mistake("label left out", "    delta[outside] -= 1\n", "", "center, U", "lacks|too much"),
        mistake("transposed", "np.outer(delta, center)", "np.outer(center, delta)", "U", "transposed"),
    ),
    *pieces(
        Piece(
            "negative samples",
            "word2vec",
            "vjp",
            lambda m: loss(m.negative_sampling),
            (normal(4), normal(6, 4), 2, np.array([5, 0, 5, 5])),
        ),
        mistake(
            "counted once",
            "np.add.at(grad_U, negatives, (1 - zn)[:, None] * center)",
            "grad_U[negatives] += (1 - zn)[:, None] * center",
            "U",
            "repeated|row 5|last",
        ),
        mistake(
            "sign of the negatives",
            "U[outside] + (1 - zn) @ U[negatives]",
            "U[outside] - (1 - zn) @ U[negatives]",
            "center",
            "sign|lacks|too much",
        ),
        mistake(
            "sigmoid of the other sign",
            "np.add.at(grad_U, negatives, (1 - zn)",
            "np.add.at(grad_U, negatives, zn",
            "U",
            "rows|row|sigmoid",
        ),
    ),
    *pieces(
        Piece(
            "bag of words",
            "word2vec",
            "vjp",
            lambda m: loss(m.cbow),
            (normal(6, 3), normal(6, 3, seed=1), [1, 4, 1], 2),
        ),
        mistake("sum for mean", "U.T @ e / len(context)", "U.T @ e", "V", "3 times too large"),
        mistake("repeated word counted once", "dV[word] += ", "dV[word] = ", "V", "repeated|row 1|last"),
    ),
    *pieces(
        Piece(
            "counts of pairs",
            "word2vec",
            "vjp",
            lambda m: loss(m.glove),
            (
                normal(4, 3),
                normal(4, 3, seed=1),
                normal(4),
                normal(4, seed=1),
                np.array([0, 0, 2, 3, 0]),
                np.array([1, 2, 1, 0, 3]),
                np.array([3.0, 20, 7, 1, 5]),
            ),
        ),
        mistake("weight forgotten", "g = weight * diff", "g = diff", "W, C, bw, bc", "weight|rows|factor"),
        mistake("updated before it is used", "dW[i] += g[k] * C[j]", "dW[i] += g[k] * W[i]", "W", "uses .* where"),
    ),
]
