"""Which node of autograd's graph receives each line's gradient, and which ones compute it."""

from pathlib import Path

import numpy as np
import torch

from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Batch, ModelSpec, Operations
from gradparity.runtime import TellsOperations
from gradparity.subjects.specs import spec_of
from gradparity_torch import autodiff, backend

FILE = Path(__file__).parents[2] / "docs" / "examples" / "my_model.py"


def inputs(spec: ModelSpec) -> tuple[dict[str, np.ndarray], Batch]:
    rng = np.random.default_rng(3)
    return {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}, spec.example_batch(rng, 9)


def told(spec: ModelSpec) -> dict[str, Operations]:
    model = backend.model(spec, "float64")
    assert isinstance(model, TellsOperations)
    return dict(model.operations(*inputs(spec)))


def receivers(spec: ModelSpec) -> dict[str, str]:
    return {name: does.receiver for name, does in told(spec).items()}


def test_the_nodes_of_softmax_regression() -> None:
    assert receivers(SoftmaxRegression(weight_decay=0.1)) == {
        "W": "AccumulateGrad",
        "b": "AccumulateGrad",
        "logits": "AddmmBackward0",
        "cross_entropy": "NllLossBackward0",
        "penalty": "MulBackward0",
        "loss": "AddBackward0",
    }
    lines = told(SoftmaxRegression(weight_decay=0.1))
    assert lines["loss"].passes_to == ("NllLossBackward0 (cross_entropy)", "MulBackward0 (penalty)")
    assert lines["logits"].passes_to == ("AccumulateGrad (b)", "AccumulateGrad (W)")
    assert [node.text for node in lines["logits"].backward] == ["NllLossBackward0", "LogSoftmaxBackward0"]
    assert [node.text for node in lines["W"].backward][-1] == "AddmmBackward0"
    assert lines["cross_entropy"].reads == ("logits",)
    assert lines["penalty"].reads == ("W",)


def test_the_nodes_of_each_activation_and_loss() -> None:
    named = {"relu": "ReluBackward0", "tanh": "TanhBackward0", "sigmoid": "SigmoidBackward0"}
    for activation, node in named.items():
        found = receivers(MLP(activation=activation, loss="squared_error"))  # type: ignore[arg-type]
        assert (found["z1"], found["a1"], found["loss"]) == ("AddmmBackward0", node, "DivBackward0")


def test_a_second_name_for_one_value_shows_the_node_that_is_really_there() -> None:
    lines = told(MLP())
    assert lines["a3"].receiver == lines["z3"].receiver == "AddmmBackward0"
    assert (lines["a3"].reads, lines["loss"].reads) == (("z3",), ("a3",))
    assert lines["z3"].backward == ()


def test_every_node_of_a_users_graph_stands_at_a_line() -> None:
    spec = spec_of(FILE)
    params, batch = inputs(spec)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    model_loss = autodiff.functions(spec).loss
    assert model_loss is not None
    loss = model_loss(leaves, Batch(torch.tensor(batch.x), torch.tensor(batch.y)))
    nodes, waiting = set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node not in nodes:
            nodes.add(node)
            waiting += [following for following, _ in node.next_functions if following is not None]
    computing = {node.name() for node in nodes} - {"torch::autograd::AccumulateGrad"}
    lines = told(spec)
    operations = {(node.position, node.text) for does in lines.values() for node in does.backward}
    assert {text for _, text in operations} == computing
    assert len(operations) == len(nodes) - len(params)
    assert lines["a"].receiver == "TanhBackward0"


def test_a_value_that_no_parameter_goes_into_has_no_node() -> None:
    def forward(p, batch, c):  # type: ignore[no-untyped-def]
        c["scaled"] = batch.x * 2
        c["loss"] = ((c["scaled"] @ p["W"] - batch.y) ** 2).mean()

    shapes = {"param_shapes": {"W": (3, 2)}, "input_shape": 3, "target_shape": 2}
    lines = told(spec_of({**shapes, "forward": forward, "backward": lambda *_: None}))
    assert (lines["scaled"].receiver, lines["scaled"].passes_to, lines["scaled"].backward) == ("", (), ())
