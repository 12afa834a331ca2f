"""From a hand derivation to a model's functions, on arrays of any library."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from array_api_compat import array_namespace

from gradparity.models import module_of
from gradparity.protocol import Array, Batch, HandDerivation, HandWrittenSpec, Key, ModelSpec, Params
from gradparity.recording import Gradients, stacked
from gradparity.runtime import ModelFunctions


def functions(spec: ModelSpec) -> ModelFunctions:
    """Return the functions of the spec's hand derivation: the spec's own, or that of its model's file.

    Raises UsageError when there is neither.
    """
    if isinstance(spec, HandWrittenSpec):
        return _functions(spec.hand, None)
    module = module_of(spec, "gradparity_manual")
    hand = HandDerivation(partial(module.forward, spec), partial(module.backward, spec))
    return _functions(hand, lambda params, x, *extras: module.predict(spec, params, x, {}, *extras))


def _functions(hand: HandDerivation, predict: Callable[..., Array] | None) -> ModelFunctions:
    def loss(params: Params, batch: Batch) -> Array:
        c: dict[str, Array] = {}
        hand.forward(params, batch, c)
        return c["loss"]

    def derive(params: Params, batch: Batch) -> tuple[dict[Key, Array], Gradients]:
        c: dict[Key, Array] = {}
        d = Gradients(loss=1.0)
        hand.forward(params, batch, c)
        hand.backward(params, batch, c, d)
        return c, d

    def value_and_grad(params: Params, batch: Batch) -> tuple[Array, dict[str, Array]]:
        c, d = derive(params, batch)
        return c["loss"], {name: d[name] for name in params}

    def trace(params: Params, batch: Batch) -> tuple[dict[str, Array], dict[str, Array]]:
        c: dict[Key, Array] = {}
        hand.forward(params, batch, c)
        d = Gradients(loss=array_namespace(c["loss"]).ones_like(c["loss"]))
        hand.backward(params, batch, c, d)
        return stacked(c), stacked(d)

    def observing(names: Collection[str]) -> Callable[[Params, Batch], Any]:
        def with_values(params: Params, batch: Batch) -> tuple[Array, dict[str, Array], Params]:
            c, d = derive(params, batch)
            return c["loss"], {name: d[name] for name in params}, {name: c[name] for name in names}

        return with_values

    return ModelFunctions(value_and_grad, loss, predict, trace, hand, observing=observing)
