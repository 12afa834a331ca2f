"""From a module, class, instance or namespace to a UserModel: every declaration is read once and checked."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from numbers import Integral
from typing import Any

from gradparity.errors import UsageError, did_you_mean, quoted, raised
from gradparity.protocol import HandDerivation
from gradparity.subjects.model_file.failures import explain_exception, explaining
from gradparity.subjects.model_file.model import UserModel
from gradparity.subjects.model_file.source import FileSource, code_of, definition, source_of

REQUIRED = ("param_shapes", "input_shape", "forward", "backward")
SUSPENDED = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
OPTIONAL = ("num_classes", "target_shape", "init", "example_batch")


def adopt(thing: Any, source: FileSource | None = None) -> UserModel:
    """Take ``thing``'s attributes (or entries, where it is a mapping) as a model.

    They are ``param_shapes`` (name -> shape), ``input_shape`` (of one example), ``num_classes`` (labels) or
    ``target_shape`` (real targets), ``forward(p, batch, c)``, ``backward(p, batch, c, d)``, and optionally
    ``init(rng)`` and ``example_batch(rng, n)``. A class is instantiated. Raises UsageError, with the line in the
    user's file, for what is missing or is not what it should be.
    """
    source = source or (FileSource("model", None) if isinstance(thing, Mapping) else source_of(thing))
    thing = _instance(thing, source) if inspect.isclass(thing) else thing
    there = _declared(thing, source)
    labels, targets = there.get("num_classes"), there.get("target_shape")
    if (labels is None) == (targets is None):
        found = "neither" if labels is None else "both"
        raise UsageError(
            f"{source.at('num_classes')}: a model has either num_classes (integer labels) or target_shape (real "
            f"targets), got {found}: {'add' if labels is None else 'keep'} one of the two"
        )
    return UserModel(
        name=source.name,
        param_shapes=_param_shapes(there["param_shapes"], source),
        input_shape=_shape("input_shape", there["input_shape"], source),
        num_classes=None if labels is None else _count(labels, source),
        target_shape=None if targets is None else _shape("target_shape", targets, source),
        hand=HandDerivation(
            _function("forward", there["forward"], "p, batch, c", source),
            _function("backward", there["backward"], "p, batch, c, d", source),
        ),
        own_init=_optional("init", there, "rng", source),
        own_example_batch=_optional("example_batch", there, "rng, n", source),
    )


def _instance(cls: type, source: FileSource) -> Any:
    try:
        # A class that is not written in Python may show no signature: making one will tell.
        with suppress(ValueError):
            inspect.signature(cls).bind()
    except TypeError as error:
        raise UsageError(
            f"{source.at()}: class {cls.__name__} must be made without arguments, {error}: give each a default, "
            "or make an instance in the file and name that"
        ) from None
    try:
        return cls()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise explain_exception(error, cls, f"making a {cls.__name__}") from error


def _declared(thing: Any, source: FileSource) -> dict[str, Any]:
    """Return those of the names that a model may have which ``thing`` has; raise where a required one is missing."""
    names = list(thing) if isinstance(thing, Mapping) else [name for name in dir(thing) if not name.startswith("_")]
    for name in REQUIRED:
        if name not in names:
            meant = did_you_mean(name, [other for other in names if other not in (*REQUIRED, *OPTIONAL)])
            raise UsageError(
                f"{source.at()}: '{name}' is missing: a model needs {', '.join(REQUIRED)}, and num_classes or "
                f"target_shape{meant}"
            )
    return {name: _read(thing, name, source) for name in (*REQUIRED, *OPTIONAL) if name in names}


def _read(thing: Any, name: str, source: FileSource) -> Any:
    try:
        return thing[name] if isinstance(thing, Mapping) else getattr(thing, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a property is a user's code
        raise UsageError(f"{source.at(name)}: reading {name} raised {raised(error)}") from error


def _param_shapes(value: Any, source: FileSource) -> dict[str, tuple[int, ...]]:
    place = source.at("param_shapes")
    if not isinstance(value, Mapping) or not value:
        raise UsageError(
            f"{place}: param_shapes must be a dict from parameter name to shape, got {quoted(value)}: write it as "
            "{'W': (7, 5), 'b': (5,)}"
        )
    for name in value:
        if not isinstance(name, str) or name == "loss":
            raise UsageError(f"{place}: a parameter's name is a word other than 'loss', got {quoted(name)}: rename it")
    return {name: _shape(f"param_shapes['{name}']", shape, source) for name, shape in value.items()}


def _shape(name: str, value: Any, source: FileSource) -> tuple[int, ...]:
    sizes = tuple(value) if isinstance(value, tuple | list) else (value,)
    if all(_is_size(size) for size in sizes):
        return tuple(int(size) for size in sizes)
    shape = getattr(value, "shape", None)
    fix = f"write its shape, {tuple(shape)}" if shape is not None else "write it as 7 or (7, 5)"
    raise UsageError(
        f"{source.at(name.partition('[')[0])}: {name} must be a whole number of at least 1 or a tuple of them, "
        f"got {quoted(value)}: {fix}"
    )


def _count(value: Any, source: FileSource) -> int:
    if not _is_size(value):
        raise UsageError(
            f"{source.at('num_classes')}: num_classes must be a whole number of at least 1, got {quoted(value)}: "
            "for real targets use target_shape"
        )
    return int(value)


def _is_size(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def _function(name: str, value: Any, parameters: str, source: FileSource) -> Callable[..., Any]:
    """Return the function such that whatever it raises is explained. ``parameters`` is what it must take."""
    if not callable(value):
        raise UsageError(
            f"{source.at(name)}: {name} must be a function of ({parameters}), got {quoted(value)}: write  "
            f"def {name}({parameters}):"
        )
    code = code_of(value) or code_of(type(value).__call__)
    if code is not None and code.co_flags & SUSPENDED:
        raise UsageError(
            f"{definition(value)}: {name} must run when it is called, got one that waits or yields: write  "
            f"def {name}({parameters}):  without async and without yield"
        )
    try:
        signature = inspect.signature(value)
    except ValueError:  # a function that is not written in Python shows none: the first call will tell
        return explaining(value, name)
    try:
        signature.bind(*parameters.split(", "))
    except TypeError:
        fix = f"write  def {name}({parameters}):" + (", in a class with self first" if source.scope else "")
        raise UsageError(f"{definition(value)}: {name} must take ({parameters}), got {signature}: {fix}") from None
    return explaining(value, name)


def _optional(name: str, there: Mapping[str, Any], parameters: str, source: FileSource) -> Callable[..., Any] | None:
    return _function(name, there[name], parameters, source) if there.get(name) is not None else None
