"""lstm: a stack of LSTM cells whose weights are all diagonal, reading characters as bits; and the gradient.

Sources: GradBench, evals/lstm, after Microsoft's ADBench. A cell's forget and output gates read its input, its input
gate and its change its own state before. The loss is −Σ y′ (z − log(2 + Σ exp z)) over all predicted bits, their mean.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Inexact

from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity.recording import View
from gradparity_gradbench import loops
from gradparity_gradbench.eval import NOTHING, Eval, Function, gradients, values
from gradparity_manual.operations import namespace
from gradparity_manual.operations.entrywise import sigmoid

param_shapes = {"main": (4, 12), "extra": (3, 3)}
input_shape = 3
target_shape = ()
LINES = ("forget", "ingate", "outgate", "change", "cell", "hidden")
GATES = LINES[:4]

States = tuple[tuple[Array, Array], ...]
"""Of each layer the hidden state and the cell."""


def example_batch(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Draw a text of n characters of three bits, and states for two layers."""
    return rng.uniform(size=(n, 3)), np.zeros(n), {"state": rng.normal(size=(4, 3))}


def forward(p: Params, batch: Batch, c: Any) -> None:
    """Read each character but the last, and predict the next one's bits."""
    xp = namespace(p["main"])
    text, count = batch.x[:-1], len(batch.x) - 1
    layers = p["main"].shape[0] // 2
    c["inputs"] = text * p["extra"][0]  # (t, b)

    def step(states: States, inputs: Sequence[Array], c: Any) -> States:
        (x,) = inputs
        after = []
        for i, (hidden, cell) in enumerate(states):
            own = View(c, f"layer{i}")
            weight, bias = _gates(p["main"][2 * i]), _gates(p["main"][2 * i + 1])
            own["forget"] = sigmoid(x * weight[0] + bias[0])  # (b,)
            own["ingate"] = sigmoid(hidden * weight[1] + bias[1])
            own["outgate"] = sigmoid(x * weight[2] + bias[2])
            own["change"] = xp.tanh(hidden * weight[3] + bias[3])
            own["cell"] = cell * own["forget"] + own["ingate"] * own["change"]
            own["hidden"] = own["outgate"] * xp.tanh(own["cell"])
            x = own["hidden"]
            after.append((own["hidden"], own["cell"]))
        return tuple(after)

    loops.forward(step, _start(batch, layers), [c["inputs"]], c)
    c["logits"] = loops.passes(c, f"layer{layers - 1}.hidden", count) * p["extra"][1] + p["extra"][2]  # (t, b)
    c["log_sum"] = xp.log(2 + xp.sum(xp.exp(c["logits"]), axis=1))  # (t,)
    c["loss"] = -xp.sum(batch.x[1:] * (c["logits"] - c["log_sum"][:, None])) / (count * text.shape[1])


def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Back from the predictions, layer by layer from the top, character by character from the last."""
    xp = namespace(p["main"])
    text, following, count = batch.x[:-1], batch.x[1:], len(batch.x) - 1
    layers = p["main"].shape[0] // 2
    share = d["loss"] / (count * text.shape[1])
    d["log_sum"] = share * xp.sum(following, axis=1)  # (t,)
    d["logits"] = d["log_sum"][:, None] * xp.exp(c["logits"] - c["log_sum"][:, None]) - share * following  # (t, b)
    start = _start(batch, layers)
    states = {
        (i, name): loops.passes(c, f"layer{i}.{name}", count) for i in range(layers) for name in ("hidden", "cell")
    }
    cells = [loops.before(start[i][1], states[i, "cell"]) for i in range(layers)]

    def step(later: States, inputs: Sequence[Array], c: Any, d: Any) -> States:
        x, *cell_before = inputs  # x: what the top layer's hidden state receives from the predictions
        earlier: list[tuple[Array, Array]] = []
        for i in reversed(range(layers)):
            own, of = View(c, f"layer{i}"), View(d, f"layer{i}")
            weight = _gates(p["main"][2 * i])
            seen = xp.tanh(own["cell"])
            of["hidden"] = x + later[i][0]  # (b,)
            of["cell"] = of["hidden"] * own["outgate"] * (1 - seen**2) + later[i][1]
            of["outgate"] = of["hidden"] * seen
            of["forget"] = of["cell"] * cell_before[i]
            of["ingate"] = of["cell"] * own["change"]
            of["change"] = of["cell"] * own["ingate"]
            forget, ingate, outgate, change = _through(own, of)
            x = forget * weight[0] + outgate * weight[2]
            earlier.append((ingate * weight[1] + change * weight[3], of["cell"] * own["forget"]))
        return tuple(reversed(earlier))

    names = [f"layer{i}.{line}" for i in range(layers) for line in LINES]
    still = tuple((xp.zeros_like(text[0]),) * 2 for _ in range(layers))
    loops.backward(step, still, [d["logits"] * p["extra"][1], *cells], names, c, d)
    rows, read = [], c["inputs"]
    for i in range(layers):
        own = {line: loops.passes(c, f"layer{i}.{line}", count) for line in GATES}
        of = {line: loops.passes(d, f"layer{i}.{line}", count) for line in GATES}
        through = _through(own, of)  # (t, b) each
        hidden = loops.before(start[i][0], states[i, "hidden"])
        inputs = (read, hidden, read, hidden)
        rows.append(xp.concat([xp.sum(z * x, axis=0) for z, x in zip(through, inputs, strict=True)]))
        rows.append(xp.concat([xp.sum(z, axis=0) for z in through]))
        if i == 0:
            weight = _gates(p["main"][0])
            d["inputs"] = through[0] * weight[0] + through[2] * weight[2]  # (t, b)
        read = states[i, "hidden"]
    d["main"] = xp.stack(rows)  # (2 layers, 4 b)
    d["extra"] = xp.stack(
        [xp.sum(d["inputs"] * text, axis=0), xp.sum(d["logits"] * read, axis=0), xp.sum(d["logits"], axis=0)]
    )  # (3, b)


def _through(own: Any, of: Any) -> tuple[Array, Array, Array, Array]:
    """Return what the arguments of the gates receive: σ′ = σ (1 − σ), tanh′ = 1 − tanh²."""
    forget, ingate, outgate = (of[name] * own[name] * (1 - own[name]) for name in ("forget", "ingate", "outgate"))
    return forget, ingate, outgate, of["change"] * (1 - own["change"] ** 2)


def _gates(row: Inexact[Array, " four_b"]) -> list[Inexact[Array, " b"]]:
    width = row.shape[0] // 4
    return [row[i * width : (i + 1) * width] for i in range(4)]


def _start(batch: Batch, layers: int) -> States:
    state: Float[Array, "rows b"] = batch.extras["state"]
    return tuple((state[2 * i], state[2 * i + 1]) for i in range(layers))


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read the parameters, the text's bits and the state before it."""
    arrays = {
        name: np.asarray(given[name], dtype=np.float64) for name in ("main_params", "extra_params", "state", "sequence")
    }
    p = {"main": arrays["main_params"], "extra": arrays["extra_params"]}
    return p, Batch(arrays["sequence"], NOTHING, {"state": arrays["state"]})


def _answer(found: Mapping[str, np.ndarray]) -> list[float]:
    numbers: list[float] = np.concatenate([found["main"].reshape(-1), found["extra"].reshape(-1)]).tolist()
    return numbers


DERIVATION = HandDerivation(forward, backward)
EVAL = Eval(
    read, {"objective": Function(values(DERIVATION), float), "jacobian": Function(gradients(DERIVATION), _answer)}
)
