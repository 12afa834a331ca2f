import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity import data
from gradparity.errors import UsageError
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
    names,
    require_model,
    spec_for_data,
)
from gradparity.protocol import ModelSpec


def draw(model: str, seed: int) -> ModelSpec:
    return require_model(model).draw(np.random.default_rng(seed))[0]


specs = st.builds(draw, st.sampled_from(names()), st.integers(0, 2**32))


@given(specs, st.integers(0, 99))
def test_initial_parameters_have_the_shapes_that_the_spec_says(spec: ModelSpec, seed: int) -> None:
    drawn = spec.init(np.random.default_rng(seed))
    assert {name: p.shape for name, p in drawn.items()} == spec.param_shapes
    assert {p.dtype for p in drawn.values()} == {np.dtype(np.float64)}


@given(specs, st.integers(1, 20))
def test_example_batches_have_n_rows_and_labels_from_zero(spec: ModelSpec, n: int) -> None:
    batch = spec.example_batch(np.random.default_rng(0), n)
    assert len(batch.x) == len(batch.y) == n
    assert all(len(extra) == n for extra in batch.extras.values())
    assert batch.y.dtype.kind == "f" or batch.y.min() >= 0


@given(specs)
def test_the_derivation_has_a_line_for_every_parameter_and_ends_with_the_loss(spec: ModelSpec) -> None:
    names = [line.name for line in spec.derivation]
    assert len(set(names)) == len(names)
    assert {line.name for line in spec.derivation if not line.forward} == set(spec.param_shapes)
    assert names[-1] == "loss"


@given(specs)
def test_every_formula_is_balanced_latex_and_every_why_a_sentence(spec: ModelSpec) -> None:
    for line in spec.derivation:
        for formula in (line.forward, line.backward):
            assert formula.count("{") == formula.count("}")
            assert formula.count(r"\left") == formula.count(r"\right")
        assert line.backward.startswith(r"\mathrm{d}")
        assert line.why.endswith(".")
        assert not re.search(r"[{}]", line.why)


@given(specs)
def test_flops_grow_with_the_batch(spec: ModelSpec) -> None:
    assert 0 < spec.flops(1) < spec.flops(2)


def test_flops_of_the_notebook_are_its_two_products_and_little_else() -> None:
    assert SoftmaxRegression(784, 10).flops(256) == pytest.approx(2 * 2 * 256 * 784 * 10, rel=0.01)


def test_flops_of_an_mlp_are_three_products_a_layer_but_two_in_the_first() -> None:
    products = 2 * 512 * (300 * 200 * 2 + 200 * 100 * 3)
    assert MLP(widths=(300, 200, 100)).flops(512) == pytest.approx(products, rel=0.01)


def test_the_notebooks_weights_are_drawn_first_and_biases_take_no_draw() -> None:
    drawn = SoftmaxRegression(784, 10).init(np.random.default_rng(42))
    np.testing.assert_array_equal(drawn["W"], np.random.default_rng(42).normal(0, 0.01, (784, 10)))
    assert not drawn["b"].any()


def test_he_weights_have_variance_two_over_fan_in() -> None:
    drawn = MLP(widths=(400, 500, 2)).init(np.random.default_rng(0))
    assert drawn["W1"].var() == pytest.approx(2 / 400, rel=0.02)
    assert drawn["W2"].var() == pytest.approx(2 / 500, rel=0.1)


def test_labels_are_unbalanced() -> None:
    counts = np.bincount(SoftmaxRegression().example_batch(np.random.default_rng(0), 3000).y)
    assert (np.diff(counts) > 0).all()


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: SoftmaxRegression(features=0), "features must be a whole number of at least 1, got 0"),
        (lambda: SoftmaxRegression(weight_decay=float("nan")), "weight_decay must be finite and at least 0, got nan"),
        (lambda: SoftmaxRegression(init_std=-1.0), "init_std must be finite and at least 0, got -1.0"),
        (lambda: LinearRegression(outputs=0), "outputs must be a whole number of at least 1, got 0"),
        (lambda: LogisticRegression(positive=-1), "positive must be a label, 0 or above, got -1"),
        (lambda: LogisticRegression.for_data(4, 2, 2, positive=2), "one of the data's 2 classes, 0 to 1, got 2"),
        (lambda: LogisticRegression.for_data(4, None, 3), "needs labels, got 3 real"),
        (lambda: MLP(widths=(3,)), "widths must name at least input and output size"),
        (lambda: MLP(widths=(3, 0, 2)), r"widths\[1\] must be a whole number of at least 1, got 0"),
        (lambda: MLP(reduction="half-sum"), "'half-sum' does not go with loss 'cross_entropy': use 'mean' or 'sum'"),
    ],
)
def test_sizes_and_choices_that_make_no_model_are_refused(build: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        build()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: RNN(vocabulary=1), "rnn: a vocabulary needs at least 2 tokens to choose from, got 1"),
        (lambda: LSTM(gates="ifgg"), "lstm: gates must be the letters i, f, g and o in the order .* got 'ifgg'"),
        (lambda: GRU(gates="rzn"), "gru: gates must be the letters r, u and n in the order .* got 'rzn'"),
        (lambda: GRU(length=0), "gru: length must be a whole number of at least 1, got 0"),
        (lambda: Transformer(width=6, heads=4), r"heads must divide the width .* got width 6 and 4 heads: 6 / 4 = 1.5"),
        (lambda: Transformer(length=6), "must not be longer than the positions, got length 6 and 5 positions: set pos"),
        (lambda: Transformer(norm="rms", unbiased=True), "unbiased belongs to norm 'layer', got norm 'rms'"),
        (
            lambda: Transformer(width=1, heads=1, unbiased=True),
            "an unbiased variance divides by width − 1, got width 1",
        ),
        (lambda: RNN.for_data(8, 9, 9, initial_state="given"), "a data set gives no initial states"),
        (lambda: RNN.for_data(8, None, 2), "rnn predicts tokens, got real targets"),
        (lambda: spec_for_data("lstm", data.load("digits")), "lstm learns the next characters of a text, got labels"),
        (lambda: spec_for_data("mlp", data.load("text")), "mlp learns labels or targets, got a text: use the model"),
    ],
)
def test_settings_that_make_no_model_of_characters_are_refused(build: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        build()  # type: ignore[operator]


def test_a_new_lstm_forgets_little() -> None:
    spec = LSTM(gates="gfio", hidden=3)
    assert spec.init(np.random.default_rng(0))["b"][3:6].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: ConvNet(kernel=(3, 9)), "a window must fit into the image: got a window of 3×9 on 9×7"),
        (lambda: ConvNet(channels=(3, 4, 5, 6)), "must fit into the image: got a window of 3×2 on 2×1.*fewer blocks"),
        (lambda: ConvNet(stride=(0, 1)), "stride must be two whole numbers of at least 1, height and width"),
        (lambda: ConvNet(channels=()), r"channels must be 1 or more sizes, as \(6, 16\), got \(\)"),
        (lambda: ConvNet.for_data(50, 10, 10), "as many pixels as x has columns, 50, got 1×7×7: set image="),
        (lambda: ConvNet.for_data(64, None, 3), "convnet needs labels, got 3 real"),
    ],
)
def test_images_and_windows_that_make_no_network_are_refused(build: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        build()  # type: ignore[operator]


def test_a_convnet_is_fitted_to_square_images_or_to_those_that_are_named() -> None:
    digits = ConvNet.for_data(64, 10, 10)
    assert (digits.image, digits.channels, digits.hidden, digits.classes) == ((1, 8, 8), (6, 16), (120, 84), 10)
    assert ConvNet.for_data(784, 10, 10).widths == (16 * 7 * 7, 120, 84, 10)
    named = ConvNet.for_data(2 * 3 * 5, 4, 4, image=(2, 3, 5), channels=8, kernel=3, padding=1, pool=1, hidden=())
    assert (named.channels, named.kernel, named.widths) == ((8,), (3, 3), (8 * 3 * 5, 4))
