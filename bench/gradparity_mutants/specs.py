"""The models whose derivations are mutated. A new model adds its spec here, with each setting that adds a line."""

from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import ModelSpec

SPECS: dict[str, ModelSpec] = {
    "softmax_regression": SoftmaxRegression(),
    "softmax_regression, decayed": SoftmaxRegression(weight_decay=0.3),
    "mlp, relu": MLP(),
    "mlp, tanh": MLP(activation="tanh"),
    "mlp, squared error": MLP(
        activation="sigmoid", output_activation="tanh", loss="squared_error", reduction="half-sum"
    ),
}
