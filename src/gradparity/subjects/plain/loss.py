"""Which loss the gradients are of, and that loss as a function of changes of what the code computes on the way."""

import ast
import contextlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from gradparity.errors import UsageError, quoted
from gradparity.protocol import Array
from gradparity.subjects.plain.instrument import Source
from gradparity.subjects.plain.names import LOSSES, is_loss
from gradparity.subjects.plain.recorder import Event, Key, Observed, On
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.standin import StandIn
from gradparity.subjects.plain.unit import Leaf, Unit, scope_of
from gradparity.subjects.plain.variables import Variable, Where

T = TypeVar("T")
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


def find(recording: Recording, expression: str, where: str, *, early: bool = False) -> LossAt:
    """Choose the loss, an ``early`` one before the gradients are. Raises UsageError where there is none."""
    finished = recording.finished
    assert finished is not None
    if expression:
        return _of_expression(recording, expression)
    numbers = list(_numbers_in(finished.returned))
    values = {event.key: event.value for event in recording.events}
    there = recording.losses[: recording.early_losses if early else None]
    named = [each for each in there if any(_is_that(values[each[0]], number) for number in numbers)]
    # b2 of shape (1,) may be returned first, and is no loss.
    named = named or ([] if any(np.ndim(number) == 0 for number in numbers) else there)
    returned = next(iter(sorted(numbers, key=np.ndim)), None)
    if named:
        # What is called loss itself comes before a loss of something, and before a total of many.
        key, name, _ = ([each for each in named if each[1].rpartition(".")[2] in LOSSES] or named)[-1]
        return LossAt(name, key=key)
    if returned is None:
        raise UsageError(f"{where}: there is no loss to compare with: {HELP}{_elsewhere(recording.source)}")
    return LossAt("what is returned")


def _elsewhere(source: Source) -> str:
    """Name the first loss that is computed outside the step."""
    for tree in source.trees.values():
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for call in calls:
            if SPEAKS_OF_LOSS.search(ast.unparse(call.func)):
                return f"; elsewhere there is {ast.unparse(call)}: the same with what the step computes"
    return ""


def _of_expression(recording: Recording, expression: str) -> LossAt:
    """Find where a user's expression can be evaluated: before the gradients change anything, else at the end."""
    finished = recording.finished
    assert finished is not None
    if recording.before_gradients is not None:
        key, scope = recording.before_gradients
        with contextlib.suppress(Exception):
            if _is_number(eval(expression, dict(scope))):
                return LossAt(expression, expression, key)
    try:
        value = eval(expression, dict(finished.scope))
    except Exception as error:
        raise UsageError(
            f"--loss {expression!r} raises {type(error).__name__}: {error}; write it in the code's own names"
        ) from error
    if not _is_number(value):
        received = f"shape {np.shape(value)}" if np.ndim(value) else quoted(value)
        raise UsageError(f"--loss {expression!r} must be one number, got {received}: take the sum or mean")
    return LossAt(expression, expression)


def _is_number(value: Any) -> bool:
    return np.size(value) == 1 and np.asarray(value).dtype.kind in "biufc"


def _number_in(returned: Any) -> Any:
    """Return the loss among what is returned: the number itself, the first one of a tuple, or what is called so."""
    return next(iter(sorted(_numbers_in(returned), key=np.ndim)), None)


def _numbers_in(returned: Any) -> Iterator[Any]:
    """Yield what may be the loss among what is returned."""
    if isinstance(returned, dict):
        named = [value for name, value in returned.items() if is_loss(str(name))]
        yield from _numbers_in(named[0]) if named else ()
        return
    for value in returned if isinstance(returned, list | tuple) else (returned,):
        if isinstance(value, float | complex | np.inexact) or (
            isinstance(value, np.ndarray | StandIn) and value.size == 1 and value.dtype.kind in "fc"
        ):
            yield value


def _is_that(value: np.ndarray, number: Any) -> bool:
    return bool(np.isclose(float(np.ravel(value)[0]), float(np.real(np.ravel(number)[0])), 1e-12))


@dataclass(eq=False)
class LossOf:
    """The loss as a function of changes of variables, by label: what ``probed`` and ``measure`` ask."""

    unit: Unit
    source: Source
    at: LossAt
    recording: Recording
    labels: Mapping[str, Variable]

    def comes_after(self, variable: Variable) -> bool:
        """Whether the loss may depend on a variable: not where it is computed once the loss is known."""
        return variable.given or self.at.key is None or variable.where in self._before

    @cached_property
    def _before(self) -> set[Key]:
        """Everything that is written until the loss is known."""
        seen: set[Key] = set()

        def on(event: Event) -> Any:
            seen.add(event.key)
            if event.key == self.at.key:
                raise _Known(self._value_at(event))
            return event.value

        self._run(on, self.unit.fresh({}))
        return seen

    def require_number(self, where: str) -> None:
        """Raise UsageError where nothing can be compared with it."""
        value = self({})
        if not np.isfinite(value):
            raise UsageError(f"{where}: the loss, {self.at.said}, is {value:g} at these numbers: give it others")
        again = self({})
        if again != value:
            raise UsageError(
                f"{where}: the loss, {self.at.said}, is another one in each run, {value:.6g} and {again:.6g}: give "
                "what is random in it a seed"
            )

    def is_moved_by(self, keys: Collection[Key]) -> bool:
        """Whether the loss is computed from what is written at these places."""

        def on(event: Event) -> Any:
            if event.key == self.at.key:
                raise _Known(self._value_at(event))
            return event.value * 1.25 + 0.25 if event.key in keys else event.value

        return bool(self._run(on, self.unit.fresh({})) != self({}))

    def __call__(self, change: Mapping[str, Array]) -> Array:
        """Run the forward pass with these changes. Raises what the code raises."""
        variables = {label: self.labels[label] for label in change}
        leaves = {v.where: change[label] for label, v in variables.items() if v.given}
        deltas = {v.where: change[label] for label, v in variables.items() if not v.given}
        return self._run(self._moving(deltas, lambda delta, value: value + delta), self.unit.fresh(leaves))

    def tapped(self, tap: Callable[[Variable, Any], Any], instead: Mapping[Leaf, Any]) -> Any:
        """Run the forward pass on other arrays, and go on at each variable with what ``tap`` returns for it.

        Raises what the code raises.
        """
        computed = {v.where: v for v in self.recording.variables if not v.given}
        return self._run(self._moving(computed, tap), self.unit.with_arrays(instead))

    def _moving(self, moved: Mapping[Where, T], how: Callable[[T, Any], Any]) -> On:
        """Return what gives some variables another value, under all their names."""
        swapped: dict[int, tuple[Any, Any]] = {}

        def on(event: Event) -> Any:
            value = event.value
            if event.key in moved:
                value = how(moved[event.key], value)
                if event.site.how != "arg":  # one use alone: others of the same array are not changed
                    swapped[id(event.value)] = event.value, value
            elif event.key in self.recording.aliases and id(value) in swapped:
                value = swapped[id(value)][1]
            if event.key == self.at.key:
                raise _Known(self._value_at(event, value))
            return value

        return on

    def _value_at(self, event: Event, value: Any = None) -> Any:
        if self.at.expression:
            return eval(self.at.expression, scope_of(event.frame))
        return event.value if value is None else value

    def _run(self, on: On, roots: dict[str, Any]) -> Any:
        try:
            finished = self.unit.run_on(roots, Observed(self.source, on, until_loss=True))
        except _Known as known:
            return np.ravel(known.value)[0]
        if self.at.expression:
            return np.ravel(eval(self.at.expression, dict(finished.scope)))[0]
        found = _number_in(finished.returned)
        return np.nan if found is None else np.ravel(found)[0]
