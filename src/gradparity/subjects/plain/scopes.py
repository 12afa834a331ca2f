"""What a name means where user's code runs: in its call, its dictionaries and objects, and in what called it."""

from collections.abc import Iterator, Mapping
from types import FrameType, FunctionType, ModuleType
from typing import Any

from gradparity.subjects.plain.names import ELEMENT, PART, abbreviates
from gradparity.subjects.plain.recorder import is_users
from gradparity.subjects.plain.unit import is_object


def meant(frame: FrameType | None, of: str) -> Iterator[tuple[Any, bool]]:
    """Yield what this name means, in the call that is running, which is near, and then in those that called it."""
    near = True
    while frame is not None and is_users(frame):
        names = frame.f_locals
        yield from ((value, near) for value in _in_scope(names, of))
        if names is not frame.f_globals:
            yield from ((value, near) for value in _in_scope(frame.f_globals, of, exact=True))
        frame, near = frame.f_back, False


def _in_scope(names: Mapping[str, Any], of: str, exact: bool = False) -> Iterator[Any]:
    element = ELEMENT.match(of)
    if element:
        for held in _in_scope(names, element["root"]):
            yield from _element(held, int(element["index"]))
        return
    part = PART.match(of)
    if part:
        for held in _in_scope(names, part["root"]):
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
    # dh in a loop over t, beside h[t] or hs[t]: what the loop counts has got its name last.
    for each in (of, f"{of}s"):
        if isinstance(names.get(each), dict | list | tuple):
            yield from (
                v
                for step in reversed(list(names.values()))
                if isinstance(step, int)
                for v in _element(names[each], step)
            )


def _held(holder: Any, of: str, depth: int = 0) -> Iterator[Any]:
    """Yield what a dictionary or an object of the user's has under this name: params['W'], self.W."""
    if isinstance(holder, dict):
        yield from _element(holder, of)
        nested: Any = holder.values()
    elif hasattr(holder, "__dict__") and not isinstance(holder, type | FunctionType | ModuleType):
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


def own_object(frame: FrameType) -> int:
    """Return the identity of a method's object, its first argument."""
    return id(next(iter(frame.f_locals.values()), None))


def with_longer_names(frame: FrameType, short: str) -> Iterator[Any]:
    """Yield what has a name that another one shortens, among a call's own, in its dictionaries and its objects.

    So are the elements of a list Ws for W.
    """
    element = ELEMENT.match(short)
    stem = (element["root"] if element else short).rpartition(".")[2]
    for names in [frame.f_locals, *(_names_below(value) for value in list(frame.f_locals.values()))]:
        for name, value in list(names.items()):
            if isinstance(value, list | tuple) and name == f"{stem}s" and not element:
                yield from value
            elif isinstance(name, str) and abbreviates(stem, name):
                yield from _element(value, int(element["index"])) if element else (value,)


def _names_below(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else vars(value) if is_object(value) else {}
