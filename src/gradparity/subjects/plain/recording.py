"""A first run of the code: which names it writes, which of them are gradients, and whose."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TypeAlias

import numpy as np

from gradparity.subjects.plain.instrument import Site, Source
from gradparity.subjects.plain.names import ELEMENT, PART, abbreviates, is_gradient_like, is_loss, may_update, owners
from gradparity.subjects.plain.recorder import Event, Key, Observed, is_real, is_users
from gradparity.subjects.plain.unit import Finished, Leaf, Unit, arrays, is_object, scope_of, written

Where: TypeAlias = "Key | Leaf"
"""An event's key, or the steps to what the code was given."""


@dataclass(frozen=True, eq=False)
class Variable:
    """A real value of the forward pass: what a gradient can be taken with respect to."""

    number: int
    where: Where
    name: str
    place: tuple[str, int]
    """File and line; line 0 for what the code was given."""
    value: np.ndarray
    """A copy."""
    original: "Variable | None" = None
    """What this is one use of, where a function was given it."""

    @property
    def is_input(self) -> bool:
        """Whether the code was given it, or this is a use of such."""
        return self.given if self.original is None else self.original.is_input

    @property
    def given(self) -> bool:
        """Whether the code was given it, and did not compute it."""
        return not self.place[1]


@dataclass(eq=False)
class Written:
    """One writing of a name that is not, or need not be, of the forward pass."""

    key: Key
    name: str
    site: Site
    order: int
    value: np.ndarray
    """A copy."""
    of: Variable | None
    """Whose gradient it is by its name; None where nothing of that name is there."""
    frame: int
    """Which call it happened in."""


@dataclass(eq=False)
class Recording:
    """What happened in one run."""

    source: Source
    extra: Mapping[str, str]
    """What the user says of names that say nothing: ``{"delta": "z"}``."""
    forwards: Mapping[str, str] = field(default_factory=dict)
    """Backward function -> the forward function that it belongs to."""
    variables: list[Variable] = field(default_factory=list)
    events: list[Written] = field(default_factory=list)
    """Gradients by their names, and everything that is written besides, in order."""
    losses: list[tuple[Key, str, Site]] = field(default_factory=list)
    aliases: dict[Key, int] = field(default_factory=dict)
    """Events that only give another name to a variable -> its number."""
    finished: Finished | None = None
    before_gradients: tuple[Key, dict[str, Any]] | None = None
    """Where the first gradient is written, and every name there."""
    _function: str = ""
    _returns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _gradients: dict[int, Any] = field(default_factory=dict)
    """What was written to the name of a gradient: to return it is not to write it again."""
    _made: dict[int, tuple[Any, int]] = field(default_factory=dict)
    """Containers, and the call that made each: a cache tells which call a backward pass belongs to."""
    _uses: dict[tuple[int, int], Variable] = field(default_factory=dict)
    """A call and a variable that it was given -> that use of it alone."""
    _calls: dict[tuple[int, str], list[tuple[int, Variable]]] = field(default_factory=dict)
    """An object and a forward method -> each call of it, and the use of its first argument there."""
    _made_in: dict[int, tuple[int, str]] = field(default_factory=dict)
    """A variable's number -> the call that computed it, and the function."""
    _nameless: dict[int, tuple[Any, Written]] = field(default_factory=dict)
    """What has the name of a gradient, of nothing that is there."""
    _known: dict[int, tuple[Any, Variable]] = field(default_factory=dict)
    """Keeps what it knows alive: an identity is then never given twice."""
    _history: dict[tuple[int, str], list[Variable]] = field(default_factory=dict)
    _frames: list[FrameType] = field(default_factory=list)

    def run(self, unit: Unit) -> "Recording":
        """Run the unit once. Raises what the code raises."""
        roots = unit.fresh({})
        for leaf, value in arrays(roots):
            if is_real(value):
                self._add(leaf, written(leaf), (unit.file, 0), value)
        self._returns, self._function = unit.returns_gradients_of, unit.name
        before = dict(unit.roots)
        self.finished = unit.run_on(roots, Observed(self.source, self._on, held=self._hold))
        unit.keep_unchanged(before, roots)
        self._each_call_its_share()
        self._frames.clear()
        self._known.clear()
        self._gradients.clear()
        self._made.clear()
        self._calls.clear()
        self._nameless.clear()
        return self

    def _each_call_its_share(self) -> None:
        """Pair what a function computes of its argument with that one use of it, where it is called several times."""
        sites = self.source.sites
        calls = Counter((sites[use.where[0]].function, number) for (_, number), use in self._uses.items())
        for writing in self.events:
            use = self._uses.get((writing.frame, writing.of.number)) if writing.of is not None else None
            if use is not None and calls[sites[use.where[0]].function, use.original.number] > 1:  # type: ignore[union-attr]
                writing.of = use

    def versions(self, variable: Variable, *names: str) -> list[Variable]:
        """Return the values that its name, or one of these, had in one call, of which this is one, in order."""
        called = (*names, variable.name)
        lists = (known for (_, name), known in self._history.items() if name in called and variable in known)
        return next(lists, [variable])

    def _on(self, event: Event) -> Any:
        value = event.value
        if np.iscomplexobj(value):
            return value
        known = self._known.get(id(value))
        afresh = event.site.how not in ("+=", "*=", "mask") and event.site.target and not _partly(event)
        frame = self._number(event.frame)
        if event.site.how == "arg" and known is not None:
            self._alias(event.key, known[1], frame, event.name)
            if not event.key[2] and (frame, known[1].number) not in self._uses:
                use = Variable(len(self.variables), event.key, event.name, event.place, known[1].value, known[1])
                self.variables.append(use)
                self._uses[frame, known[1].number] = use
                self._note_call(event, frame, use)
            return value
        of = self._owner(event) if event.site.how not in ("part", "arg") else None
        if self.before_gradients is None and event.site.how == "=" and (of is not None or is_gradient_like(event.name)):
            self.before_gradients = event.key, scope_of(event.frame)
        again = event.site.how == "return" or bool(event.key[2]) or (of is None and event.site.how == "=")
        if again and id(value) in self._gradients:
            return value
        if of is None and known is not None and afresh:
            self._alias(event.key, known[1], frame, event.name)
            return value
        if of is not None:
            self._gradients[id(value)] = value
        copied = np.array(value, dtype=np.float64)
        order = len(self.variables) + len(self.events)
        if event.site.how == "return" and of is not None and id(value) in self._nameless:
            self._nameless[id(value)][1].of = of  # it is returned where this argument's gradient belongs
            return value
        if event.site.how not in ("part", "arg"):
            self.events.append(Written(event.key, event.name, event.site, order, copied, of, frame))
            if of is None and is_gradient_like(event.name):
                self._nameless[id(value)] = value, self.events[-1]
        if of is None and event.site.how != "return":
            variable = self._add(event.key, event.name, event.place, value, copied)
            self._made_in[variable.number] = frame, event.site.function
            self._history.setdefault((frame, event.name), []).append(variable)
        if copied.size == 1 and is_loss(event.name):
            self.losses.append((event.key, event.name, event.site))
        return value

    def _hold(self, container: Any, frame: FrameType) -> None:
        self._made.setdefault(id(container), (container, self._number(frame)))

    def _use(self, frame: FrameType, variable: Variable, of: str) -> Variable:
        """Return the use of a variable in the call that made the cache which this call has, if it has one."""
        local = list(frame.f_locals.values())
        own = [each for value in local if is_object(value) for each in vars(value).values()]
        for value in (*local, *own):
            if isinstance(value, dict | list | tuple) and id(value) in self._made:
                use = self._uses.get((self._made[id(value)][1], variable.number))
                if use is not None and use.name == of and self._made[id(value)][1] != self._number(frame):
                    return use
        return variable

    def _add(
        self, where: Where, name: str, place: tuple[str, int], value: Any, copied: np.ndarray | None = None
    ) -> Variable:
        own = np.array(value, dtype=np.float64) if copied is None else copied
        variable = Variable(len(self.variables), where, name, place, own)
        self.variables.append(variable)
        self._known[id(value)] = (value, variable)
        return variable

    def _alias(self, key: Key, variable: Variable, frame: int, name: str) -> None:
        self.aliases[key] = variable.number
        versions = self._history.setdefault((frame, name), [])
        if variable not in versions:
            versions.append(variable)

    def _number(self, frame: FrameType) -> int:
        for number in range(len(self._frames) - 1, -1, -1):
            if self._frames[number] is frame:
                return number
        self._frames.append(frame)
        return len(self._frames) - 1

    def _owner(self, event: Event) -> Variable | None:
        """Find what the name says that it is the gradient of, among what the code has now."""
        if event.site.how == "return":
            return self._returned_for(event)
        names = list(owners(event.name, self.extra))
        used = self._arguments_of_its_forward(event)
        for of in names:
            if of in used and used[of].value.shape == np.shape(event.value):
                return used[of]
            for value, near in _meant(event.frame, of, event.site):
                known = self._known.get(id(value))
                fits = near or np.shape(value) == np.shape(event.value)
                if known is not None and fits and not (value is event.value and (event.site.at or event.key[2])):
                    return self._use(event.frame, known[1], of)
        return self._updated(event) or self._abbreviated(event, names)

    def _updated(self, event: Event) -> Variable | None:
        """Find what a multiple of this name is subtracted from: W -= rate * grad."""
        target = self.source.updates.get((event.site.file, event.name), "")
        if not target or not may_update(event.name):
            return None
        return self._alike(event, (value for value, _ in _meant(event.frame, target, event.site)))

    def _abbreviated(self, event: Event, names: Sequence[str]) -> Variable | None:
        """Find the one thing of this shape whose name the name shortens: nabla_w[1], weights[1]."""
        for of in names:
            found = {v.number: v for v in self._all_alike(event, _with_longer_names(event.frame, of))}
            if len(found) == 1:
                return next(iter(found.values()))
        return None

    def _alike(self, event: Event, values: Iterable[Any]) -> Variable | None:
        return next(self._all_alike(event, values), None)

    def _all_alike(self, event: Event, values: Iterable[Any]) -> Iterator[Variable]:
        """Yield the variables among some values that have the shape of what was written."""
        for value in values:
            known = self._known.get(id(value))
            if known is not None and value is not event.value and known[1].value.shape == np.shape(event.value):
                yield known[1]

    def _note_call(self, event: Event, frame: int, use: Variable) -> None:
        """Remember what a forward method was given first: its backward method returns the gradient of that."""
        function = event.site.function
        if function in self.forwards.values() and "." in function:
            calls = self._calls.setdefault((_owner_of_method(event.frame), function), [])
            if not calls or calls[-1][0] != frame:
                calls.append((frame, use))

    def _arguments_of_its_forward(self, event: Event) -> dict[str, Variable]:
        """Return what the call of the forward function was given, by name, whose results this backward has."""
        forward = self.forwards.get(event.site.function)
        if forward is None or "." in forward:
            return {}
        known = (self._known.get(id(value)) for value in event.frame.f_locals.values())
        made = [self._made_in.get(each[1].number, (0, "")) for each in known if each is not None]
        frames = {frame for frame, function in made if function == forward}
        return {use.name: use for (frame, _), use in self._uses.items() if len(frames) == 1 and frame in frames}

    def _returned_for(self, event: Event) -> Variable | None:
        """Find whose gradient something without a name is, by its key in what is returned, or by its place."""
        place = _place_in(event.key)
        keys = [step for step in place if isinstance(step, str)]
        candidates = list(owners(keys[-1], self.extra)) if keys else []
        if keys and event.site.function == self._function and id(event.value) not in self._known:
            candidates.append(keys[-1])
        arguments = self._returns.get(event.site.function, ())
        position = place[0] if place and isinstance(place[0], int) else 0
        if not keys and len(place) <= 1 and position < len(arguments):
            return next((v for v in self.variables if v.given and v.where == (arguments[position],)), None)
        found = (value for of in candidates for value, _ in _meant(event.frame, of, event.site))
        named = next((self._known[id(value)][1] for value in found if id(value) in self._known), None)
        calls = self._calls.get((_owner_of_method(event.frame), self.forwards.get(event.site.function, "")), [])
        # Layers are gone through backwards, so it is the last call that was not answered yet.
        use = calls.pop()[1] if calls and place in ((), (0,)) else None
        fits = use is not None and use.value.shape == np.shape(event.value)
        return named or (use if fits else None)


def _place_in(key: Key) -> tuple[Any, ...]:
    """Return the steps to a value within what was written at once: ["[1]", "['W']"] as (1, 'W')."""
    return tuple(ast.literal_eval(step) for step in re.findall(r"\[(\d+|'[^']*')\]", key[2]))


def _owner_of_method(frame: FrameType) -> int:
    """Return the identity of a method's object, its first argument."""
    return id(next(iter(frame.f_locals.values()), None))


def _with_longer_names(frame: FrameType, short: str) -> Iterator[Any]:
    """Yield what has a name that another one shortens, among a call's own, in its dictionaries and its objects."""
    element = ELEMENT.match(short)
    stem = (element["root"] if element else short).rpartition(".")[2]
    for names in [frame.f_locals, *(_names_below(value) for value in list(frame.f_locals.values()))]:
        for name, value in list(names.items()):
            if isinstance(name, str) and abbreviates(stem, name):
                yield from _element(value, int(element["index"])) if element else (value,)


def _names_below(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else vars(value) if is_object(value) else {}


def _partly(event: Event) -> bool:
    """Whether an array was written in part, ``out[n, i] = …``."""
    return bool(event.site.at) and event.name == event.site.target


def _meant(frame: FrameType | None, of: str, site: Site) -> Iterator[tuple[Any, bool]]:
    """Yield what this name means, in the call that is running, which is near, and then in those that called it."""
    near = True
    while frame is not None and is_users(frame):
        names = frame.f_locals
        yield from ((value, near) for value in _in_scope(names, of, site))
        if names is not frame.f_globals:
            yield from ((value, near) for value in _in_scope(frame.f_globals, of, site, exact=True))
        frame, near = frame.f_back, False


def _in_scope(names: Mapping[str, Any], of: str, site: Site, exact: bool = False) -> Iterator[Any]:
    element = ELEMENT.match(of)
    if element:
        for held in _in_scope(names, element["root"], site):
            yield from _element(held, int(element["index"]))
        return
    part = PART.match(of)
    if part:
        for held in _in_scope(names, part["root"], site):
            yield from _element(held, part["key"])
        return
    first, _, rest = of.partition(".")
    if first in names:
        value = names[first]
        for attribute in rest.split(".") if rest else ():
            value = getattr(value, attribute, None)
        yield value
    if exact or rest:
        return
    for holder in list(names.values()):
        yield from _held(holder, of)
    # dh in a loop over t, beside hs[t].
    for step in names.values():
        if isinstance(step, int) and f"{of}s" in names:
            yield from _element(names[f"{of}s"], step)


def _held(holder: Any, of: str, depth: int = 0) -> Iterator[Any]:
    """Yield what a dictionary or an object of the user's has under this name: params['W'], self.W."""
    if isinstance(holder, dict):
        yield from _element(holder, of)
        nested: Any = holder.values()
    elif hasattr(holder, "__dict__") and not callable(holder) and not hasattr(holder, "__path__"):
        attributes = vars(holder)
        if of in attributes:
            yield attributes[of]
        nested = attributes.values()
    else:
        return
    for each in list(nested) if depth < 2 else ():
        if isinstance(each, dict):
            yield from _held(each, of, depth + 1)


def _element(container: Any, step: Any) -> Iterator[Any]:
    try:
        yield container[step]
    except (LookupError, TypeError, IndexError):
        return
