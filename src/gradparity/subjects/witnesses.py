"""What is known to be right about a model at one point: by machines, or, where none is here, by the loss itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gradparity.errors import UsageError
from gradparity.parity.budget import Budgets, error_budgets
from gradparity.parity.differences import LossMeasurement, contradiction, measure, measure_jointly, witness
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.kinks import Kinks
from gradparity.parity.norms import relative_error
from gradparity.parity.problem import in_order
from gradparity.parity.rows import DIFFERENCES
from gradparity.protocol import Array, Backend, Batch, Dtype, HandWrittenSpec, Model, ModelSpec, Params, Trace

LARGE = 2e8
"""Floating-point operations of a training step above which the differences take all parameters at once."""


@dataclass(frozen=True, eq=False)
class Evidenced:
    """What the witnesses tell, all of it NumPy in float64."""

    truths: Mapping[str, Trace]
    """Witness -> every value and gradient."""
    feel_rounding: Mapping[str, Callable[[Params, Batch], Trace]]
    """What traces the same mathematics at numbers nearby."""
    measured: Mapping[str, LossMeasurement] = field(default_factory=dict)
    """What the loss itself says along random directions."""
    remarks: tuple[str, ...] = ()
    refuted: Mapping[str, str] = field(default_factory=dict)
    """Machine -> why it derives something else than the hand-written forward pass that it was given."""

    def budgets(self, params: Params, batch: Batch, rng: np.random.Generator) -> Budgets:
        """Measure what rounding explains in float32."""
        here = {name: self.truths.get(name) or trace(params, batch) for name, trace in self.feel_rounding.items()}
        return error_budgets(self.feel_rounding, here, params, batch, rng)


def what_is_known(
    spec: ModelSpec,
    machines: Mapping[str, Model],
    by_hand: Model | None,
    params: Params,
    batch: Batch,
    kinks: Kinks,
    rng: np.random.Generator,
    differences: bool,
) -> Evidenced:
    """Ask the machines; where there are none, differences of the loss.

    Without ``differences``, machines alone are asked where there are any. Raises UsageError where there are neither
    machines nor a hand derivation on NumPy arrays.
    """
    traces = {name: model.trace(params, batch) for name, model in machines.items()}
    # What lies about shapes, or is not finite, is compared with the others, and they are not compared with it.
    honest = [name for name, trace in traces.items() if _can_be_a_witness(trace, params)]
    machines = {name: machines[name] for name in honest or machines}
    if not machines:
        return _by_differences(spec, by_hand, params, batch, kinks, rng)
    measured, refuted = {}, {}
    if by_hand is not None and by_hand.derivation is not None and differences:
        large = spec.flops(len(batch.x)) > LARGE
        measured = (measure_jointly if large else measure)(by_hand.derivation.forward, params, batch, rng, kinks)
        if isinstance(spec, HandWrittenSpec):
            refuted = _refuted({name: traces[name] for name in machines}, by_hand.loss(params, batch), measured)
    if len(refuted) == len(machines):
        return replace(_by_differences(spec, by_hand, params, batch, kinks, rng), refuted=refuted)
    machines = {name: model for name, model in machines.items() if name not in refuted}
    truths = {name: in_order(traces[name], spec) for name in machines}
    return Evidenced(truths, {name: model.trace for name, model in machines.items()}, measured, refuted=refuted)


def _refuted(traces: Mapping[str, Trace], loss: Array, measured: Mapping[str, LossMeasurement]) -> dict[str, str]:
    """Return the machines that compute the same loss and do not tell how it changes, and where."""
    by_hand = np.asarray(loss)
    alike = (name for name, trace in traces.items() if relative_error(trace.values["loss"], by_hand) <= FLOAT64_LIMIT)
    said = {name: contradiction(traces[name].gradients, measured) for name in alike}
    return {name: why for name, why in said.items() if why}


def _can_be_a_witness(trace: Trace, params: Params) -> bool:
    gradients = {name: trace.gradients.get(name) for name in params}
    return all(
        gradient is not None
        and gradient.shape == params[name].shape
        and gradient.dtype == np.float64
        and np.isfinite(gradient).all()
        for name, gradient in gradients.items()
    )


def _by_differences(
    spec: ModelSpec, by_hand: Model | None, params: Params, batch: Batch, kinks: Kinks, rng: np.random.Generator
) -> Evidenced:
    if by_hand is None or by_hand.derivation is None:
        raise UsageError(
            f"{spec.name}: there is neither a machine to differentiate it nor a forward pass on NumPy arrays to take "
            "differences of: add numpy to the backends, or run  pip install 'gradparity[jax]'"
        )
    forward, feels = by_hand.derivation.forward, {"numpy": by_hand.trace}
    if spec.flops(len(batch.x)) > LARGE:
        return Evidenced({}, feels, measure_jointly(forward, params, batch, rng, kinks))
    found = witness(forward, params, batch, rng, kinks)
    remark = (
        f"no machine is a witness here, so the loss itself is, entry by entry, by {found.method}: "
        "it tells every gradient, and not whether the forward pass is what you mean"
    )
    large = [name for name, each in found.measured.items() if each.directions]
    along = (f"along random directions only, for they are large: {', '.join(large)}",) if large else ()
    return Evidenced({DIFFERENCES: in_order(found.trace, spec)}, feels, found.measured, (remark, *along))


def model_by_hand(chosen: Sequence[Backend], models: Mapping[str, Callable[[Dtype], Model]]) -> Model | None:
    """Return the model of the first chosen backend that runs a hand derivation on NumPy arrays."""
    for backend in chosen:
        if backend.library == "numpy" and backend.differentiation == "hand":
            return models[backend.name]("float64")
    return None
