"""Forward passes as one writes them in MLX. A name is told through ``tap``, which a trace differentiates at."""

import math
from collections.abc import Callable

import mlx.core as mx

from gradparity.errors import unknown
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Batch, ModelSpec
from gradparity.runtime import ModelFunctions

Tap = Callable[[str, mx.array], mx.array]
Params = dict[str, mx.array]


def silent(_: str, value: mx.array) -> mx.array:
    """Outside a trace nothing is told."""
    return value


def cross_entropy(logits: mx.array, y: mx.array) -> mx.array:
    """−log softmax(logits)[y] of each example."""
    shifted = logits - mx.stop_gradient(mx.max(logits, axis=1, keepdims=True))
    # Not logsumexp: MLX 0.32's exp in float64 is right to 8 digits only, on a CPU, and its power to all 16.
    e = mx.array(math.e, dtype=logits.dtype)
    log_sum = mx.log(mx.sum(mx.power(e, shifted), axis=1))
    return log_sum - mx.take_along_axis(shifted, y[:, None], axis=1)[:, 0]


def softmax_regression(spec: SoftmaxRegression, p: Params, x: mx.array, tap: Tap) -> mx.array:
    """The logits of softmax regression."""
    return tap("logits", x @ p["W"] + p["b"])


def mlp(spec: MLP, p: Params, x: mx.array, tap: Tap) -> mx.array:
    """The outputs of a multilayer perceptron with ReLU or tanh between its layers."""
    activation = {"relu": lambda z: mx.maximum(z, 0), "tanh": mx.tanh}[spec.activation]
    layers = len(spec.widths) - 1
    for k in range(1, layers + 1):
        x = tap(f"z{k}", x @ p[f"W{k}"] + p[f"b{k}"])
        x = tap(f"a{k}", activation(x) if k < layers else x)
    return x


MODELS: dict[str, tuple[ModelSpec, Callable[..., mx.array]]] = {
    "softmax_regression": (SoftmaxRegression(), softmax_regression),
    "mlp": (MLP(), mlp),
}
"""Name -> a spec of the plain kind that is derived here, and its outputs."""
SIZES = ("features", "classes", "widths")


def functions(spec: ModelSpec) -> ModelFunctions:
    """Return a model's mathematics. Raises UsageError for a model, or a setting of one, that is not written here."""
    plain, outputs = MODELS.get(spec.name, (None, None))
    settings = {name: value for name, value in vars(spec).items() if name not in SIZES and not name.startswith("init")}
    if plain is None or any(vars(plain).get(name) != value for name, value in settings.items()):
        raise unknown("model of backend 'mlx' with these settings", spec.name, MODELS)

    def loss(p: Params, batch: Batch, tap: Tap = silent) -> mx.array:
        return tap("loss", mx.mean(cross_entropy(outputs(spec, p, batch.x, tap), batch.y)))

    def value_and_grad(p: Params, batch: Batch) -> tuple[mx.array, Params]:
        return mx.value_and_grad(lambda own: loss(own, batch))(dict(p))

    def trace(p: Params, batch: Batch) -> tuple[Params, Params]:
        values: Params = {}

        def tell(name: str, value: mx.array) -> mx.array:
            values[name] = value
            return value

        loss(p, batch, tell)
        probes = {name: mx.zeros_like(value) for name, value in values.items()}

        def probed(own: Params, added: Params) -> mx.array:
            return loss(own, batch, lambda name, value: value + added[name])

        _, (of_params, of_values) = mx.value_and_grad(probed, argnums=(0, 1))(dict(p), probes)
        return values, {**of_params, **of_values}

    return ModelFunctions(value_and_grad, loss, lambda p, x: outputs(spec, p, x, silent), trace)
