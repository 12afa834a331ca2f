"""A first run of the code: which names it writes, which of them are gradients, and whose."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.subjects.plain.instrument import Site, Source
from gradparity.subjects.plain.names import is_gradient_like, is_loss
from gradparity.subjects.plain.owning import Known
from gradparity.subjects.plain.recorder import Event, Key, Observed, is_real
from gradparity.subjects.plain.unit import Finished, Unit, arrays, scope_of, written
from gradparity.subjects.plain.variables import Variable, Where, Writing

MANY = 30_000
"""Values from which on a run is no step, but a whole training."""


@dataclass(eq=False)
class Recording:
    """What happened in one run."""

    source: Source
    extra: Mapping[str, str]
    """What the user says of names that say nothing: ``{"delta": "z"}``."""
    forwards: Mapping[str, str] = field(default_factory=dict)
    """Backward function -> the forward function that it belongs to."""
    variables: list[Variable] = field(default_factory=list)
    events: list[Writing] = field(default_factory=list)
    """Gradients by their names, and everything that is written besides, in order."""
    losses: list[tuple[Key, str, Site]] = field(default_factory=list)
    local: set[tuple[int, str]] = field(default_factory=set)
    """Calls and names of local derivatives, which are no gradients of the loss."""
    aliases: dict[Key, int] = field(default_factory=dict)
    """Events that only give another name to a variable -> its number."""
    reached: frozenset[int] = frozenset()
    """Sites that the run came to."""
    finished: Finished | None = None
    before_gradients: tuple[Key, dict[str, Any]] | None = None
    """Where the first gradient is written, and every name there."""
    early_losses: int = 0
    """How many of the losses are known there."""
    _gradients: dict[int, tuple[Any, Variable, int]] = field(default_factory=dict)
    """What was written to the name of a gradient, of what, and in which call: to return it is not to write it again."""
    _nameless: dict[int, tuple[Any, Writing]] = field(default_factory=dict)
    """What has the name of a gradient, of nothing that is there."""
    _known: Known = field(init=False)
    _history: dict[tuple[int, str], list[Variable]] = field(default_factory=dict)

    def run(self, unit: Unit) -> "Recording":
        """Run the unit once. Raises what the code raises."""
        known = Known(self.source, self.extra, self.forwards, self.variables, unit.name, unit.returns_gradients_of)
        self._known = known
        roots = unit.fresh({})
        for leaf, value in arrays(roots):
            if is_real(value) and not np.iscomplexobj(value):
                self._add(leaf, written(leaf), (unit.file, 0), value)
        before = dict(unit.roots)
        observed = Observed(self.source, self._on, held=known.hold)
        self.finished = unit.run_on(roots, observed)
        self.reached = frozenset(observed.reached)
        unit.keep_unchanged(before, roots)
        self._each_call_its_share()
        del self._known
        self._gradients.clear()
        self._nameless.clear()
        return self

    def _each_call_its_share(self) -> None:
        """Pair what a function computes of its argument with that one use of it, where it is called several times."""
        sites = self.source.sites
        calls = Counter((sites[use.where[0]].function, number) for (_, number), use in self._known.uses.items())
        for writing in self.events:
            use = self._known.uses.get((writing.frame, writing.of.number)) if writing.of is not None else None
            if use is not None and calls[sites[use.where[0]].function, use.original.number] > 1:  # type: ignore[union-attr]
                writing.of = use

    def versions(self, variable: Variable, *names: str) -> list[Variable]:
        """Return the values that its name, or one of these, had in one call, of which this is one, in order."""
        called = (*names, variable.name)
        lists = (known for (_, name), known in self._history.items() if name in called and variable in known)
        return next(lists, [variable])

    def returns(self, writing: Writing) -> bool:
        """Whether the unit hands back what was written."""
        returned = self.finished.returned if self.finished is not None else None
        return any(np.array_equal(value, writing.value) for _, value in arrays({"": returned}))

    def _on(self, event: Event) -> Any:
        value = event.value
        if np.iscomplexobj(value):
            return value
        known = self._known.values.get(id(value))
        afresh = event.site.how not in ("+=", "*=", "mask") and event.site.target and not _partly(event)
        frame = self._known.number(event.frame)
        if event.site.how == "arg" and known is not None:
            self._given(event, known[1], frame)
            return value
        of = self._known.owner(event) if event.site.how not in ("part", "arg") else None
        if of is not None and self._known.is_local(event, frame, of):
            of = None
            self.local.add((frame, event.name))
        if self.before_gradients is None and event.site.how == "=" and (of is not None or is_gradient_like(event.name)):
            self.before_gradients = event.key, scope_of(event.frame)
            self.early_losses = len(self.losses)
        again = event.site.how == "return" or bool(event.key[2]) or (of is None and event.site.how == "=")
        if again and id(value) in self._gradients and not self._handed_on(event, of, frame):
            return value
        if of is None and known is not None and afresh:
            self._alias(event.key, known[1], frame, event.name)
            return value
        if of is not None:
            self._gradients[id(value)] = value, of, frame
        copied = np.array(value, dtype=np.float64)
        order = len(self.variables) + len(self.events)
        if event.site.how == "return" and of is not None and id(value) in self._nameless:
            self._nameless.pop(id(value))[1].of = of  # it is returned where this argument's gradient belongs
            return value
        if event.site.how not in ("part", "arg"):
            self.events.append(Writing(event.key, event.name, event.site, order, copied, of, frame))
            if of is None and is_gradient_like(event.name):
                self._nameless[id(value)] = value, self.events[-1]
        if of is None and event.site.how != "return":
            variable = self._add(event.key, event.name, event.place, value, copied)
            self._known.made_in[variable.number] = frame, event.site.function
            self._history.setdefault((frame, event.name), []).append(variable)
        if copied.size == 1 and is_loss(event.name):
            self.losses.append((event.key, event.name, event.site))
        return value

    def _handed_on(self, event: Event, of: Variable | None, frame: int) -> bool:
        """Whether a layer returns the gradient that it was given, of its output, as that of its input."""
        _, known, where = self._gradients[id(event.value)]
        return event.site.how == "return" and of is not None and frame != where and of.source is not known.source

    def _given(self, event: Event, variable: Variable, frame: int) -> None:
        """A function is given what is known already: one use of it."""
        self._alias(event.key, variable, frame, event.name)
        if not event.key[2] and (frame, variable.number) not in self._known.uses:
            use = Variable(len(self.variables), event.key, event.name, event.place, variable.value, variable)
            self.variables.append(use)
            self._known.uses[frame, variable.number] = use
            self._known.note_call(event, frame, use)

    def _add(
        self, where: Where, name: str, place: tuple[str, int], value: Any, copied: np.ndarray | None = None
    ) -> Variable:
        if len(self.variables) == MANY:
            raise UsageError(
                f"{self._known.function} computes more than {MANY:,} values: check the function or loop of one step "
                "in it; or give it fewer examples"
            )
        own = np.array(value, dtype=np.float64) if copied is None else copied
        base = self._known.values.get(id(getattr(value, "base", None)))
        is_part = base is not None and base[1].given
        variable = Variable(len(self.variables), where, name, place, own, is_part_of_given=is_part)
        self.variables.append(variable)
        self._known.values[id(value)] = (value, variable)
        return variable

    def _alias(self, key: Key, variable: Variable, frame: int, name: str) -> None:
        self.aliases[key] = variable.number
        versions = self._history.setdefault((frame, name), [])
        if variable not in versions:
            versions.append(variable)


def _partly(event: Event) -> bool:
    """Whether an array was written in part, ``out[n, i] = …``."""
    return bool(event.site.at) and event.name == event.site.target
