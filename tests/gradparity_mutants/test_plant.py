import numpy as np
import pytest

from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity.recording import Gradients
from gradparity_manual.derivation import functions
from gradparity_mutants.plant import PlantSite, Symbol, chain, plant, shares

SPEC = SoftmaxRegression(weight_decay=0.5)


def derivation(spec: SoftmaxRegression | MLP) -> tuple[HandDerivation, dict[str, np.ndarray], Batch]:
    hand = functions(spec).derivation
    assert hand is not None
    rng = np.random.default_rng(0)
    return hand, {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}, spec.example_batch(rng, 6)


def test_a_line_that_is_written_in_shares_is_one_line() -> None:
    hand, p, batch = derivation(SPEC)
    found = shares(hand, p, batch)
    assert list(found) == [
        *(("c", name) for name in ("logits", "cross_entropy", "penalty", "loss")),
        *(("d", name) for name in ("cross_entropy", "penalty", "W", "logits", "b")),
    ]
    assert {line for line, count in found.items() if count > 1} == {("d", "W")}


@pytest.mark.parametrize(("symbol", "line"), [("c", "logits"), ("d", "logits"), ("d", "b")])
def test_only_the_planted_line_and_what_is_computed_from_it_changes(symbol: Symbol, line: str) -> None:
    hand, p, batch = derivation(SPEC)
    right, planted = (chain(h, p, batch) for h in (hand, plant(hand, symbol, line, lambda value, _: 2 * value)))
    changed = {
        (s, name)
        for s, before, after in zip("cd", right, planted, strict=True)
        for name in before
        if not np.array_equal(before[name], after[name])
    }
    forward = {("c", "cross_entropy"), ("c", "loss"), ("d", "logits"), ("d", "W"), ("d", "b")}
    downstream = {"b": set(), "logits": forward if symbol == "c" else {("d", "W"), ("d", "b")}}[line]
    assert changed == {(symbol, line)} | downstream


def test_a_site_computes_its_own_share_again_from_other_inputs() -> None:
    hand, p, batch = derivation(SPEC)
    seen: list[tuple[int, Array, Array]] = []

    def look(value: Array, at: PlantSite) -> Array:
        seen.append((at.share, value, at.again(d={**at.d, "logits": np.ones((6, 5)), "penalty": 3.0})))
        return value

    chain(plant(hand, "d", "W", look), p, batch)
    (first, penalty, thrice), (second, data, ones) = seen
    assert (first, second) == (0, 1)
    assert np.allclose(penalty, 0.5 * p["W"])
    assert np.allclose(thrice, 3 * penalty)
    assert np.allclose(ones, batch.x.T @ np.ones((6, 5)))
    assert not np.allclose(ones, data)


def test_a_site_knows_what_was_read_and_written_before_it() -> None:
    hand, p, batch = derivation(MLP(widths=(4, 3, 2)))
    sites: list[PlantSite] = []

    def note(value: Array, at: PlantSite) -> Array:
        sites.append(at)
        return value

    chain(plant(hand, "d", "z1", note), p, batch)
    (site,) = sites
    assert set(site.c) == {"z1", "a1", "z2", "a2", "loss"}
    assert set(site.d) == {"loss", "a2", "z2", "W2", "b2", "a1"}
    assert site.read[-1] is site.d["a1"]


def test_a_plain_number_stays_one_so_that_float32_stays_float32() -> None:
    hand, p, batch = derivation(SPEC)
    halves = {name: value.astype(np.float32) for name, value in p.items()}
    small = Batch(batch.x.astype(np.float32), batch.y)
    _, d = chain(plant(hand, "d", "penalty", lambda value, _: np.zeros_like(value)), halves, small)
    assert d["penalty"] == 0
    assert d["W"].dtype == np.float32


def test_a_derivation_may_ask_what_is_written() -> None:
    def forward(p: Params, batch: Batch, c: Gradients) -> None:
        c["loss"] = batch.x.sum() * p["w"]

    def backward(_: Params, batch: Batch, __: Gradients, d: Gradients) -> None:
        d["w"] = batch.x.sum()
        assert "w" in d
        assert list(d) == ["loss", "w"]

    planted = plant(HandDerivation(forward, backward), "d", "w", lambda value, _: value)
    chain(planted, {"w": np.array(2.0)}, Batch(np.ones((3, 1)), np.zeros(3)))
