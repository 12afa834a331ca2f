import numpy as np
import pytest

from gradparity.models import MLP, SoftmaxRegression, names
from gradparity.protocol import ModelSpec
from gradparity_manual.derivation import functions
from gradparity_mutants.mutants import Mutant, mutants
from gradparity_mutants.mutations import mutations
from gradparity_mutants.plant import chain
from gradparity_mutants.specs import SPECS


def mutants_of(spec: ModelSpec) -> list[Mutant]:
    hand = functions(spec).derivation
    assert hand is not None
    rng = np.random.default_rng(0)
    p = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    return list(mutants(hand, p, spec.example_batch(rng, 6), spec.example_batch(rng, 6)))


def test_every_model_is_mutated() -> None:
    assert {spec.name for spec in SPECS.values()} == set(names())


def test_every_mutation_is_planted_at_some_line_where_it_changes_something() -> None:
    batch = SoftmaxRegression().example_batch(np.random.default_rng(0), 3)
    planted = {m.mutation for m in mutants_of(SPECS["softmax_regression, decayed"]) if not m.equivalent}
    assert planted == set(mutations(batch, shares=2))


def test_every_gradient_of_a_name_has_mutants() -> None:
    spec = MLP()
    found = {m.where for m in mutants_of(spec)}
    gradients = {f"d['{line.name}']" for line in spec.derivation if line.name != "loss"}
    values = {f"c['{line.name}']" for line in spec.derivation if line.forward}
    assert found == gradients | values


def test_what_changes_nothing_is_equivalent() -> None:
    bias = {m.mutation: m for m in mutants_of(SoftmaxRegression()) if m.where == "d['b']"}
    assert bias["stale examples"].equivalent, "the sum over the batch reads no examples"
    assert not bias["stale upstream"].equivalent
    linear = {m.where: m for m in mutants_of(MLP(activation="identity")) if m.mutation == "missing mask"}
    assert linear["d['z1']"].equivalent
    relu = {m.where: m for m in mutants_of(MLP(activation="relu")) if m.mutation == "missing mask"}
    assert not relu["d['z1']"].equivalent


def test_a_factor_of_what_is_zero_by_mathematics_changes_nothing() -> None:
    keys = {m.mutation: m.equivalent for m in mutants_of(SPECS["transformer"]) if m.where == "d['block1.b_k']"}
    assert keys["zero"]
    assert keys["×2"]
    assert not keys["NaN"]


@pytest.mark.parametrize("mutation", ["dropped last example", "dropped term 1", "dropped term 2", "stale weights"])
def test_mutations_write_what_the_mistake_would(mutation: str) -> None:
    spec = SoftmaxRegression(weight_decay=0.5)
    hand = functions(spec).derivation
    assert hand is not None
    rng = np.random.default_rng(0)
    p = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    x, y, _ = batch = spec.example_batch(rng, 6)
    (mutant,) = (
        m for m in mutants(hand, p, batch, spec.example_batch(rng, 6)) if (m.where, m.mutation) == ("d['W']", mutation)
    )
    (_, right), (_, wrong) = chain(hand, p, batch), chain(mutant.hand, p, batch)
    data, decay = x.T @ right["logits"], 0.5 * p["W"]
    expected = {
        "dropped last example": x[:-1].T @ right["logits"][:-1] + decay,
        "dropped term 1": data,
        "dropped term 2": decay,
        "stale weights": data + 0.5 * (p["W"] - 0.1 * right["W"]),
    }
    assert np.allclose(wrong["W"], expected[mutation])
    assert np.array_equal(wrong["logits"], right["logits"])
    assert len(y) == 6
