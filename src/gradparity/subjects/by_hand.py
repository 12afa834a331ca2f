"""A hand-written backward rule run on copies of its arguments: what it gives, and what it changes."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from gradparity.drawing.words import listing
from gradparity.errors import UsageError
from gradparity.protocol import Array, Dtype, in_dtype
from gradparity.subjects.arguments import Arguments, Arrays, arranged_like, as_numpy, leaves_of, name_of, outputs
from gradparity.subjects.backward_rule import none_note
from gradparity.subjects.machines import changed_in_place, in_float64, to_library


class Returned(NamedTuple):
    """What a rule gives, by path."""

    gradients: Arrays
    """A Python float for which it gives something is there."""
    none: list[str]
    """For what it gives None."""
    changes: list[str]
    """What it changes in place, in words."""


def by_hand(
    f: Callable[..., Any], vjp: Callable[..., Any], given: Arguments, upstream: Arrays, dtype: Dtype = "float64"
) -> Returned:
    """Run f, whose output says how dy is arranged, and the rule. Raises UsageError for gradients not arranged alike."""
    with in_float64() if dtype == "float64" else nullcontext():
        convert = to_library(given)

        def native(a: np.ndarray) -> Array:
            return convert(in_dtype(a, dtype))

        y = f(*given.filled({}, native))
        xs = {path: native(x) for path, x in given.floats.items()}
        made = outputs(y)
        dy = {path: convert(g.astype(as_numpy(made[path]).dtype)) for path, g in upstream.items()}
        returned = vjp(*given.filled(xs, native), arranged_like(y, dy))
    changes = [*changed_in_place(given.floats, xs)] if dtype == "float64" else []
    changes += [f"the upstream gradient of {y}" for y in changed_in_place(upstream, dy)] if dtype == "float64" else []
    gradients: Arrays = {}
    none: list[str] = []
    for name, value, gradient in zip(given.names, given.values, per_argument(vjp, given, returned), strict=True):
        known = leaves_of(name, value)
        for path, leaf in (dict.fromkeys(known) if gradient is None else leaves_of(name, gradient)).items():
            if path not in known and leaf is not None:
                raise UsageError(
                    f"{name_of(vjp)} returns a gradient of {path}, and there is no such argument: arrange the gradient "
                    f"of {name} like {name} itself, {', '.join(known)}"
                )
            if leaf is None:
                none.append(path)
            elif path in given.real or (isinstance(known[path], float) and path not in given.constant):
                gradients[path] = as_numpy(leaf)
    return Returned(gradients, none, changes)


def asked_for(given: Arguments, rule: Returned, name: str) -> tuple[Arguments, list[str]]:
    """Return the arguments whose gradient is checked, and what is to be said besides.

    A rule that returns None says that there is none: believed, unless the user said which arguments are constant.
    """
    given = given.with_real_floats([path for path in rule.gradients if path not in given.real])
    notes = [
        *given.notes,
        *(f"{name} changes {what} in place: a caller that still needs it finds other numbers" for what in rule.changes),
    ]
    without = [path for path in rule.none if path in given.real]
    if not without or given.stated:
        return given, notes
    if len(without) == len(given.real):
        raise UsageError(f"{name} must return a gradient of {listing(without)}, got None for each")
    return given.without(without), [*notes, none_note(name, without)]


def per_argument(vjp: Callable[..., Any], given: Arguments, returned: Any) -> Sequence[Any]:
    """Return one gradient, or a tree of them, for each argument. Raises UsageError for another number."""
    one_tree = len(given.names) == 1 and isinstance(given.values[0], tuple | list)
    alone = one_tree and not (isinstance(returned, tuple) and len(returned) == 1)
    gradients = returned if isinstance(returned, tuple | list) and not alone else (returned,)
    if len(gradients) != len(given.names):
        raise UsageError(
            f"{name_of(vjp)} must return one gradient per argument, ({', '.join(f'd{name}' for name in given.names)}), "
            f"got {len(gradients)}: return None for an argument without a gradient"
        )
    return gradients
