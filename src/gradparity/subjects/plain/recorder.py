"""What rewritten code calls at each of its lines, and how one run of it is observed."""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from gradparity.protocol import Array
from gradparity.subjects.plain.hooked import HOOKS
from gradparity.subjects.plain.instrument import Site, Source
from gradparity.subjects.plain.standin import StandIn, made_by

Key: TypeAlias = tuple[int, int, str]
"""A site, how often it has been reached before, and the place within what is written there."""

DEEP = 4
"""Containers within containers that are looked into."""


class Event(NamedTuple):
    """A real array, or a number, that gets a name."""

    key: Key
    name: str
    """With the index that it was written at: ``hs[3]``, ``grads['W']``."""
    value: Any
    site: Site
    frame: FrameType

    @property
    def place(self) -> tuple[str, int]:
        """File and line."""
        return self.site.file, self.site.line


On: TypeAlias = Callable[[Event], Any]
"""Is told an event, and returns the value that the code goes on with."""


class Stop(BaseException):
    """Ends the user's code from inside: no ``except Exception`` of theirs holds it up."""


class Observed:
    """One run: every event is counted and handed on."""

    def __init__(
        self,
        source: Source,
        on: On,
        *,
        held: Callable[[Any, FrameType], None] | None = None,
        until_loss: bool = False,
    ) -> None:
        self._source = source
        self._held = held
        self.until_loss = until_loss
        """Whether nothing after the loss is wanted."""
        self._on = on
        self.reached: Counter[int] = Counter()
        """How often each site was."""

    def see(self, number: int, value: Any, frame: FrameType, index: str = "") -> Any:
        """Hand on what is written at a site: an array, a number, or what a container holds."""
        site = self._source.sites[number]
        nth = self.reached[number]
        self.reached[number] += 1
        if self._held is not None and isinstance(value, dict | list | tuple):
            self._held(value, frame)
        return self._walk((number, nth, ""), f"{site.target}{index}", value, site, frame)

    def _walk(self, key: Key, name: str, value: Any, site: Site, frame: FrameType, depth: int = 0) -> Any:
        if type(value) is float:
            value = np.float64(value)  # an object of its own, where Python may share one
        if is_real(value):
            return self._on(Event(key, name, value, site, frame))
        if not isinstance(value, dict | list | tuple) or depth == DEEP:
            return value
        number, nth, path = key
        made = {}
        for step, each in list(value.items() if isinstance(value, dict) else enumerate(value)):
            inner = f"{path}[{step!r}]"
            new = self._walk((number, nth, inner), f"{name}[{step!r}]", each, site, frame, depth + 1)
            if new is not each:
                made[step] = new
        return with_changed(value, made) if made else value


def with_changed(container: Any, changed: dict[Any, Any]) -> Any:
    """Put other values at some places of a container: in place where it allows that."""
    if not isinstance(container, tuple):
        for step, new in changed.items():
            container[step] = new
        return container
    values = [changed.get(i, each) for i, each in enumerate(container)]
    return type(container)(*values) if hasattr(container, "_fields") else tuple(values)


def is_real(value: Any) -> bool:
    """Whether a value is a real number or an array of such; complex ones are real ones on their way along a step."""
    if isinstance(value, np.ndarray | StandIn):
        return value.dtype.kind in "fc"
    return isinstance(value, float | complex | np.inexact)


class _Index:
    def __getitem__(self, index: Any) -> Any:
        return index


class Hooks:
    """What rewritten modules know as ``__gradparity__``. Without an observer nothing happens."""

    index = _Index()

    def __init__(self) -> None:
        self.observer: Observed | None = None
        self.entries: dict[int, Callable[[FrameType], None]] = {}
        """What happens where a function is entered, or a loop's body."""
        self.ended: Callable[[FrameType, Any], None] | None = None
        """Is told what each function returns."""
        self.library: Array | None = None
        """An array of the library that answers for NumPy, if one does."""
        self.guards: set[tuple[str, int, float]] = set()
        """File, line and value of each small number that was added to something."""
        self.guards_times = 1.0
        """What they are multiplied by: they may be made so small that they are lost."""

    def entered(self, site: int) -> None:
        """A function begins."""
        if site in self.entries:
            self.entries[site](_users_frame())

    def block(self, number: int) -> None:
        """A pass through a loop begins."""
        if ~number in self.entries:
            self.entries[~number](_users_frame())

    def line(self, site: int, value: Any) -> Any:
        """A name was written."""
        return value if self.observer is None else self.observer.see(site, value, _users_frame())

    part = line

    def item(self, site: int, base: Any, index: Any) -> None:
        """An element of a container was written, or a part of an array."""
        if self.observer is None:
            return
        frame = _users_frame()
        if isinstance(base, np.ndarray | StandIn):
            new = self.observer.see(site, base, frame)
            if new is not base and new.shape == base.shape:
                base[...] = new
            return
        try:
            if isinstance(index, int) and index < 0:
                index += len(base)
            value = base[index]
        except (TypeError, LookupError):
            return
        new = self.observer.see(site, value, frame, f"[{plain(index)!r}]")
        if new is not value:
            base[index] = new

    def leave(self, site: int, value: Any) -> Any:
        """A function returns."""
        if self.observer is None:
            return value
        frame = _users_frame()
        value = self.observer.see(site, value, frame)
        if self.ended is not None:
            self.ended(frame, value)
        return value

    def real(self, value: Any) -> Any:
        """Make a float of a value, as Python does; what is complex is on its way along a step."""
        if isinstance(value, StandIn):
            return value.item()
        return np.ravel(value)[0] if np.iscomplexobj(value) and np.size(value) == 1 else float(value)

    def making(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what makes arrays in the place of a function of NumPy's."""
        its = getattr(np, getattr(function, "__name__", ""), None) is function
        return function if self.library is None or not its else made_by(function, self.library)

    def guard(self, file: str, line: int, value: float) -> float:
        """Return what is added to keep something from zero."""
        self.guards.add((file, line, value))
        return value * self.guards_times

    def stop(self) -> None:
        """A block returns from the function that it was in."""
        raise Stop


def _users_frame() -> FrameType:
    """Return the frame of the rewritten code that is running."""
    frame = sys._getframe(1)
    while not is_users(frame) and frame.f_back is not None:  # type checkers put wrappers between
        frame = frame.f_back
    return frame


def plain(index: Any) -> Any:
    """Write an index as Python's own number where it is NumPy's."""
    return index.item() if isinstance(index, np.generic) else index


def is_users(frame: FrameType) -> bool:
    """Whether a frame runs rewritten code."""
    return HOOKS in frame.f_globals
