"""Numbers at which no mistake hides: weights that start at zero, or all alike, are given random ones.

With w = 0 a penalty's gradient is zero whatever its factor is, and with gamma = 1 nobody sees that gamma is missing.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from gradparity.subjects.plain.instrument import Source
from gradparity.subjects.plain.names import is_target, owners
from gradparity.subjects.plain.recorder import Event, Observed
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.unit import Leaf, Unit, arrays, at, put, written
from gradparity.subjects.plain.variables import Variable

SPREAD = 0.1
"""About as large as the weights that people draw."""


def stirred(unit: Unit, source: Source, targets: Iterable[Variable | None], seed: int) -> list[str]:
    """Give what the code was given, and has gradients of, other numbers where all were alike; return what was changed.

    What the code does not run with is left as it was.
    """
    rng = np.random.default_rng(seed)
    usual = _without_number(unit, source)
    given = {v.source.where: v.source for v in targets if v is not None}
    moved = []
    for leaf, variable in given.items():
        value = variable.value
        if not variable.given or not value.size or (value.any() if value.size == 1 else np.ptp(value) > 0):
            continue
        old = at(unit.roots, leaf)
        before = np.array(old) if isinstance(old, np.ndarray) else old
        put(unit.roots, leaf, old + SPREAD * rng.normal(size=np.shape(old))[()])
        if _without_number(unit, source) <= usual:
            moved.append(written(leaf))
        else:
            put(unit.roots, leaf, before)
    return moved


def make_real(unit: Unit, recording: Recording) -> bool:
    """Give what the code writes gradients of real numbers for its whole ones; return whether there was such."""
    wanted = {
        (of, w.value.shape)
        for w in recording.events
        if w.of is None
        for of in owners(w.name, recording.extra)
        if not is_target(of)
    }
    whole = [(leaf, a) for leaf, a in arrays(unit.roots) if isinstance(a, np.ndarray) and a.dtype.kind in "iu"]
    found = [(leaf, a) for leaf, a in whole if {(name, a.shape) for name in _called(leaf)} & wanted]
    for leaf, a in found:
        put(unit.roots, leaf, a.astype(np.float64))
    return bool(found)


def _called(leaf: Leaf) -> tuple[Any, ...]:
    """Return what a gradient's name may call it by: params['W'], and W."""
    return written(leaf), *(leaf[-1][1:] if len(leaf) > 1 else ())


def _without_number(unit: Unit, source: Source) -> float:
    """Run a unit, and count what is computed in it that is not finite; what does not run has no number at all."""
    count = 0.0

    def on(event: Event) -> Any:
        nonlocal count
        count += float(not np.isfinite(event.value).all())
        return event.value

    try:
        unit.run(Observed(source, on))
    except Exception:  # it may have to be a probability, or sum to one
        return np.inf
    return count
