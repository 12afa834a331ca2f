"""Plain code differentiated by a machine: its own forward lines, run on JAX's or PyTorch's arrays.

It is posed as a model with a hand-written forward, which every registered machine differentiates as it does others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity import registry
from gradparity.parity import derivative
from gradparity.parity.norms import relative_error, usual_size
from gradparity.protocol import Batch, HandDerivation, Model
from gradparity.subjects.model_file.model import UserModel
from gradparity.subjects.plain.loss import LossOf
from gradparity.subjects.plain.standin import StandIn, stand_in_for
from gradparity.subjects.plain.variables import Variable

SAME = 1e-9
"""The largest relative difference between what the code computes on NumPy's arrays and on a library's."""
NEAR = 1e-6
"""The same, of what the loss itself changes by along a direction."""
DUMMY = Batch(np.zeros((1, 1)), np.zeros((1, 1)))
"""The code has its own examples; of the batch it takes only whose arrays these are."""


@dataclass(frozen=True, eq=False)
class Machine:
    """A library that has run the code, and what it says of the variables."""

    name: str
    gradients: Mapping[int, np.ndarray]
    """The number of a variable -> its gradient."""


def machine_of(loss: LossOf) -> Machine | None:
    """Return the first machine on whose arrays the code runs and is itself, PyTorch before JAX, which compiles."""
    for name in reversed(registry.DEFAULT):
        found = registry.availability(name).backend
        if found is not None and found.differentiation == "machine":
            try:
                return _asked(name, found.model(as_model(loss), "float64"), loss)
            except Exception:  # a function that the library has not, an array that leaves it
                continue
    return None


def as_model(loss: LossOf, called: Mapping[int, str] | None = None) -> UserModel:
    """Pose the code as a model: its parameters are the real arrays that it starts from, its lines its variables.

    ``called`` gives variables other names than their numbers; those that it leaves out are not named at all.
    """
    names = {v.number: str(v.number) for v in loss.recording.variables} if called is None else called
    given = {names[v.number]: v for v in loss.recording.variables if _enters(v) and v.number in names}

    def forward(params: Mapping[str, Any], batch: Batch, c: Any) -> None:
        def tapped(variable: Variable, value: Any) -> Any:
            own = stand_in_for(value, batch.x) if isinstance(value, np.ndarray) and value.ndim else value
            if not isinstance(own, StandIn):
                return value
            name = names.get(variable.number)
            if name is None:
                return value
            # One use of a value is a value of its own.
            c[name] = own.native if variable.original is None else (own * 1.0).native
            return StandIn(c[name])

        hooks = loss.unit.hooks
        hooks.library = batch.x
        try:
            c["loss"] = loss.tapped(tapped, {v.where: StandIn(params[name]) for name, v in given.items()}).native
        finally:
            hooks.library = None

    return UserModel(
        name=loss.unit.name,
        param_shapes={name: v.value.shape for name, v in given.items()},
        input_shape=(1,),
        num_classes=None,
        target_shape=(1,),
        hand=HandDerivation(forward, lambda *_: None),
    )


def params_of(loss: LossOf, called: Mapping[int, str] | None = None) -> dict[str, np.ndarray]:
    """Return the numbers that the code starts from."""
    entering = (v for v in loss.recording.variables if _enters(v))
    return {str(v.number) if called is None else called[v.number]: v.value for v in entering}


def _asked(name: str, model: Model, loss: LossOf) -> Machine | None:
    """Ask a machine for every gradient; None where it computes something else than NumPy does, or derives it wrong."""
    variables = {str(v.number): v for v in loss.recording.variables}
    trace = model.trace(params_of(loss), DUMMY)
    own = {"loss": np.asarray(loss({})), **{label: v.value for label, v in variables.items()}}
    if not all(_same(value, own[label]) for label, value in trace.values.items()):
        return None
    gradients = {label: g for label, g in trace.gradients.items() if label in variables}
    if not all(np.isfinite(g).all() for g in gradients.values()) or not _as_the_loss_says(loss, gradients):
        return None
    return Machine(name, {variables[label].number: g for label, g in gradients.items()})


def _same(value: np.ndarray, own: np.ndarray) -> bool:
    """Whether two arrays are one but for rounding; -inf, as where a mask is, is itself."""
    finite = np.isfinite(own)
    alike = value.shape == own.shape and np.array_equal(value[~finite], own[~finite], equal_nan=True)
    return alike and relative_error(value[finite], own[finite]) <= SAME


def _enters(variable: Variable) -> bool:
    return variable.given and bool(np.isfinite(variable.value).all())


def _as_the_loss_says(loss: LossOf, gradients: Mapping[str, np.ndarray]) -> bool:
    """Whether the loss changes as predicted where everything changes at once; nothing is said at a kink."""
    rng = np.random.default_rng(0)
    v = {
        label: rng.normal(size=g.shape) * usual_size(loss.labels[label].value) for label, g in sorted(gradients.items())
    }

    def along(t: float) -> float:
        return float(loss({label: t * each for label, each in v.items()}))

    found = derivative.measured(along, along(0.0), derivative.noise(along))
    predicted = sum(float(np.vdot(g, v[label])) for label, g in gradients.items())
    return found is None or abs(found.derivative - predicted) <= found.accuracy + NEAR * abs(predicted)
