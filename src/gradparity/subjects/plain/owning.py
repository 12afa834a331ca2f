"""Whose gradient it is that is written: by its name, by what it updates, by the layer that returns it."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from gradparity.subjects.plain.instrument import Source
from gradparity.subjects.plain.names import (
    is_derivative,
    is_generic,
    is_gradient_like,
    is_loss,
    is_target,
    may_update,
    owners,
)
from gradparity.subjects.plain.recorder import Event, Key
from gradparity.subjects.plain.scopes import meant, own_object, with_longer_names
from gradparity.subjects.plain.unit import is_object
from gradparity.subjects.plain.variables import Variable


@dataclass(eq=False)
class Known:
    """What a run has shown so far."""

    source: Source
    extra: Mapping[str, str]
    """What the user says of names that say nothing."""
    forwards: Mapping[str, str]
    """Backward function -> the forward function that it belongs to."""
    variables: list[Variable]
    function: str = ""
    """What is run."""
    returns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Function -> the arguments whose gradients it returns, in their order."""
    values: dict[int, tuple[Any, Variable]] = field(default_factory=dict)
    """Keeps what it knows alive: an identity is then never given twice."""
    frames: list[FrameType] = field(default_factory=list)
    made: dict[int, tuple[Any, int]] = field(default_factory=dict)
    """Containers, and the call that made each: a cache tells which call a backward pass belongs to."""
    uses: dict[tuple[int, int], Variable] = field(default_factory=dict)
    """A call and a variable that it was given -> that use of it alone."""
    calls: dict[tuple[int, str], list[tuple[int, Variable]]] = field(default_factory=dict)
    """An object and a forward method -> each call of it, and the use of its first argument there."""
    made_in: dict[int, tuple[int, str]] = field(default_factory=dict)
    """A variable's number -> the call that computed it, and the function."""

    def number(self, frame: FrameType) -> int:
        """Return which call a frame is of."""
        for number in range(len(self.frames) - 1, -1, -1):
            if self.frames[number] is frame:
                return number
        self.frames.append(frame)
        return len(self.frames) - 1

    def hold(self, container: Any, frame: FrameType) -> None:
        """Remember which call a container was made in."""
        self.made.setdefault(id(container), (container, self.number(frame)))

    def owner(self, event: Event) -> Variable | None:
        """Find what the name says that it is the gradient of, among what the code has now."""
        if event.site.how == "return":
            return self._returned_for(event)
        names = list(owners(event.name, self.extra))
        used = self._arguments_of_its_forward(event)
        for of in names:
            if of in used and used[of].value.shape == np.shape(event.value):
                return used[of]
            for value, near in meant(event.frame, of):
                known = self.values.get(id(value))
                # loss_grad may be what the loss hands on, and has its own shape only where it is ∂L/∂loss.
                fits = (near and not is_loss(of)) or np.shape(value) == np.shape(event.value)
                if known is not None and fits and not (value is event.value and (event.site.at or event.key[2])):
                    return self._use(event.frame, known[1], of)
        return self._updated(event) or self._abbreviated(event, names) or self._by_shape(event)

    def _updated(self, event: Event) -> Variable | None:
        """Find what a multiple of this name is subtracted from: W -= rate * grad."""
        target = self.source.updates.get((event.site.file, event.name), "")
        if not target or not may_update(event.name):
            return None
        return self._alike(event, (value for value, _ in meant(event.frame, target)))

    def _abbreviated(self, event: Event, names: Sequence[str]) -> Variable | None:
        """Find the one thing of this shape whose name the name shortens: nabla_w[1], weights[1]."""
        for of in names:
            found = {v.number: v for v in self._all_alike(event, with_longer_names(event.frame, of))}
            if len(found) == 1:
                return next(iter(found.values()))
        return None

    def _by_shape(self, event: Event) -> Variable | None:
        """Find the one argument of this shape that a function has, for what it calls grad and no more."""
        frame = self.number(event.frame)
        uses = [use for (call, _), use in self.uses.items() if call == frame and not is_gradient_like(use.name)]
        alike = (use for use in uses if use.value.shape == np.shape(event.value) and use.value.ndim)
        fitting = [use for use in alike if not is_target(use.name)]
        return fitting[0] if is_generic(event.name) and len(fitting) == 1 else None

    def _alike(self, event: Event, values: Iterable[Any]) -> Variable | None:
        return next(self._all_alike(event, values), None)

    def _all_alike(self, event: Event, values: Iterable[Any]) -> Iterator[Variable]:
        """Yield the variables among some values that have the shape of what was written."""
        for value in values:
            known = self.values.get(id(value))
            if known is not None and value is not event.value and known[1].value.shape == np.shape(event.value):
                yield known[1]

    def note_call(self, event: Event, frame: int, use: Variable) -> None:
        """Remember what a forward method was given first: its backward method returns the gradient of that."""
        function = event.site.function
        if function in self.forwards.values() and "." in function:
            calls = self.calls.setdefault((own_object(event.frame), function), [])
            if not calls or calls[-1][0] != frame:
                calls.append((frame, use))

    def _arguments_of_its_forward(self, event: Event) -> dict[str, Variable]:
        """Return what the call of the forward function was given, by name, whose results this backward has."""
        forward = self.forwards.get(event.site.function)
        if forward is None or "." in forward:
            return {}
        known = (self.values.get(id(value)) for value in event.frame.f_locals.values())
        made = [self.made_in.get(each[1].number, (0, "")) for each in known if each is not None]
        frames = Counter(frame for frame, function in made if function == forward).most_common(1)
        return {use.name: use for (frame, _), use in self.uses.items() if frames and frame == frames[0][0]}

    def _returned_for(self, event: Event) -> Variable | None:
        """Find whose gradient something without a name is, by its key in what is returned, or by its place."""
        place = _place_in(event.key)
        keys = [step for step in place if isinstance(step, str)]
        candidates = list(owners(keys[-1], self.extra)) if keys else []
        if keys and event.site.function == self.function and id(event.value) not in self.values:
            candidates.append(keys[-1])
        arguments = self.returns.get(event.site.function, ())
        position = place[0] if place and isinstance(place[0], int) else 0
        if not keys and len(place) <= 1 and position < len(arguments):
            return next((v for v in self.variables if v.given and v.where == (arguments[position],)), None)
        found = (value for of in candidates for value, _ in meant(event.frame, of))
        named = next((self.values[id(value)][1] for value in found if id(value) in self.values), None)
        calls = self.calls.get((own_object(event.frame), self.forwards.get(event.site.function, "")), [])
        # Layers are gone through backwards, so it is the last call that was not answered yet.
        use = calls.pop()[1] if calls and place in ((), (0,)) else None
        fits = use is not None and use.value.shape == np.shape(event.value)
        return named or (use if fits else None)

    def is_local(self, event: Event, frame: int, of: Variable) -> bool:
        """Whether it is a local derivative, as def dsigmoid(x) returns it: entry by entry, of the one array it has."""
        own = [use for (call, _), use in self.uses.items() if call == frame and use.value.ndim]
        alone = len(own) == 1 and (of is own[0] or of is own[0].original)
        return alone and event.site.entrywise and is_derivative(event.site.function)

    def _use(self, frame: FrameType, variable: Variable, of: str) -> Variable:
        """Return the use of a variable in the call that made the cache which this call has, if it has one."""
        local = list(frame.f_locals.values())
        own = [each for value in local if is_object(value) for each in vars(value).values()]
        for value in (*local, *own):
            if isinstance(value, dict | list | tuple) and id(value) in self.made:
                use = self.uses.get((self.made[id(value)][1], variable.number))
                if use is not None and use.name == of and self.made[id(value)][1] != self.number(frame):
                    return use
        return variable


def _place_in(key: Key) -> tuple[Any, ...]:
    """Return the steps to a value within what was written at once: ["[1]", "['W']"] as (1, 'W')."""
    return tuple(ast.literal_eval(step) for step in re.findall(r"\[(\d+|'[^']*')\]", key[2]))
