"""Numbers that courses, articles and PyTorch print, from the settings that mean their conventions."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons

from gradparity import registry
from gradparity.models import (
    GRU,
    LSTM,
    MLP,
    RNN,
    ConvNet,
    LinearRegression,
    LogisticRegression,
    SoftmaxRegression,
    Transformer,
)
from gradparity.operations.batch_norm import Running, statistics, update
from gradparity.operations.layer_norm import NormConvention
from gradparity.operations.windows import Windows
from gradparity.optimizers import named
from gradparity.protocol import Batch, ModelSpec
from gradparity_manual import update_rules
from gradparity_manual.operations import batch_norm, conv2d, lstm, pooling
from gradparity_manual.transformer import sinusoids

NUMPY = registry.backend("numpy")


def from_to(start: float, stop: float, *shape: int) -> np.ndarray:
    return np.linspace(start, stop, int(np.prod(shape))).reshape(shape)


def loss_and_grad(spec: ModelSpec, params: dict[str, Any], batch: Batch) -> tuple[float, Mapping[str, Any]]:
    loss, gradients = NUMPY.model(spec, "float64").value_and_grad(params, batch)
    return float(loss), gradients


def test_mazurs_step_by_step_backpropagation_example() -> None:
    """M. Mazur, A Step by Step Backpropagation Example (2015): half the sum of squares, the biases stay."""
    spec = MLP((2, 2, 2), "sigmoid", "sigmoid", loss="squared_error", reduction="half-sum")
    params = {
        "W1": np.array([[0.15, 0.25], [0.20, 0.30]]),
        "b1": np.full(2, 0.35),
        "W2": np.array([[0.40, 0.50], [0.45, 0.55]]),
        "b2": np.full(2, 0.60),
    }
    batch = Batch(np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]]))
    loss, d = loss_and_grad(spec, params, batch)
    assert loss == pytest.approx(0.298371109, abs=5e-10)
    stepped = {name: params[name] - 0.5 * np.asarray(d[name]) for name in ("W1", "W2")}
    np.testing.assert_allclose(stepped["W2"].T.ravel(), [0.35891648, 0.408666186, 0.511301270, 0.561370121], atol=5e-9)
    np.testing.assert_allclose(stepped["W1"].T.ravel(), [0.149780716, 0.19956143, 0.24975114, 0.29950229], atol=5e-9)
    # Printed as 0.291027924: the article goes on from rounded numbers.
    assert loss_and_grad(spec, params | stepped, batch)[0] == pytest.approx(0.291027924, abs=2e-7)


def test_the_demo_of_micrograd() -> None:
    """A. Karpathy, micrograd: a hinge of one output, α Σ p² over all parameters, a rate that falls, 100 steps."""
    np.random.seed(1337)
    numbers = random.Random(1337)
    x, y = make_moons(n_samples=100, noise=0.1)
    spec = MLP((2, 16, 16, 1), loss="binary_hinge", weight_decay=1e-4, penalty="sum", decay_biases=True)
    params: dict[str, Any] = {}
    for name, shape in spec.param_shapes.items():
        drawn = np.zeros(shape)
        if name.startswith("W"):
            drawn = np.array([[numbers.uniform(-1, 1) for _ in range(shape[0])] for _ in range(shape[1])]).T
        params[name] = drawn
    losses = []
    for step in range(100):
        loss, d = loss_and_grad(spec, params, Batch(x, 2.0 * y[:, None] - 1))
        losses.append(loss)
        params = {name: p - (1.0 - 0.9 * step / 100) * np.asarray(d[name]) for name, p in params.items()}
    assert losses[:3] == pytest.approx([0.8958441028683222, 1.7235905336972022, 0.7429006313851131], rel=1e-12)
    scores = NUMPY.model(spec, "float64").predict(params, x)
    assert ((scores[:, 0] > 0) == (y > 0)).all()


@pytest.mark.slow
def test_a_neural_network_in_11_lines_of_python() -> None:
    """A. Trask (2015): sigmoids without biases, steps of rate 1; the error printed every 10,000 of them."""
    numbers = np.random.RandomState(1)
    x, y = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]), np.array([[0.0], [1], [1], [0]])
    params: dict[str, Any] = {"W1": 2 * numbers.random_sample((3, 4)) - 1, "W2": 2 * numbers.random_sample((4, 1)) - 1}
    spec = MLP((3, 4, 1), "sigmoid", "sigmoid", loss="squared_error", reduction="half-sum", biases="none")
    model, printed = NUMPY.model(spec, "float64"), {0: 0.496410031903, 10_000: 0.00858452565325}
    for step in range(10_001):
        if step in printed:
            assert np.abs(y - model.predict(params, x)).mean() == pytest.approx(printed[step], rel=1e-11)
        _, d = model.value_and_grad(params, Batch(x, y))
        params = {name: p - np.asarray(d[name]) for name, p in params.items()}


@pytest.mark.parametrize(("penalty", "decay"), [("sum", 0.05), ("half-sum", 0.1)])
def test_the_two_layer_net_of_cs231n_assignment_1(penalty: Any, decay: float) -> None:
    spec = MLP((4, 10, 3), weight_decay=decay, penalty=penalty)
    rng = np.random.RandomState(0)
    params = {"W1": 0.1 * rng.randn(4, 10), "b1": np.zeros(10), "W2": 0.1 * rng.randn(10, 3), "b2": np.zeros(3)}
    x = 10 * np.random.RandomState(1).randn(5, 4)
    scores = NUMPY.model(spec, "float64").predict(params, x)
    np.testing.assert_allclose(scores[0], [-0.81233741, -1.27654624, -0.70335995], atol=5e-9)
    loss, _ = loss_and_grad(spec, params, Batch(x, np.array([0, 1, 2, 2, 1])))
    assert loss == pytest.approx(1.30378789133, abs=1e-11)


@pytest.mark.parametrize(("decay", "printed"), [(0.0, 3.4702243556), (1.0, 26.5948426952)])
def test_the_two_layer_net_of_cs231n_assignment_2(decay: float, printed: float) -> None:
    params = {
        "W1": from_to(-0.7, 0.3, 5, 50),
        "b1": from_to(-0.1, 0.9, 50),
        "W2": from_to(-0.3, 0.4, 50, 7),
        "b2": from_to(-0.9, 0.1, 7),
    }
    batch = Batch(from_to(-5.5, 4.5, 5, 3).T, np.array([0, 5, 1]))
    loss, _ = loss_and_grad(MLP((5, 50, 7), weight_decay=decay), params, batch)
    assert loss == pytest.approx(printed, abs=5e-11)


@pytest.mark.parametrize(("decay", "printed"), [(0.0, 2.3026), (0.5, 2.5086)])
def test_the_three_layer_convnet_of_cs231n_assignment_2(decay: float, printed: float) -> None:
    """Its loss on random images, from weights of 1e-3, without and with ½ · 0.5 Σ W²."""
    windows: dict[str, Any] = {"kernel": (7, 7), "padding": (3, 3), "pool": (2, 2), "batch_norm": False}
    spec = ConvNet((3, 32, 32), (32,), hidden=(100,), classes=10, weight_decay=decay, **windows)
    rng = np.random.default_rng(0)
    params = {name: 1e-3 * rng.normal(size=shape) * (len(shape) > 1) for name, shape in spec.param_shapes.items()}
    loss, _ = loss_and_grad(spec, params, spec.example_batch(rng, 5))
    assert loss == pytest.approx(printed, abs=1e-3)


def test_the_sanity_checks_of_cs231n_at_small_weights() -> None:
    """With scores near zero softmax loses log C, and the hinge C − 1; half of that for every margin halved."""
    x, y = np.random.default_rng(0).normal(size=(50, 20)), np.arange(50) % 10
    params: dict[str, Any] = {"W": np.zeros((20, 10)), "b": np.zeros(10)}
    assert loss_and_grad(SoftmaxRegression(20, 10), params, Batch(x, y))[0] == pytest.approx(np.log(10))
    flat = {"W1": params["W"], "b1": params["b"]}
    assert loss_and_grad(MLP((20, 10), loss="hinge"), flat, Batch(x, y))[0] == 9
    assert loss_and_grad(MLP((20, 10), loss="hinge", margin=0.5), flat, Batch(x, y))[0] == 4.5
    assert loss_and_grad(MLP((20, 10), loss="squared_hinge", margin=2.0), flat, Batch(x, y))[0] == 36


def test_the_lstm_step_of_cs231n_assignment_3() -> None:
    """Its gates stand in the order i, f, o, g."""
    p = {"W_x": from_to(-2.1, 1.3, 4, 20), "W_h": from_to(-0.7, 2.2, 5, 20), "b": from_to(0.3, 0.7, 20)}
    start = from_to(-0.3, 0.7, 3, 5), from_to(-0.4, 0.9, 3, 5)
    c: dict[Any, Any] = {}
    lstm.forward(p, from_to(-0.4, 1.2, 3, 1, 4), start, c, "ifog")
    np.testing.assert_allclose(c["h", 0][0], [0.24635157, 0.28610883, 0.32240467, 0.35525807, 0.38474904], atol=5e-9)
    np.testing.assert_allclose(c["cell", 0][0], [0.32986176, 0.39145139, 0.451556, 0.51014116, 0.56717407], atol=5e-9)


def test_the_convolution_and_the_pooling_of_cs231n_assignment_2() -> None:
    p = {"W": from_to(-0.2, 0.3, 3, 3, 4, 4), "b": from_to(-0.1, 0.2, 3)}
    out = conv2d.forward(p, from_to(-0.1, 0.5, 2, 3, 4, 4), Windows((4, 4), (2, 2), (1, 1)), {})
    np.testing.assert_allclose(out[0, 0], [[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]], atol=5e-9)
    np.testing.assert_allclose(out[1, 2], [[2.36270298, 2.36904306], [2.38090835, 2.38247847]], atol=5e-9)
    pooled = pooling.forward("max", from_to(-0.3, 0.4, 2, 3, 4, 4), Windows((2, 2), (2, 2)), {})
    np.testing.assert_allclose(pooled[0, 0], [[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]], atol=5e-9)


OPTIMISERS: dict[str, tuple[str, dict[str, float], dict[str, np.ndarray], list[float]]] = {
    "sgd with momentum": (
        "sgd",
        {"lr": 1e-3, "momentum": 0.9, "lr_in_velocity": True},
        {"velocity": -from_to(0.6, 0.9, 4, 5)},
        [0.1406, 0.20738947, 0.27417895, 0.34096842, 0.40775789],
    ),
    "rmsprop": (
        "rmsprop",
        {"lr": 1e-2, "decay": 0.99},
        {"v": from_to(0.6, 0.9, 4, 5)},
        [-0.39223849, -0.34037513, -0.28849239, -0.23659121, -0.18467247],
    ),
    "adam": (
        "adam",
        {"lr": 1e-2},
        {"m": from_to(0.6, 0.9, 4, 5), "v": from_to(0.7, 0.5, 4, 5)},
        [-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977],
    ),
}


@pytest.mark.parametrize("case", OPTIMISERS)
def test_the_update_rules_of_cs231n_assignment_2(case: str) -> None:
    name, hyperparameters, memory, printed = OPTIMISERS[case]
    rule = update_rules.optimizer(named(name, **hyperparameters))
    remembered = {f"{kept}.w": array.copy() for kept, array in memory.items()}
    # Its Adam has taken five steps before, and counts this one as the sixth.
    params, _ = rule.update({"w": from_to(-0.4, 0.6, 4, 5)}, {"w": from_to(-0.6, 0.4, 4, 5)}, remembered, 5)
    np.testing.assert_allclose(params["w"][0], printed, atol=5e-9)


@pytest.mark.parametrize("vocabulary", [65, 80])
def test_min_char_rnn_starts_at_the_logarithm_of_the_vocabulary_for_each_character(vocabulary: int) -> None:
    """A. Karpathy, min-char-rnn (2015): one-hot inputs, weights of 0.01, the sum over 25 characters."""
    spec = RNN(vocabulary, hidden=100, length=25, inputs="one_hot", reduction="sum")
    rng = np.random.default_rng(0)
    params = {name: 0.01 * rng.normal(size=shape) * (len(shape) > 1) for name, shape in spec.param_shapes.items()}
    loss, _ = loss_and_grad(spec, params, spec.example_batch(rng, 1))
    assert loss == pytest.approx(25 * np.log(vocabulary), rel=1e-3)


def test_a_small_gpt_starts_at_the_logarithm_of_its_vocabulary() -> None:
    """A. Karpathy, nanoGPT: about log 65 = 4.17 on Shakespeare's characters, from weights of 0.02."""
    spec = Transformer(65, width=48, heads=4, inner=192, blocks=2, positions=16, length=16, tied=True)
    rng = np.random.default_rng(0)
    loss, _ = loss_and_grad(spec, spec.init(rng), spec.example_batch(rng, 4))
    assert loss == pytest.approx(4.174, abs=0.05)


def test_positions_are_those_that_pages_on_the_first_transformer_print() -> None:
    """Rows 0 to 2 of a width of 4, as tutorials on Vaswani et al. (2017), section 3.5, print them."""
    printed = [
        [0.0, 1.0, 0.0, 1.0],
        [0.84147098, 0.54030231, 0.00999983, 0.99995],
        [0.90929743, -0.41614684, 0.01999867, 0.99980001],
    ]
    np.testing.assert_allclose(sinusoids(3, np.zeros((1, 3, 4))), printed, atol=5e-9)


def of_torch(**arrays: np.ndarray) -> dict[str, Any]:
    return {name: torch.tensor(a, requires_grad=a.dtype.kind == "f") for name, a in arrays.items()}


@pytest.mark.parametrize(("model", "layer"), [(RNN, torch.nn.RNN), (LSTM, torch.nn.LSTM), (GRU, torch.nn.GRU)])
def test_recurrent_layers_are_pytorchs_with_its_two_biases(model: Any, layer: Any) -> None:
    """torch.nn.RNN, LSTM and GRU with given weights: the same loss, and the same gradient of every weight."""
    spec = model(vocabulary=6, hidden=4, length=5, inputs="one_hot", **({} if model is GRU else {"biases": "two"}))
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    batch = spec.example_batch(rng, 3)
    own = layer(6, 4, batch_first=True).double()
    with torch.no_grad():
        for theirs, ours in {
            "weight_ih_l0": "W_x",
            "weight_hh_l0": "W_h",
            "bias_ih_l0": "b_x",
            "bias_hh_l0": "b_h",
        }.items():
            getattr(own, theirs).copy_(torch.tensor(params[ours].T))
    head = of_torch(W=params["W_y"], b=params["b_y"])
    x, y = torch.tensor(batch.x), torch.tensor(batch.y)
    states, _ = own(torch.nn.functional.one_hot(x, 6).double())
    expected = torch.nn.functional.cross_entropy((states @ head["W"] + head["b"]).flatten(0, 1), y.flatten())
    torch.autograd.backward(expected)
    loss, d = loss_and_grad(spec, params, batch)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(d["W_h"], own.weight_hh_l0.grad.T, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(d["b_x"], own.bias_ih_l0.grad, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(d["b_h"], own.bias_hh_l0.grad, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    ("norm_first", "activation", "bias"),
    [(True, "relu", True), (False, "gelu", True), (False, "relu", False), (True, "gelu", False)],
)
def test_a_block_is_pytorchs_encoder_layer_with_a_causal_mask(norm_first: bool, activation: Any, bias: bool) -> None:
    """torch.nn.TransformerEncoderLayer between the tokens' rows times √width and the same table transposed."""
    settings: Any = {"activation": activation, "tied": True, "scaled_tokens": True, "head_bias": True}
    spec = Transformer(7, 6, 2, 8, 1, 5, 5, norm_first=norm_first, biases="one" if bias else "none", **settings)
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    batch, given = spec.example_batch(rng, 3), of_torch(**params)
    usual: Any = {"dropout": 0.0, "batch_first": True}
    own: Any = torch.nn.TransformerEncoderLayer(
        6, 2, 8, activation=activation, norm_first=norm_first, bias=bias, **usual
    )
    own.double()
    with torch.no_grad():
        own.self_attn.in_proj_weight.copy_(torch.cat([given[f"block1.W_{name}"].T for name in "qkv"]))
        if bias:
            own.self_attn.in_proj_bias.copy_(torch.cat([given[f"block1.b_{name}"] for name in "qkv"]))
        for map_, name in ((own.self_attn.out_proj, "o"), (own.linear1, "up"), (own.linear2, "down")):
            map_.weight.copy_(given[f"block1.W_{name}"].T)
            if bias:
                map_.bias.copy_(given[f"block1.b_{name}"])
        for norm, name in ((own.norm1, "norm1"), (own.norm2, "norm2")):
            norm.weight.copy_(given[f"block1.{name}.gain"])
            if bias:
                norm.bias.copy_(given[f"block1.{name}.bias"])
    x, y = torch.tensor(batch.x), torch.tensor(batch.y)
    stream = 6**0.5 * given["tokens.table"][x] + given["positions.table"]
    stream = own(stream, torch.nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64))
    if norm_first:
        stream = torch.nn.functional.layer_norm(stream, (6,), given["norm.gain"], given.get("norm.bias"))
    logits = stream @ given["tokens.table"].T + given["b"]
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
    torch.autograd.backward(expected)
    loss, d = loss_and_grad(spec, params, batch)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(d["b"], given["b"].grad, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(d["tokens.table"], given["tokens.table"].grad, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(d["block1.W_up"], own.linear1.weight.grad.T, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(d["block1.norm1.gain"], own.norm1.weight.grad, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(d["block1.W_q"], own.self_attn.in_proj_weight.grad[:6].T, rtol=1e-9, atol=1e-13)


def test_batch_norm_and_its_running_statistics_are_pytorchs() -> None:
    """The variance that normalises is biased, the running one is not, and 0.1 is the weight of the new batch."""
    x = np.random.default_rng(0).normal(size=(4, 3, 2, 5))
    layer = torch.nn.BatchNorm2d(3).double()
    expected = layer(torch.tensor(x))
    p = {"gain": np.ones(3), "bias": np.zeros(3)}
    c: dict[str, Any] = {}
    np.testing.assert_allclose(batch_norm.forward(p, x, c, NormConvention()), expected.detach(), rtol=1e-9, atol=1e-12)
    running = update(statistics(3), c, NormConvention(), Running())
    np.testing.assert_allclose(running["mean"], layer.running_mean)  # type: ignore[arg-type]
    np.testing.assert_allclose(running["variance"], layer.running_var)  # type: ignore[arg-type]


def test_ridge_and_logistic_regression_are_those_of_scikit_learn() -> None:
    """At scikit-learn's solution the gradient vanishes: α‖W‖² beside a sum, ½‖W‖² beside C times a sum; no bias."""
    from sklearn.linear_model import LogisticRegression as Logistic
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    ridge = Ridge(alpha=0.7, tol=1e-12).fit(x, y)
    spec = LinearRegression(4, 2, weight_decay=0.7, reduction="sum", penalty="sum")
    _, d = loss_and_grad(spec, {"W": ridge.coef_.T, "b": ridge.intercept_}, Batch(x, y))
    assert max(np.abs(g).max() for g in d.values()) < 1e-10
    labels = (y[:, 0] > 0).astype(int)
    logistic = Logistic(C=2.0, tol=1e-12, max_iter=1000).fit(x, labels)
    binary = LogisticRegression(4, weight_decay=0.5, reduction="sum", penalty="half-sum")
    _, d = loss_and_grad(binary, {"W": logistic.coef_.T, "b": logistic.intercept_}, Batch(x, labels))
    assert max(np.abs(g).max() for g in d.values()) < 1e-4


def test_a_penalty_on_biases_too_is_that_of_every_parameter() -> None:
    """As where α Σ p² goes over all parameters of a net; ``weight_decay`` of the optimisers means the same."""
    spec = MLP((3, 4, 2), loss="hinge", weight_decay=1e-1, penalty="sum", decay_biases=True)
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    batch = spec.example_batch(rng, 5)
    bare, d_bare = loss_and_grad(MLP((3, 4, 2), loss="hinge"), params, batch)
    loss, d = loss_and_grad(spec, params, batch)
    assert loss == pytest.approx(bare + 0.1 * sum((p**2).sum() for p in params.values()))
    for name, p in params.items():
        np.testing.assert_allclose(d[name], d_bare[name] + 0.2 * p)
