"""Plain code as strangers write it, in ``plain/``: what a check must find in it, right or with one mistake.

``python -m tests.foreign.plain_catalogue`` prints how much of it is told, in Markdown.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from gradparity import UsageError
from gradparity.parity.report import Report
from gradparity.subjects.plain import check_file

FOLDER = Path(__file__).parent / "plain"


class PlainMistake(NamedTuple):
    """One replacement in a file, and the gradient that it makes wrong."""

    was: str
    """Stands once in the file."""
    instead: str
    name: str
    """The name in the wrong line, as its author writes it."""
    says: str = ""
    """A regular expression that the sentence on it matches."""


@dataclass(frozen=True)
class PlainPiece:
    """One check of one file."""

    file: str
    function: str = ""
    names: tuple[str, ...] = ()
    mistake: PlainMistake | None = None

    def __str__(self) -> str:
        of = f":{self.function}" if self.function else ""
        return f"{self.file}{of}" + (f", {self.mistake.was.strip()[:40]}" if self.mistake else "")


RIGHT = [
    PlainPiece("attention_script"),
    PlainPiece("autoencoder"),
    PlainPiece("batchnorm_steps"),
    PlainPiece("conv_naive", "conv_backward_naive"),
    PlainPiece("conv_naive", "max_pool_forward_naive"),
    PlainPiece("deep_course"),
    PlainPiece("glove"),
    PlainPiece("kl_vae"),
    PlainPiece("layer_classes"),
    PlainPiece("layer_norm"),
    PlainPiece("layered_net"),
    PlainPiece("linear_regression"),
    PlainPiece("logistic_course"),
    PlainPiece("lstm_cell"),
    PlainPiece("min_char_rnn"),
    PlainPiece("nielsen"),
    PlainPiece("nielsen", names=("nabla_b=self.biases", "nabla_w=self.weights")),
    PlainPiece("planar_course"),
    PlainPiece("rnn_steps", "rnn_step_backward"),
    PlainPiece("rnn_steps", "rnn_backward"),
    PlainPiece("softmax_loss"),
    PlainPiece("spiral_script"),
    PlainPiece("svm_naive"),
    PlainPiece("two_layer_net"),
    PlainPiece("word2vec_course"),
    PlainPiece("attention_einsum"),
    PlainPiece("closure_objective"),
    PlainPiece("dataclass_net"),
    PlainPiece("denoiser"),
    PlainPiece("discriminator_step"),
    PlainPiece("gru_steps"),
    PlainPiece("lambda_logistic"),
    PlainPiece("layer_stack"),
    PlainPiece("mlp_argparse"),
    PlainPiece("namespaces"),
    PlainPiece("one_neuron"),
    PlainPiece("poisson_glm"),
    PlainPiece("rbf_network"),
    PlainPiece("tied_vae"),
    PlainPiece("triplet_loss"),
    PlainPiece("vae_module"),
    PlainPiece("called_layers"),
    PlainPiece("gru_dicts"),
    PlainPiece("masked_head"),
    PlainPiece("new_prediction"),
    PlainPiece("ordered_layers"),
    PlainPiece("uebungsblatt"),
    PlainPiece("lm_block"),
    PlainPiece("lstm_concat"),
    PlainPiece("minibatch_layers"),
    PlainPiece("policy_gradient"),
    PlainPiece("script_deltas"),
    PlainPiece("unrolled_theta"),
]
MISTAKES: dict[str, list[PlainMistake]] = {
    "attention_script": [
        PlainMistake("ds /= np.sqrt(D)", "pass", "ds", "2 times too large"),
        PlainMistake("ds = a * (da - (da * a).sum(-1, keepdims=True))", "ds = a * da", "ds"),
        PlainMistake("dk = ds.T @ q", "dk = ds @ q", "dk", "ds.T"),
    ],
    "autoencoder": [
        PlainMistake("da = dcode * code * (1 - code)", "da = dcode * code", "da", "1 - code"),
        PlainMistake("drecon = 2 * err / n", "drecon = 2 * err", "drecon", "n times too large"),
        PlainMistake("dcode = drecon @ Wd.T", "dcode = err @ Wd.T", "dcode"),
    ],
    "batchnorm_steps": [
        PlainMistake("dvar = 0.5 * 1.", "dvar = 1.", "dvar", "2 times too large"),
        PlainMistake("dmu = -1 * np.sum", "dmu = np.sum", "dmu", "wrong sign"),
        PlainMistake("dgamma = np.sum(dgammax * xhat, axis=0)", "dgamma = np.sum(dgammax, axis=0)", "dgamma"),
        PlainMistake("dx = dx1 + dx2", "dx = dx1", "dx"),
    ],
    "conv_naive:conv_backward_naive": [
        PlainMistake("db[f] += dout[n, f, i, j]", "db[f] = dout[n, f, i, j]", "db"),
        PlainMistake("dx = dx_pad[:, :, pad:pad + H, pad:pad + W]", "dx = dx_pad[:, :, :H, :W]", "dx"),
    ],
    "conv_naive:max_pool_backward_naive": [PlainMistake("(window == window.max()) *", "", "dx")],
    "deep_course": [
        PlainMistake("dZ[Z <= 0] = 0", "pass", "dZ"),
        PlainMistake("dZ = dA * s * (1 - s)", "dZ = dA * s", "dZ"),
        PlainMistake("db = 1 / m * np.sum(dZ", "db = np.sum(dZ", "db", "7 times too large"),
    ],
    "glove": [
        PlainMistake("d_diff = weight * diff", "d_diff = diff", "d_diff"),
        PlainMistake("d_U = d_diff.T @ W", "d_U = d_diff @ W", "d_U"),
        PlainMistake("d_bw = d_diff.sum(axis=1)", "d_bw = d_diff.sum(axis=0)", "d_bw"),
    ],
    "kl_vae": [
        PlainMistake("dmu = dz + beta * self.mu / n", "dmu = dz", "dmu"),
        PlainMistake("dz * self.eps * 0.5 * self.std", "dz * self.eps * self.std", "dlogvar"),
        PlainMistake("dz = (z - target) / n", "dz = z - target", "dz", "n times too large"),
    ],
    "layer_classes": [
        PlainMistake(
            "(self.pred - self.target) / self.pred.size", "(self.pred - self.target) / len(self.pred)", "dpred"
        ),
        PlainMistake("dout * (1 - self.out**2)", "dout * (1 - self.out)", "dx", "factor"),
        PlainMistake("self.db = dout.sum(axis=0)", "self.db = dout.mean(axis=0)", "self.db", "n times too small"),
        PlainMistake("dx = dout @ self.W.T", "dx = -dout @ self.W.T", "dx", "wrong sign"),
    ],
    "layer_norm": [
        PlainMistake("grad_normed = grad_scaled * gain", "grad_normed = grad_scaled", "grad_normed", "gain"),
        PlainMistake("grad_scaled = grad_dropped * mask", "grad_scaled = grad_dropped", "grad_scaled", "mask"),
        PlainMistake("grad_out + (grad_normed -", "(grad_normed -", "grad_x", "grad_out"),
    ],
    "layered_net": [
        PlainMistake("grads[f'W{i}'] += self.reg *", "grads[f'W{i}'] += 2 * self.reg *", "grads['W3']"),
    ],
    "linear_regression": [
        PlainMistake("dw = (2 / n_samples)", "dw = (1 / n_samples)", "dw", "2 times too small"),
        PlainMistake("np.sum(y_pred - y)", "np.sum(y - y_pred)", "db", "wrong sign"),
    ],
    "logistic_course": [
        PlainMistake("dw = 1 / m * np.dot", "dw = np.dot", "dw", "12 times too large"),
        PlainMistake("db = 1 / m * np.sum(A - Y)", "db = 1 / m * np.sum(Y - A)", "db", "wrong sign"),
    ],
    "lstm_cell": [
        PlainMistake("daf = df * f * (1 - f)", "daf = df * f", "daf", "1 - f"),
        PlainMistake("dc = dnext_c + dnext_h", "dc = dnext_h", "dc", "dnext_c"),
        PlainMistake("dprev_c = dc * f", "dprev_c = dc * i", "dprev_c", "i where f belongs"),
    ],
    "min_char_rnn": [
        PlainMistake("dy[targets[t]] -= 1", "pass", "dy"),
        PlainMistake("np.dot(Why.T, dy) + dhnext", "np.dot(Why.T, dy)", "dh"),
        PlainMistake("(1 - hs[t] * hs[t]) * dh", "(1 - hs[t]) * dh", "dhraw"),
        PlainMistake("np.dot(dhraw, hs[t - 1].T)", "np.dot(dhraw, hs[t].T)", "dWhh"),
        PlainMistake("dhnext = np.dot(Whh.T, dhraw)", "dhnext = np.dot(Whh, dhraw)", "dhnext"),
        PlainMistake("dbh += dhraw", "dbh = dhraw", "dbh"),
    ],
    "nielsen": [
        PlainMistake("* sigmoid_prime(zs[-1])", "", "delta"),
        PlainMistake("activations[-l - 1].transpose()", "activations[-l].transpose()", "nabla_w[1]"),
    ],
    "planar_course": [
        PlainMistake("1 - np.power(A1, 2)", "1 - A1", "dZ1", "1 - A1"),
        PlainMistake("dZ2 = A2 - Y", "dZ2 = Y - A2", "dZ2", "wrong sign"),
        PlainMistake("dW1 = 1 / m * np.dot", "dW1 = np.dot", "dW1", "9 times too large"),
        PlainMistake("np.sum(dZ2, axis=1, keepdims=True)", "np.mean(dZ2, axis=1, keepdims=True)", "db2"),
    ],
    "rnn_steps:rnn_step_backward": [
        PlainMistake("dtanh = dnext_h * (1 - next_h ** 2)", "dtanh = dnext_h * next_h", "dtanh"),
        PlainMistake("db = dtanh.sum(axis=0)", "db = dtanh.mean(axis=0)", "db", "times too small"),
    ],
    "rnn_steps:rnn_backward": [PlainMistake("dWh = prev_h.T.dot(dtanh)", "dWh = next_h.T.dot(dtanh)", "dWh")],
    "softmax_loss": [PlainMistake("+ 2 * reg * W", "+ reg * W", "dW", "W")],
    "spiral_script": [
        PlainMistake("dscores /= num_examples", "pass", "dscores", "times too large"),
        PlainMistake("dhidden[hidden_layer <= 0] = 0", "pass", "dhidden"),
        PlainMistake("dW += reg * W", "dW += 2 * reg * W", "dW", "W"),
    ],
    "svm_naive": [
        PlainMistake("dW[:, y[i]] -= X[i]", "pass", "dW"),
        PlainMistake("dW /= num_train", "pass", "dW"),
    ],
    "two_layer_net": [
        PlainMistake("dscores /= N\n", "pass\n", "dscores", "n times too large"),
        PlainMistake("np.dot(h1.T, dscores) + 2 * reg * W2", "np.dot(h1.T, dscores) + reg * W2", "grads['W2']", "W2"),
        PlainMistake("dh1[h1 <= 0] = 0", "pass", "dh1"),
        PlainMistake("np.dot(dscores, W2.T)", "np.dot(dscores, W2.T) * 2", "dh1", "2 times too large"),
        PlainMistake("np.sum(dh1, axis=0)", "np.mean(dh1, axis=0)", "grads['b1']", "n times too small"),
    ],
    "word2vec_course": [PlainMistake("(1 - sigmoid(z_k)) @ u_k", "sigmoid(z_k) @ u_k", "gradCenterVec")],
    "layer_stack": [
        PlainMistake(
            "self.grad_bias = grad_output.sum(axis=0", "self.grad_bias = grad_output.mean(axis=0", "self.grad_bias"
        ),
        PlainMistake(
            "return grad_output * where(self.inputs > 0, 1, self.alpha)",
            "return grad_output * where(self.inputs > 0, 1, 0)",
            "return",
        ),
        PlainMistake("/ self.pred.size", "/ len(self.pred)", "return"),
    ],
    "lambda_logistic": [
        PlainMistake("gb = np.mean(p - y)", "gb = np.sum(p - y)", "gb"),
        PlainMistake("gW = X.T @ (p - y) / len(y)", "gW = X.T @ (y - p) / len(y)", "gW"),
    ],
    "poisson_glm": [
        PlainMistake("+ ridge * beta\n", "+ 2 * ridge * beta\n", "grad"),
        PlainMistake("mu - y) +", "y - mu) +", "grad"),
    ],
    "one_neuron": [
        PlainMistake("dz = da * a * (1 - a)", "dz = da * a", "dz"),
        PlainMistake("da = 2 * (a - y)", "da = (a - y)", "da"),
        PlainMistake("dw1 = dz * x2", "dw1 = dz * x1", "dw1"),
    ],
    "gru_steps": [
        PlainMistake("dhr = dan @ Un.T", "dhr = dan @ Un", "dhr"),
        PlainMistake("dz = dh * (hp - n)", "dz = dh * (n - hp)", "dz"),
    ],
    "attention_einsum": [
        PlainMistake("    dscores = dscores / np.sqrt(q.shape[-1])\n", "", "dscores"),
        PlainMistake('dv = np.einsum("bts,bte->bse"', 'dv = np.einsum("bst,bte->bse"', "dv"),
        PlainMistake("dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T", "dx = dq @ Wq.T + dk @ Wk.T", "dx"),
    ],
    "rbf_network": [
        PlainMistake("g_d2 = -g_phi * phi / (2 * s ** 2)", "g_d2 = -g_phi * phi / (s ** 2)", "g_d2"),
        PlainMistake("g_C = (-2 * diff", "g_C = (2 * diff", "g_C"),
        PlainMistake("d2 / s ** 3", "d2 / s ** 2", "g_s"),
    ],
    "vae_module": [
        PlainMistake("0.5 * (np.exp(logvar) - 1) / len(x)", "0.5 * (np.exp(logvar)) / len(x)", "dlogvar"),
        PlainMistake("dlogits = (xr - x) / len(x)", "dlogits = (xr - x)", "dlogits"),
        PlainMistake('dhe = dmu @ p["Wm"].T + dlogvar @ p["Wl"].T', 'dhe = dmu @ p["Wm"].T', "dhe"),
    ],
    "dataclass_net": [
        PlainMistake("d_pre = d_hid / (1 + np.exp(-cache.pre))", "d_pre = d_hid / (1 + np.exp(cache.pre))", "d_pre"),
        PlainMistake("/ residual.size", "/ len(x)", "d_out"),
    ],
    "denoiser": [
        PlainMistake("dlogits = (guess - clean) / m", "dlogits = guess - clean", "dlogits", "n times too large"),
        PlainMistake('res["out"]["b"] = dlogits.sum', 'res["out"]["b"] = dlogits.mean', "res['out']['b']"),
        PlainMistake("0.1 * code / m", "0.2 * code / m", "dcode", "term .* 2 times too large"),
        PlainMistake('res["in"]["w"] = noisy.T @ back', 'res["in"]["w"] = clean.T @ back', "res['in']['w']"),
    ],
    "namespaces": [
        PlainMistake("slope.amp = hidden.T @ r", "slope.amp = -hidden.T @ r", "slope.amp", "wrong sign"),
        PlainMistake("slope.freq = t @ s", "slope.freq = t**2 @ s", "slope.freq"),
    ],
    "tied_vae": [
        PlainMistake("dz * eps * 0.5 * std", "dz * eps * std", "dlogvar", "term .* 2 times too large: a ½"),
        PlainMistake('out["dec"] = z.T @ r', 'out["dec"] = z.T @ r * n', "out['dec']", "n times too large"),
        PlainMistake('out["enc_b"] = t.sum(0)', 'out["enc_b"] = t.mean(0)', "out['enc_b']", "n times too small"),
        PlainMistake('out["logvar"] = h.T @ dlogvar', 'out["logvar"] = h.T @ dmu', "out['logvar']"),
    ],
    "triplet_loss": [
        PlainMistake("grad_negative = 2 * active * dn", "grad_negative = -2 * active * dn", "grad_negative"),
        PlainMistake("active * (negative - positive)", "active * (dp + dn)", "grad_anchor"),
    ],
    "closure_objective": [
        PlainMistake("dw = X.T.dot(dz) + lam * w", "dw = X.T.dot(dz) + 2 * lam * w", "dw"),
        PlainMistake("dz = (p - y) / n", "dz = p - y", "dz"),
    ],
    "mlp_argparse": [
        PlainMistake("dz1 = dh1 * (z1 > 0)", "dz1 = dh1", "dz1"),
        PlainMistake("dW1 = X.T @ dz1 + l2 * W1", "dW1 = X.T @ dz1 + 2 * l2 * W1", "dW1"),
        PlainMistake("dz2 = (p - Y) / n", "dz2 = (p - Y)", "dz2"),
    ],
    "discriminator_step": [
        PlainMistake("grad_W0 = grad_W0_real + grad_W0_fake", "grad_W0 = grad_W0_real - grad_W0_fake", "grad_W0"),
        PlainMistake(
            "grad_f_logit = grad_fake_out * f_out * (1 - f_out)", "grad_f_logit = grad_fake_out * f_out", "grad_f_logit"
        ),
    ],
    "called_layers": [
        PlainMistake(
            'self.grads["bias"] = grad.sum(axis=0)', 'self.grads["bias"] = grad.mean(axis=0)', "self.grads['bias']"
        ),
    ],
    "gru_dicts": [
        PlainMistake("dz = dh * (hh[t] - h[t-1])", "dz = dh * hh[t]", "dz"),
        PlainMistake("dah = dhh * (1 - hh[t] ** 2)", "dah = dhh * (1 - hh[t])", "dah"),
    ],
    "masked_head": [
        PlainMistake("datt *= s.scale", "pass", "datt"),
        PlainMistake("dv = s.p.T @ dout", "dv = s.p @ dout", "dv"),
    ],
    "new_prediction": [
        PlainMistake("dZ1 = dA1 * (Z1 > 0)", "dZ1 = dA1", "dZ1"),
        PlainMistake("dZ2 = 2 * (Z2 - y) / y.size", "dZ2 = (Z2 - y) / y.size", "dZ2"),
    ],
    "ordered_layers": [
        PlainMistake("self.dc = dout.sum(axis=0)", "self.dc = dout.mean(axis=0)", "self.dc"),
    ],
    "lm_block": [
        PlainMistake('np.add.at(d["wte"], idx, dx)', "pass", "d['wte']"),
        PlainMistake("dx2 = dx3 + dm", "dx2 = dm", "dx2", "lacks dx3"),
        PlainMistake("datt /= np.sqrt(C)", "pass", "datt", "√6 times too large"),
    ],
    "lstm_concat": [
        PlainMistake("dot = da_next * np.tanh(c_next) * ot", "dot = da_next * c_next * ot", "dot"),
        PlainMistake("dc_prev = dc_next * ft + ot", "dc_prev = dc_next * ft - ot", "dc_prev", "wrong sign"),
        PlainMistake("cct * da_next) * it * (1 - it)", "cct * da_next) * it", "dit", "1 - it"),
    ],
    "minibatch_layers": [
        PlainMistake("return grad_output * (x > 0)", "return grad_output", "return", "lacks the factor"),
        PlainMistake("grad_biases = grad_output.sum(axis=0)", "grad_biases = grad_output.mean(axis=0)", "grad_biases"),
        PlainMistake("grad_input = grad_output @", "grad_input = -grad_output @", "grad_input", "wrong sign"),
    ],
    "policy_gradient": [
        PlainMistake("dlogits *= advantages[:, None]", "pass", "dlogits"),
        PlainMistake("dh[h <= 0] = 0", "pass", "dh", "lacks the factor"),
    ],
    "script_deltas": [
        PlainMistake("(out - y)*(out*(1-out))", "(out - y)", "out_delta", "lacks the factor out"),
        PlainMistake("(mid * (1-mid))", "mid", "mid_delta", "1 - mid"),
    ],
    "unrolled_theta": [
        PlainMistake(
            "delta_3 = a3 - y_matrix", "delta_3 = (a3 - y_matrix) * a3 * (1 - a3)", "delta_3", "once too often"
        ),
        PlainMistake("Theta2_grad[:, 1:] + (lambda_ / m)", "Theta2_grad[:, 1:] - (lambda_ / m)", "Theta2_grad"),
    ],
    "uebungsblatt": [
        PlainMistake(
            "grad_summe = grad_versteckt * sigmoide_ableitung(versteckt)",
            "grad_summe = grad_versteckt * sigmoide_ableitung(summe)",
            "grad_summe",
        ),
    ],
}
WRONG = [
    PlainPiece(file, function, ("nabla_b=self.biases", "nabla_w=self.weights") if file == "nielsen" else (), mistake)
    for where, mistakes in MISTAKES.items()
    for file, _, function in [where.partition(":")]
    for mistake in mistakes
]


def checked(piece: PlainPiece, folder: Path) -> Report:
    """Check a file, with its neighbours, in this empty folder."""
    for file in FOLDER.glob("*.py"):
        shutil.copy(file, folder)
    path = folder / f"{piece.file}.py"
    if piece.mistake:
        text = path.read_text(encoding="utf-8")
        assert text.count(piece.mistake.was) == 1, f"{piece}: {piece.mistake.was!r} does not stand there once"
        path.write_text(text.replace(piece.mistake.was, piece.mistake.instead), encoding="utf-8")
    return check_file(f"{path}:{piece.function}" if piece.function else str(path), names=piece.names)


def names_of(report: Report) -> set[str]:
    """Return the gradients that a report blames, without the line that tells two of one name apart."""
    return {row.name.partition(" in line ")[0] for row in report.findings}


def table() -> str:
    """Count the pieces by file."""
    styles: dict[str, list[int]] = {}
    for piece in (*RIGHT, *WRONG):
        counts = styles.setdefault(piece.file.replace("_", " "), [0] * 5)
        with TemporaryDirectory() as folder:
            try:
                report = checked(piece, Path(folder))
            except UsageError:
                report = None
        if piece.mistake is None:
            counts[0] += 1
            counts[1] += report is not None and report.agrees
            continue
        counts[2] += 1
        if report is not None and not report.agrees:
            counts[3] += 1
            counts[4] += names_of(report) == {piece.mistake.name}
    styles["**all**"] = [sum(column) for column in zip(*styles.values(), strict=True)]
    head = "| code | right accepted | wrong rejected | the line named, and no other |\n| --- | --- | --- | --- |"
    rows = (f"| {s} | {c[1]} of {c[0]} | {c[3]} of {c[2]} | {c[4]} of {c[2]} |" for s, c in styles.items())
    return "\n".join([head, *rows])


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
