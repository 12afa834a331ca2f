"""The specs of the built-in models: what each computes, in no framework."""

from gradparity.errors import unknown
from gradparity.models.mlp import MLP
from gradparity.models.softmax_regression import SoftmaxRegression

MODELS: dict[str, type[SoftmaxRegression] | type[MLP]] = {"softmax_regression": SoftmaxRegression, "mlp": MLP}
"""Model name -> spec class."""


def require_model(name: str) -> type[SoftmaxRegression] | type[MLP]:
    """Return the spec class of a model. Raises UsageError where there is none of that name."""
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    return MODELS[name]


__all__ = ["MLP", "MODELS", "SoftmaxRegression", "require_model"]
