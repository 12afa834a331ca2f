"""One entry of each line through both passes: its numbers are those of the passes, and its shares make its gradient."""

import re
from pathlib import Path

import numpy as np
import pytest

from gradparity.explain import Explanation, explain, figure
from gradparity.explain.followed import Followed
from gradparity.models import LSTM, MLP, RNN, ConvNet, SoftmaxRegression, Transformer
from gradparity.protocol import ModelSpec

MODELS = (
    SoftmaxRegression(weight_decay=0.1),
    RNN(),
    *(
        pytest.param(spec, marks=pytest.mark.slow)
        for spec in (MLP(activation="tanh"), LSTM(), ConvNet(), Transformer())
    ),
)


@pytest.fixture(scope="module", params=MODELS, ids=["softmax", "rnn", "mlp", "lstm", "convnet", "transformer"])
def explanation(request: pytest.FixtureRequest) -> Explanation:
    spec: ModelSpec = request.param
    return explain(spec, n=4, seed=3)


def entries(explanation: Explanation) -> dict[str, Followed]:
    found = {line.name: line.followed for line in explanation.lines if line.followed is not None}
    assert found.keys() == {line.name for line in explanation.lines}
    return found


def test_upstream_times_local_sums_to_the_gradient(explanation: Explanation) -> None:
    for name, entry in entries(explanation).items():
        if name == "loss" or entry.gradient is None:
            assert entry.shares == ()
            continue
        products = [share.upstream * share.local for share in entry.shares]
        assert products, name
        scale = max(map(abs, products))
        assert sum(products) + entry.rest == pytest.approx(entry.gradient, rel=1e-7, abs=1e-9 * scale)
        assert sum(entry.carried.values()) == pytest.approx(entry.gradient, rel=1e-7, abs=1e-9 * scale)
        assert entry.by_hand == pytest.approx(entry.gradient, rel=1e-9, abs=1e-12 * scale)


def test_the_gradient_that_left_one_step_meets_at_the_next(explanation: Explanation) -> None:
    found = entries(explanation)
    order = [line.name for line in explanation.lines]
    for name, entry in found.items():
        later = [share for share in entry.shares if order.index(share.line) > order.index(name)]
        for share in later:
            if share.place == found[share.line].place:
                assert share.upstream == found[share.line].gradient
        if later:
            assert any(share.place == found[share.line].place for share in later)


def test_simple_arithmetic_makes_the_value_where_the_step_says_so(explanation: Explanation) -> None:
    said = [entry.rule for entry in entries(explanation).values()]
    assert "sum of products" in said
    for entry in entries(explanation).values():
        numbers = [np.array(operand.entries) for operand in entry.operands]
        if entry.rule == "sum":
            assert sum(n[0] for n in numbers) == pytest.approx(entry.value, rel=1e-9)
        if entry.rule == "product":
            assert np.prod([n[0] for n in numbers]) == pytest.approx(entry.value, rel=1e-9)


def test_an_entry_of_an_affine_map_meets_a_row_a_column_and_a_bias() -> None:
    explanation = explain(SoftmaxRegression(features=6, classes=4), n=3)
    entry = entries(explanation)["logits"]
    row, column = entry.place
    assert [operand.source + operand.part for operand in entry.operands] == [
        f"batch.x[{row}, :]",
        f"W[:, {column}]",
        f"b[{column}]",
    ]
    x, w, b = (np.array(operand.entries) for operand in entry.operands)
    assert x @ w + b == pytest.approx(entry.value, rel=1e-12)
    (share,) = entry.shares
    assert (share.line, share.upstream) == ("loss", 1.0)


def test_a_local_derivative_that_is_a_number_of_the_line_is_called_by_its_name() -> None:
    entry = entries(explain(SoftmaxRegression(features=6, classes=4), n=3))["W"]
    feature, _ = entry.place
    assert sorted(share.same_as for share in entry.shares) == [f"batch.x[{i}, {feature}]" for i in range(3)]


@pytest.mark.parametrize("explanation", [RNN()], ids=["rnn"], indirect=True)
def test_a_state_has_a_share_from_its_reader_and_one_through_time(explanation: Explanation) -> None:
    assert set(entries(explanation)["h"].carried) == {"states", "z"}


def test_differences_along_a_weight_come_near_its_gradient_and_then_leave_it(explanation: Explanation) -> None:
    assert explanation.weights
    for weight in explanation.weights:
        off = np.abs(np.array(weight.central) - weight.gradient)
        assert off.min() < 1e-7 * max(abs(weight.gradient), 1e-3)
        assert off[-1] > 100 * off.min()
        middle = len(weight.weights) // 2
        assert weight.weights[middle] == pytest.approx(weight.value)
        assert weight.losses[middle] == pytest.approx(weight.loss)


def test_a_wrong_line_is_told_beside_the_sum_that_is_right(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(
        "param_shapes = {'w': (3, 2)}\ninput_shape = (3,)\ntarget_shape = (2,)\n\n"
        "def forward(p, batch, c):\n    c['z'] = batch.x @ p['w']\n    c['loss'] = (c['z'] ** 2).sum()\n\n"
        "def backward(p, batch, c, d):\n    d['z'] = c['z']\n    d['w'] = batch.x.T @ d['z']\n"
    )
    entry = entries(explain(str(file), n=3))["z"]
    assert entry.by_hand is not None
    assert entry.gradient == pytest.approx(2 * entry.by_hand)
    assert sum(share.upstream * share.local for share in entry.shares) == pytest.approx(entry.gradient)


def test_the_figure_is_one_element_that_asks_for_nothing_and_has_no_id_twice() -> None:
    html = figure(SoftmaxRegression(), n=3)
    assert html.lstrip().startswith('<div class="gradparity-steps"')
    assert html.rstrip().endswith("</div>")
    assert not re.search(r"https?://(?!www\.w3\.org)", html)
    ids = re.findall(r' id="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert {address[1:] for address in re.findall(r'href="(#[^"]*)"', html)} <= set(ids)
    assert explain(SoftmaxRegression(), n=3)._repr_html_() == html
