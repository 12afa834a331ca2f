"""Every equation of ``value_and_grad``'s jaxpr belongs to one line, and to the right one."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from array_api_compat import array_namespace

from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Array, Batch, ModelSpec, Operation, Operations
from gradparity.subjects.specs import spec_of
from gradparity_jax import autodiff, backend
from gradparity_jax.jaxprs import flatten

FILE = Path(__file__).parents[2] / "docs" / "examples" / "my_model.py"
BUILT_IN: dict[str, ModelSpec] = {
    "softmax": SoftmaxRegression(),
    "softmax-decayed": SoftmaxRegression(weight_decay=0.3),
    "relu": MLP(),
    "tanh": MLP(activation="tanh", output_activation="sigmoid", reduction="sum"),
    "sigmoid": MLP(activation="sigmoid", output_activation="tanh", loss="squared_error"),
    "identity": MLP(activation="identity", output_activation="relu", loss="squared_error", reduction="half-sum"),
}
SPECS = {**BUILT_IN, "file": spec_of(FILE)}


def inputs(spec: ModelSpec) -> tuple[dict[str, np.ndarray], Batch]:
    rng = np.random.default_rng(3)
    return {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}, spec.example_batch(rng, 9)


def told(spec: ModelSpec) -> dict[str, Operations]:
    return dict(backend.model(spec, "float32").operations(*inputs(spec)))


def plain(spec: ModelSpec) -> list[tuple[str, str]]:
    """The jaxpr of ``value_and_grad`` as it is, calls opened: primitive and name stack of each equation."""
    drawn, batch = inputs(spec)
    params = {name: jnp.asarray(value, "float32") for name, value in drawn.items()}
    y = jnp.asarray(batch.y, "int32" if batch.y.dtype.kind == "i" else "float32")
    traced = jax.make_jaxpr(autodiff.functions(spec).value_and_grad)(params, Batch(jnp.asarray(batch.x, "float32"), y))
    return [(equation.primitive, equation.scope) for equation in flatten(traced, lambda _: False).equations]


def primitives(operations: tuple[Operation, ...]) -> list[str]:
    return [operation.text.split(" = ")[1].split("[")[0].split(" ")[0] for operation in operations]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_equation_of_the_gradient_is_given_to_one_line_and_none_is_left_over(spec: ModelSpec) -> None:
    everything = [operation for does in told(spec).values() for operation in (*does.forward, *does.backward)]
    everything.sort(key=lambda operation: operation.position)
    assert [operation.position for operation in everything] == list(range(len(everything)))
    assert primitives(tuple(everything)) == [primitive for primitive, _ in plain(spec)]


@pytest.mark.parametrize("spec", BUILT_IN.values(), ids=BUILT_IN)
def test_the_named_scopes_of_built_in_models_agree(spec: ModelSpec) -> None:
    lines = told(spec)
    everything = [operation for does in lines.values() for operation in (*does.forward, *does.backward)]
    everything.sort(key=lambda operation: operation.position)
    assert [operation.scope for operation in everything] == [scope for _, scope in plain(spec)]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_value_is_computed_in_its_own_step_and_a_gradient_in_a_step_that_reads_it(spec: ModelSpec) -> None:
    lines = told(spec)
    for name, does in lines.items():
        assert {operation.scope for operation in does.forward} <= {f"jvp({name})"}
        readers = [reader for reader, other in lines.items() if name in other.reads]
        allowed = {f"{step}({reader})" for reader in readers for step in ("jvp", "transpose(jvp")}
        assert {operation.scope.replace("))", ")") for operation in does.backward} <= allowed


@pytest.mark.skipif(jax.__version__ != "0.10.2", reason="the mapping is pinned at jax 0.10.2")
def test_the_equations_of_softmax_regression_at_the_pinned_version() -> None:
    lines = told(SoftmaxRegression(weight_decay=0.1))
    backward = {name: primitives(does.backward) for name, does in lines.items()}
    assert backward["W"] == ["mul", "mul", "copy", "broadcast_in_dim", "mul", "dot_general", "transpose", "add_any"]
    assert backward["b"] == ["reduce_sum", "reshape", "reduce_sum"]
    assert backward["logits"][-4:] == ["scatter-add", "broadcast_in_dim", "scatter-add", "add_any"]
    assert backward["loss"] == backward["cross_entropy"] == backward["penalty"] == []
    assert primitives(lines["logits"].forward) == ["dot_general", "broadcast_in_dim", "add"]
    assert {"square", "reduce_sum", "mul"} <= set(primitives(lines["penalty"].forward))
    assert {"exp", "log", "reduce_max"} <= set(primitives(lines["cross_entropy"].forward))


def test_the_local_derivative_stands_at_the_line_whose_gradient_needs_it() -> None:
    lines = told(BUILT_IN["relu"])
    assert primitives(lines["a1"].forward)[0] == "max"
    assert primitives(lines["z1"].backward) == ["gt", "broadcast_in_dim", "select_n"]
    assert lines["z1"].backward[-1].text.startswith("d(z1):f32[9,6] = select_n ")
    assert lines["z1"].backward[-1].text.endswith(" d(a1)")


def test_variables_are_named_after_lines_parameters_and_inputs() -> None:
    lines = told(SPECS["file"])
    assert lines["a"].forward[0].text == "a:f32[9,4] = tanh z"
    assert lines["z"].forward[0].text.endswith(" batch.x W1")
    # The file's own a and z keep their letters to themselves.
    assert [op.text for does in lines.values() for op in does.forward if op.text.startswith("a:")] == [
        "a:f32[9,4] = tanh z"
    ]


def test_lines_come_in_forward_order_with_what_they_read() -> None:
    lines = told(SoftmaxRegression(weight_decay=0.1))
    assert {name: does.reads for name, does in lines.items()} == {
        "W": (),
        "b": (),
        "logits": ("batch.x", "W", "b"),
        "cross_entropy": ("logits", "batch.y"),
        "penalty": ("W",),
        "loss": ("cross_entropy", "penalty"),
    }
    assert list(lines) == [line.name for line in SoftmaxRegression(weight_decay=0.1).derivation]


def forward(p: dict[str, Array], batch: Batch, c: dict[str, Array]) -> None:
    """Local variables that bypass c, a mask, a second name for one value, and a parameter that nothing reads."""
    xp = array_namespace(batch.x)
    z = batch.x @ p["W"]
    c["z"] = z
    c["same"] = z
    c["mask"] = z > 0
    c["a"] = xp.where(c["mask"], c["same"], 0.5 * z)
    c["loss"] = xp.mean((c["a"] - batch.y) ** 2)


def test_a_forward_pass_that_goes_on_with_its_own_variables() -> None:
    unused = {"param_shapes": {"W": (3, 2), "unused": (2,)}, "input_shape": 3, "target_shape": 2}
    lines = told(spec_of({**unused, "forward": forward, "backward": lambda *_: None}))
    assert (lines["same"].reads, lines["mask"].reads) == (("z",), ("same",))
    assert set(lines["a"].reads) == {"mask", "same"}
    assert lines["mask"].backward == ()
    assert lines["same"].forward == ()
    assert primitives(lines["same"].backward)[-1] == "add_any"
    assert primitives(lines["W"].backward) == ["dot_general", "transpose"]
    assert primitives(lines["unused"].backward) == ["broadcast_in_dim"]


def test_a_hand_derived_model_tells_no_operations() -> None:
    from gradparity_manual import on_jax as by_hand

    assert by_hand.model(SoftmaxRegression(), "float32").operations(*inputs(SoftmaxRegression())) == {}
