"""An explanation holds the right numbers, the right verdicts, and all of it as plain data."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

from gradparity import registry
from gradparity.explain import DIFFERENCES, HAND, Entries, Explanation, comparisons, explain
from gradparity.explain.comparisons import Sources
from gradparity.explain.slopes import slopes
from gradparity.models import SoftmaxRegression
from gradparity.parity.report import Row
from gradparity.protocol import Array, Batch, Trace
from gradparity.registry import Availability
from gradparity.subjects.specs import spec_of

DECLARED: dict[str, Any] = {"param_shapes": {"W": (3, 4)}, "input_shape": 3, "target_shape": 4}


def forward(p: dict[str, Array], batch: Batch, c: dict[str, Array]) -> None:
    """Squared error of a rectified affine map, its mask kept."""
    xp = array_namespace(batch.x)
    c["z"] = batch.x @ p["W"]
    c["mask"] = c["z"] > 0
    c["a"] = xp.where(c["mask"], c["z"], xp.maximum(c["z"], 0 * c["z"]))
    c["loss"] = xp.sum((c["a"] - batch.y) ** 2)


def backward_with(local_derivative: Callable[[Array], Array]) -> Callable[..., None]:
    """The backward pass with this derivative of the rectifier."""

    def backward(_: dict[str, Array], batch: Batch, c: dict[str, Array], d: dict[str, Array]) -> None:
        d["a"] = d["loss"] * 2 * (c["a"] - batch.y)
        d["z"] = d["a"] * local_derivative(c["z"])
        d["W"] = batch.x.T @ d["z"]

    return backward


def rectifier(z: Array) -> Array:
    """1 above 0, else 0."""
    return array_namespace(z).astype(z > 0, z.dtype)


def of_file(local_derivative: Callable[[Array], Array], example_batch: Any = None) -> Explanation:
    """Explain the rectified map with this derivative."""
    own = {} if example_batch is None else {"example_batch": example_batch}
    return explain(
        spec_of({**DECLARED, **own, "forward": forward, "backward": backward_with(local_derivative)}), n=5, seed=1
    )


def column(comparison: Entries | None, source: str) -> np.ndarray:
    """The entries that a source shows, NaN where it has none."""
    assert comparison is not None
    return np.array(next(column.entries for column in comparison.columns if column.source == source), dtype=float)


@pytest.fixture(scope="module")
def softmax() -> Explanation:
    return explain(SoftmaxRegression(features=6, classes=4), n=7, seed=3)


def test_the_numbers_are_those_of_each_source_at_the_same_places(softmax: Explanation) -> None:
    shown = softmax.line("W").gradient
    assert shown is not None
    hand, jax, torch, differences = (column(shown, s) for s in (HAND, "jax", "torch", DIFFERENCES))
    np.testing.assert_allclose(hand, jax, rtol=1e-13)
    np.testing.assert_allclose(hand, torch, rtol=1e-13)
    np.testing.assert_allclose(hand, differences, atol=1e-8)
    assert shown.shape == (6, 4)
    assert shown.verdict == "same to rounding"
    assert shown.error is not None
    assert shown.error < 1e-14


def test_the_numbers_are_the_gradient_at_the_numbers_of_the_check(softmax: Explanation) -> None:
    from gradparity.parity.problem import draw_params, representable

    spec, rng = SoftmaxRegression(features=6, classes=4), np.random.default_rng(3)
    p = {name: representable(value) for name, value in draw_params(spec, rng).items()}
    x, y, _ = spec.example_batch(rng, 7).map(representable)
    z = x @ p["W"] + p["b"]
    share = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    dz = (share - np.eye(4)[y]) / 7
    shown = softmax.line("logits").gradient
    assert shown is not None
    np.testing.assert_allclose(column(shown, HAND), [dz[place] for place in shown.places], rtol=1e-12)
    largest = [abs(dz[place]) for place in shown.places]
    assert largest[0] == np.abs(dz).max()
    assert largest[-1] == np.abs(dz).min()
    np.testing.assert_allclose(shown.norm, np.linalg.norm(dz))


def test_lines_come_forwards_and_then_backwards_with_edges_between_them(softmax: Explanation) -> None:
    assert [line.name for line in softmax.lines] == ["W", "b", "logits", "loss"]
    assert [line.name for line in softmax.backwards] == ["loss", "logits", "b", "W"]
    assert [line.name for line in softmax.way_back()] == ["loss", "logits", "W"]
    edges = {(edge.source, edge.target) for edge in softmax.edges}
    assert edges == {("batch.x", "logits"), ("W", "logits"), ("b", "logits"), ("logits", "loss"), ("batch.y", "loss")}


def test_each_line_shows_the_statements_that_write_it(softmax: Explanation) -> None:
    assert softmax.line("W").backward_code == ('d.add("W", in_rows(x).T @ in_rows(d["logits"]))',)
    assert softmax.line("logits").forward_code == ('c["logits"] = x @ p["W"] + p["b"]',)
    assert softmax.line("W").forward_code == ()


def test_the_loss_gradient_is_given_and_so_not_checked(softmax: Explanation) -> None:
    shown = softmax.line("loss").gradient
    assert shown is not None
    assert shown.verdict == "not checked"
    assert shown.note.startswith("given")
    assert column(shown, HAND) == column(shown, "jax") == 1.0


def test_an_explanation_survives_json(softmax: Explanation) -> None:
    data = softmax.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["agrees"] is True
    assert [line["name"] for line in data["lines"]] == ["W", "b", "logits", "loss"]
    assert data["lines"][2]["machine"]["torch"]["receiver"] == "AddmmBackward0"


def test_a_mask_has_a_value_and_no_gradient() -> None:
    explanation = of_file(rectifier)
    assert explanation.agrees
    mask = explanation.line("mask")
    assert mask.gradient is None
    assert mask.value.verdict == "same to rounding"
    assert "mask" not in [line.name for line in explanation.backwards]


def test_a_wrong_line_is_different_and_it_alone() -> None:
    explanation = of_file(lambda z: 1.05 * rectifier(z))
    assert explanation.different == ("z",)
    shown = explanation.line("z").gradient
    assert shown is not None
    assert shown.note
    hand, machine = column(shown, HAND), column(shown, "torch")
    np.testing.assert_allclose(hand[0], 1.05 * machine[0])
    assert explanation.line("W").gradient.verdict == "same to rounding"  # type: ignore[union-attr]


def test_a_gradient_that_is_left_out_is_not_compared() -> None:
    def skipping(_: dict[str, Array], batch: Batch, c: dict[str, Array], d: dict[str, Array]) -> None:
        d["z"] = 2 * (c["a"] - batch.y) * rectifier(c["z"])
        d["W"] = batch.x.T @ d["z"]

    explanation = explain(spec_of({**DECLARED, "forward": forward, "backward": skipping}), n=5)
    shown = explanation.line("a").gradient
    assert explanation.different == ()
    assert shown is not None
    assert (shown.verdict, shown.error) == ("not checked", None)
    assert np.isnan(column(shown, HAND)).all()
    json.dumps(explanation.to_dict(), allow_nan=False)


def with_a_row_of_zeros(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(n, 3))
    x[1] = 0.0
    return x, rng.normal(size=(n, 4))


def test_entries_at_a_kink_are_a_convention_and_others_are_not() -> None:
    def half(z: Array) -> Array:
        return rectifier(z) + 0.25 * array_namespace(z).astype(z == 0, z.dtype)

    at_kinks = of_file(half, with_a_row_of_zeros)
    shown = at_kinks.line("z").gradient
    assert shown is not None
    assert shown.verdict == "kink convention"
    assert shown.note.startswith("4 of 20 entries")
    assert shown.places[0][0] == 1
    assert np.isnan(column(shown, DIFFERENCES)[0])
    assert at_kinks.agrees
    wrong_besides = of_file(lambda z: 1.01 * half(z), with_a_row_of_zeros)
    assert wrong_besides.different == ("z",)


def test_entries_at_a_kink_where_the_conventions_agree_are_pointed_out() -> None:
    def zeros_and_far_targets(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x, y = with_a_row_of_zeros(rng, n)
        y[1] = 100.0
        return x, y

    explanation = of_file(
        lambda z: rectifier(z) + 0.5 * array_namespace(z).astype(z == 0, z.dtype), zeros_and_far_targets
    )
    shown = explanation.line("z").gradient
    assert shown is not None
    assert shown.verdict == "same to rounding"
    assert "no derivative at [1, " in shown.note
    assert np.isnan(column(shown, DIFFERENCES)[0])


def test_a_backend_that_is_not_installed_has_no_column_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry.availability

    def availability(name: str) -> Availability:
        missing = Availability("jax", "gradparity", None, "'jax' is not installed", "pip install 'gradparity[jax]'")
        return missing if name == "jax" else found(name)

    monkeypatch.setattr(registry, "availability", availability)
    explanation = explain(SoftmaxRegression(), n=5)
    assert explanation.witnesses == ("torch",)
    assert [c.source for c in explanation.line("W").gradient.columns] == [HAND, "torch", DIFFERENCES]  # type: ignore[union-attr]
    assert explanation.remarks[0].startswith("no column jax: 'jax' is not installed, run ")
    assert {(e.source, e.target) for e in explanation.edges} == {("W", "logits"), ("b", "logits"), ("logits", "loss")}


def test_a_machine_that_tells_no_operations_still_has_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    torch: Any = registry.backend("torch")
    silent = replace(torch, functions=lambda spec: torch.functions(spec)._replace(operations=None))
    found = registry.availability
    monkeypatch.setattr(
        registry, "availability", lambda name: Availability("torch", "x", silent) if name == "torch" else found(name)
    )
    line = explain(SoftmaxRegression(), n=5).line("W")
    assert line.machine.keys() == {"jax"}
    assert column(line.gradient, "torch") == pytest.approx(column(line.gradient, HAND))


def test_a_gradient_that_the_loss_itself_contradicts_is_different_whatever_the_machine_says() -> None:
    params, gradient = {"W": np.ones((2, 2))}, np.full((2, 2), 2.0)

    def tripled(p: Mapping[str, Array], _: Batch, c: Any) -> None:
        c["loss"] = 3 * p["W"].sum()

    sources = Sources(
        c={},
        d={"W": gradient},
        truths={"machine": Trace({}, {"W": gradient})},
        rows=[Row("W", "gradient", "numpy", "machine", "float64", 0.0, 1e-10)],
        slopes=slopes(tripled, params, Batch(np.ones(1), np.ones(1)), {}, np.random.default_rng(0)),
    )
    shown = comparisons.gradient(sources, "W")
    assert shown is not None
    assert shown.verdict == "different"
    assert shown.note == "the loss itself changes by 3 at [0, 0], not by 2"


def test_what_else_a_batch_holds_is_an_input_under_one_name() -> None:
    def forward(p: Any, batch: Batch, c: Any) -> None:
        c["kept"] = batch.x @ p["w"] * batch.extras["mask"]
        c["loss"] = ((c["kept"] - batch.y) ** 2).sum()

    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
        d["kept"] = 2 * d["loss"] * (c["kept"] - batch.y)
        d["w"] = batch.x.T @ (d["kept"] * batch.extras["mask"])

    def example_batch(rng: np.random.Generator, n: int) -> Any:
        return rng.normal(size=(n, 3)), rng.normal(size=n), {"mask": rng.uniform(0.5, 1.5, size=n)}

    shapes = {"param_shapes": {"w": 3}, "input_shape": 3, "target_shape": ()}
    found = explain({**shapes, "forward": forward, "backward": backward, "example_batch": example_batch})
    assert found.agrees
    assert found.inputs["batch.extras['mask']"] == (11,)
    names = {*found.inputs, *(line.name for line in found.lines)}
    assert {edge.source for edge in found.edges} <= names
    assert "batch.extras['mask']" in found.reads("kept")
    assert any("batch.extras['mask']" in operation.text for operation in found.line("kept").machine["jax"].forward)
