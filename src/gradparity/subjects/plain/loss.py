"""Which loss the gradients are of, and that loss as a function of changes of what the code computes on the way."""

import ast
import contextlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.protocol import Array
from gradparity.subjects.plain.instrument import Source
from gradparity.subjects.plain.names import LOSSES, is_loss
from gradparity.subjects.plain.recorder import Event, Key, Observed, On
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.unit import Leaf, Unit, scope_of
from gradparity.subjects.plain.variables import Variable

SPEAKS_OF_LOSS = re.compile(r"(?i)(?:loss|cost|entropy|objective|mse)(?!\w*\.append)\w*$")
HELP = "return it, call a variable loss, or add --loss 'expression' in the function's own names"


@dataclass(frozen=True)
class LossAt:
    """Where the loss is found: an expression in the scope at the end, what a name held, or what is returned."""

    said: str
    """As a sentence calls it."""
    expression: str = ""
    key: Key | None = None
    """Where it is known: of an expression, where the first gradient is written; None where only the end knows."""


class _Known(BaseException):
    """The loss is known: what comes after it need not run."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def find(recording: Recording, expression: str) -> LossAt:
    """Choose the loss. Raises UsageError where there is none."""
    finished = recording.finished
    assert finished is not None
    if expression:
        return _of_expression(recording, expression)
    returned = _number_in(finished.returned)
    values = {event.key: event.value for event in recording.events}
    named = [
        (key, name, site)
        for key, name, site in recording.losses
        if returned is None or np.isclose(float(np.ravel(values[key])[0]), float(np.real(np.ravel(returned)[0])), 1e-12)
    ] or (recording.losses if returned is None else [])
    if named:
        # What is called loss itself comes before a loss of something, and before a total of many.
        key, name, _ = ([each for each in named if each[1].rpartition(".")[2] in LOSSES] or named)[-1]
        return LossAt(name, key=key)
    if returned is None:
        raise UsageError(f"there is no loss to compare with: {HELP}{_elsewhere(recording.source)}")
    return LossAt("what is returned")


def _elsewhere(source: Source) -> str:
    """Name the first loss that is computed outside the step."""
    for tree in source.trees.values():
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for call in calls:
            if SPEAKS_OF_LOSS.search(ast.unparse(call.func)):
                return f"; line {call.lineno} has {ast.unparse(call)}: the same with what the step computes"
    return ""


def _of_expression(recording: Recording, expression: str) -> LossAt:
    """Find where a user's expression can be evaluated: before the gradients change anything, else at the end."""
    finished = recording.finished
    assert finished is not None
    if recording.before_gradients is not None:
        key, scope = recording.before_gradients
        with contextlib.suppress(Exception):
            if np.size(eval(expression, dict(scope))) == 1:
                return LossAt(expression, expression, key)
    try:
        value = eval(expression, dict(finished.scope))
    except Exception as error:
        raise UsageError(
            f"--loss {expression!r} raises {type(error).__name__}: {error}; write it in the code's own names"
        ) from error
    if np.size(value) != 1:
        raise UsageError(f"--loss {expression!r} must be one number, got shape {np.shape(value)}: take the sum or mean")
    return LossAt(expression, expression)


def _number_in(returned: Any) -> Any:
    """Return the loss among what is returned: the number itself, the first one of a tuple, or what is called so."""
    if isinstance(returned, dict):
        named = [value for name, value in returned.items() if is_loss(str(name))]
        return _number_in(named[0]) if named else None
    for value in returned if isinstance(returned, list | tuple) else (returned,):
        if isinstance(value, float | complex | np.inexact) or (
            isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "fc"
        ):
            return value
    return None


@dataclass(eq=False)
class LossOf:
    """The loss as a function of changes of variables, by label: what ``probed`` and ``measure`` ask."""

    unit: Unit
    source: Source
    at: LossAt
    recording: Recording
    labels: Mapping[str, Variable]
    _swapped: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    def is_moved_by(self, keys: Collection[Key]) -> bool:
        """Whether the loss is computed from what is written at these places."""

        def on(event: Event) -> Any:
            if event.key == self.at.key:
                raise _Known(self._value_at(event))
            return event.value * 1.25 + 0.25 if event.key in keys else event.value

        return bool(self._run(on, {}) != self({}))

    def __call__(self, change: Mapping[str, Array]) -> Array:
        """Run the forward pass with these changes. Raises what the code raises."""
        variables = {label: self.labels[label] for label in change}
        leaves = {v.where: change[label] for label, v in variables.items() if v.given}
        deltas = {v.where: change[label] for label, v in variables.items() if not v.given}
        self._swapped.clear()

        def on(event: Event) -> Any:
            value = event.value
            if event.key in deltas:
                value = value + deltas[event.key]
                if event.site.how != "arg":  # one use alone: others of the same array are not changed
                    self._swapped[id(event.value)] = event.value, value
            elif event.key in self.recording.aliases and id(value) in self._swapped:
                value = self._swapped[id(value)][1]
            if event.key == self.at.key:
                raise _Known(self._value_at(event, value))
            return value

        return self._run(on, leaves)

    def _value_at(self, event: Event, value: Any = None) -> Any:
        if self.at.expression:
            return eval(self.at.expression, scope_of(event.frame))
        return event.value if value is None else value

    def _run(self, on: On, leaves: Mapping[Leaf, Array]) -> Array:
        try:
            finished = self.unit.run(Observed(self.source, on, until_loss=True), leaves)
        except _Known as known:
            return np.ravel(known.value)[0]
        if self.at.expression:
            return np.ravel(eval(self.at.expression, dict(finished.scope)))[0]
        found = _number_in(finished.returned)
        return np.nan if found is None else np.ravel(found)[0]
