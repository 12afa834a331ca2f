"""From a hand derivation to a model's functions, on arrays of any library."""

from collections.abc import Callable
from functools import partial
from typing import Any

from array_api_compat import array_namespace

from gradparity.errors import UsageError
from gradparity.models import module_of
from gradparity.protocol import (
    Array,
    Batch,
    HandDerivation,
    HandWrittenSpec,
    ModelFunctions,
    ModelSpec,
    Params,
)
from gradparity.recording import Gradients


def functions(spec: ModelSpec) -> ModelFunctions:
    """Return the functions of the spec's hand derivation: the spec's own, or that of its model's file.

    Raises UsageError when there is neither.
    """
    if isinstance(spec, HandWrittenSpec):
        return _functions(spec.hand, _no_predict)
    module = module_of(spec, "gradparity_manual")
    hand = HandDerivation(partial(module.forward, spec), partial(module.backward, spec))
    return _functions(hand, lambda params, x: module.predict(spec, params, x, {}))


def _functions(hand: HandDerivation, predict: Callable[[Params, Array], Array]) -> ModelFunctions:
    def loss(params: Params, batch: Batch) -> Array:
        c: dict[str, Array] = {}
        hand.forward(params, batch, c)
        return c["loss"]

    def value_and_grad(params: Params, batch: Batch) -> tuple[Array, dict[str, Array]]:
        c: dict[str, Array] = {}
        d = Gradients(loss=1.0)
        hand.forward(params, batch, c)
        hand.backward(params, batch, c, d)
        return c["loss"], {name: d[name] for name in params}

    def trace(params: Params, batch: Batch) -> tuple[dict[str, Array], dict[str, Array]]:
        c: dict[str, Array] = {}
        hand.forward(params, batch, c)
        d = Gradients(loss=array_namespace(c["loss"]).ones_like(c["loss"]))
        hand.backward(params, batch, c, d)
        return c, d

    return ModelFunctions(loss, value_and_grad, predict, trace, hand)


def _no_predict(params: Params, x: Any) -> Array:  # noqa: ARG001
    raise UsageError("a hand-written model has no predict: its forward needs the targets as well")
