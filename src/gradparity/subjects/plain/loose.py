"""What is paired with nothing, and which of it may be a gradient by where it goes, though its name says nothing."""

import contextlib
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np

from gradparity.subjects.plain.feeding import Fed
from gradparity.subjects.plain.lines import next_values
from gradparity.subjects.plain.loss import LossOf
from gradparity.subjects.plain.names import in_common, is_gradient_like, steps_of
from gradparity.subjects.plain.recorder import Event, Key, Observed
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.truths import label
from gradparity.subjects.plain.variables import Variable, Writing


def complete(fed: Fed, local: Collection[tuple[int, str]] = ()) -> list[Writing]:
    """Return what is paired with nothing, each name in each call as it was in the end; not where it stayed zero."""
    last = {(writing.frame, writing.name): writing for writing, _ in fed.loose}
    judged = {(writing.frame, writing.name) for one in fed.judged for writing in one.line.writings}
    return [w for place, w in last.items() if w.value.any() and place not in judged and place not in local]


def overlooked(fed: Fed, loss: LossOf, recording: Recording) -> dict[Key, Variable]:
    """Return what may be the gradient of a parameter that has no other: where it is written -> such a parameter.

    It is returned, held beside gradients, or used in an update; it has the parameter's shape and is not its next value;
    the loss is computed from the parameter, and not from it.
    """
    have = {one.of.source.number for one in fed.judged}
    free = [v for v in recording.variables if v.given and v.value.ndim and v.number not in have]
    moves: dict[int, bool] = {}
    found = {}
    for writing in complete(fed, recording.local):
        fitting = [v for v in free if v.value.shape == writing.value.shape and not next_values([(writing, v)])]
        if (
            is_gradient_like(writing.name)
            or not fitting
            or not _goes_where_gradients_go(writing, fitting, fed, recording)
        ):
            continue
        for v in fitting:
            if v.number not in moves:
                moves[v.number] = bool(loss({label(v): np.full(v.value.shape, 0.25)}) != loss({}))
        moving = [v for v in fitting if moves[v.number]]
        if moving and not loss.is_moved_by({writing.key}):
            found[writing.key] = moving[0]
    after = _after_the_step(list(found), fed, loss) if found else set()
    return {key: of for key, of in found.items() if key not in after}


def _after_the_step(keys: Collection[Key], fed: Fed, loss: LossOf) -> set[Key]:
    """Return what is computed from parameters' gradients, as a prediction of the new weights is."""
    ends = {one.line.keys[-1] for one in fed.judged if one.of.is_input}
    seen: dict[bool, dict[Key, np.ndarray]] = {True: {}, False: {}}

    def on(event: Event, change: bool) -> Any:
        if event.key in keys:
            seen[change][event.key] = np.array(event.value)
        return event.value * 1.25 + 0.25 if change and event.key in ends else event.value

    with contextlib.suppress(Exception):  # code that does not take other gradients is not judged by them
        for change in seen:
            loss.unit.run(Observed(loss.source, partial(on, change=change)))
    return {key for key, value in seen[False].items() if not np.array_equal(value, seen[True].get(key, value))}


def _goes_where_gradients_go(writing: Writing, fitting: list[Variable], fed: Fed, recording: Recording) -> bool:
    steps = steps_of(writing.name)
    beside = {steps_of(w.name)[:-1] for one in fed.judged for w in one.line.writings} - {()}
    same_key = any(in_common(steps, steps_of(v.name)) for v in fitting)
    return steps[:-1] in beside or same_key or recording.returns(writing) or _updates(recording, writing)


def _updates(recording: Recording, writing: Writing) -> bool:
    """Whether a multiple of it is subtracted from something, by its name or, in a loop, by what holds it."""
    holder = writing.name.rpartition("[")[0]
    names = [name for file, name in recording.source.updates if file == writing.site.file]
    return any(name == writing.name or (holder and name.rpartition("[")[0] == holder) for name in names)
