"""Model files: every line of a derivation has a name."""

from tests.foreign.piece import Piece, mistake, pieces


def file(name: str, remark: str = "") -> Piece:
    return Piece(name.replace("_", " "), f"model_files/{name}", "model_file", remark=remark)


MODELS = [
    *pieces(
        file("fused", remark=r"\bp\b.*never|d\['p'\]"),
        mistake("1/n forgotten", " / len(batch.x)", "", "z", "n times too large"),
        mistake(
            "over the wrong axis",
            'd["b"] = xp.sum(d["z"], axis=0)',
            'd["b"] = xp.sum(d["z"], axis=1)[:4]',
            "b",
            "axis|zero",
        ),
        mistake(
            "softmax over the wrong axis",
            "e / xp.sum(e, axis=1, keepdims=True)",
            "e / xp.sum(e, axis=0, keepdims=True)",
            "z",
            "rows of .*p.* do not sum to 1|axis",
        ),
        mistake(
            "label forgotten",
            '(c["p"] - one_hot(batch.y, c["p"].dtype))',
            'c["p"]',
            "z",
            r"one_hot\(batch\.y\) too much: not subtracted",
        ),
    ),
    *pieces(
        file("local_variables"),
        mistake(
            "1/n forgotten", 'dy = (c["y"] - batch.y) / len(batch.x)', 'dy = c["y"] - batch.y', "y", "n times too large"
        ),
        mistake(
            "tanh' of a for h",
            "dh * (1 - h**2)",
            'dh * (1 - c["a"] ** 2)',
            "a",
            r"has the factor 1 - c\['a'\]\*\*2 where 1 - c\['h'\]\*\*2 belongs",
        ),
        mistake("negated", 'dh = dy @ p["V"].T', 'dh = -dy @ p["V"].T', "h", "wrong sign"),
    ),
    *pieces(
        file("tokens"),
        mistake(
            "the last one wins",
            'np.add.at(dE, batch.x, d["h"][:, None, :] / length)',
            'dE[batch.x] = d["h"][:, None, :] / length',
            "E",
            "repeated|last",
        ),
        mistake(
            "sum for mean", 'd["h"][:, None, :] / length', 'd["h"][:, None, :] + 0 * length', "E", "5 times too large"
        ),
        mistake("zero", 'd["E"] = dE', 'd["E"] = 0 * dE', "E", "all zero"),
    ),
    *pieces(
        file("recurrent"),
        mistake(
            "share of another step",
            'd.add("Wx", batch.x[:, t].T @ da)',
            'd.add("Wx", batch.x[:, t - 1].T @ da)',
            "Wx",
            "step|time|share|t - 1|axis 1",
        ),
        mistake(
            "one share alone",
            'd.add("b", xp.sum(da, axis=0))',
            'd.add("b", (t == 0) * xp.sum(da, axis=0))',
            "b",
            "lacks|share|factor t == 0 once too often",
        ),
        mistake("not transposed", 'da @ p["Wh"].T', 'da @ p["Wh"]', "h0, h1, h2", r"\.T"),
    ),
    *pieces(
        Piece("normalised", "model_files/normalised", "model_file"),
        mistake(
            "the mean's share forgotten",
            'd["z"] = d["centred"] - xp.mean(d["centred"], axis=0)',
            'd["z"] = 1 * d["centred"]',
            "z",
            "mean over axis 0",
        ),
        mistake(
            "power forgotten",
            '* -0.5 * c["scale"] ** 3',
            '* -0.5 * c["scale"] ** 2',
            "var",
            r"lacks the factor c\['scale'\]",
        ),
        mistake("n − 1 for n", '* d["var"] / n)', '* d["var"] / (n - 1))', "centred", "n − 1|share|too much"),
        mistake("decay left out", '        d.add("W", 2 * DECAY * d["loss"] * p["W"])\n', "", "W", "weight decay"),
        mistake("mean over the batch alone", "/ (n * 3)", "/ n", "y", "3 times too large"),
        mistake("decay halved", 'd.add("W", 2 * DECAY', 'd.add("W", DECAY', "W", "weight decay"),
    ),
    *pieces(
        file("gated"),
        mistake(
            "biases swapped",
            'd["bi"] = xp.sum(ai, axis=0)\n    d["bf"] = xp.sum(af, axis=0)',
            'd["bf"] = xp.sum(ai, axis=0)\n    d["bi"] = xp.sum(af, axis=0)',
            "bi, bf",
            r"d\['b[if]'\] is what d\['b[fi]'\] should be",
        ),
        mistake(
            "tanh' for sigmoid'", 'd["o"] * c["o"] * (1 - c["o"])', 'd["o"] * (1 - c["o"] ** 2)', "Wo, bo", "factor"
        ),
        mistake(
            "gate forgotten", 'd["h"] * c["o"] * (1 - xp', 'd["h"] * (1 - xp', "cell", r"lacks the factor c\['o'\]"
        ),
        mistake("4 times", "/ (4 * len(x))", "/ len(x)", "h", "4 times too large"),
    ),
    *pieces(
        file("self_attention"),
        mistake("scale forgotten", 'd["s"] @ c["k"] / math.sqrt(WIDTH)', 'd["s"] @ c["k"]', "q", "2 times too large|√"),
        mistake(
            "no inner product",
            'd["s"] = c["a"] * (d["a"] - xp.sum(c["a"] * d["a"], axis=2, keepdims=True))',
            'd["s"] = c["a"] * d["a"]',
            "s",
            "lacks|too much|mean",
        ),
        mistake("summed over queries", 'c["a"] * d["a"], axis=2', 'c["a"] * d["a"], axis=1', "s", "axis"),
        mistake("mean for sum", 'd["Wk"] = xp.sum(', 'd["Wk"] = xp.mean(', "Wk", "n times too small"),
        mistake("not turned", 'turned(d["s"]) @ c["q"]', 'd["s"] @ c["q"]', "k", r"turned|transposed|\.T|axes"),
    ),
]
