"""The gradient lines of a recording: which writing completes each gradient, and of which variable it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gradparity.subjects.plain.loss import LossOf
from gradparity.subjects.plain.names import in_common, is_gradient_like, owners, says_gradient, steps_of
from gradparity.subjects.plain.recorder import Key
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.variables import Variable, Writing


@dataclass(eq=False)
class GradientLine:
    """One gradient as it is written: at once, or in several writings of one name."""

    writings: list[Writing]
    target: Variable | None
    """What it is the gradient of, when its first part is complete; None where that is not known."""

    @property
    def name(self) -> str:
        """As the user writes it."""
        return self.writings[0].name

    @property
    def keys(self) -> list[Key]:
        """Where it is written."""
        return [writing.key for writing in self.writings]


def paired(recording: Recording) -> list[GradientLine]:
    """Return every line whose name, or whose key in a dictionary, says whose gradient it is."""
    _pair_by_key(recording)
    groups: dict[tuple[int, str], list[GradientLine]] = {}
    for writing in recording.events:
        if writing.of is None:
            continue
        lines = groups.setdefault((writing.frame, writing.name), [])
        # What stays zero until it is written anew is only made room for.
        if lines and (not _afresh(writing) or not lines[-1].writings[-1].value.any()):
            lines[-1].writings.append(writing)
        else:
            lines.append(GradientLine([writing], writing.of))
    for lines in groups.values():
        _one_version_each(recording, lines)
    found = sorted((line for lines in groups.values() for line in lines), key=lambda line: line.writings[0].order)
    return [line for line in found if not _makes_room(line, found)]


def _pair_by_key(recording: Recording) -> None:
    """Pair g['W'] with p['W'] and out.W with self.W, whatever holds it, where nothing else is the gradient of that.

    After the loss, what has a parameter's key and shape is its gradient or, where all are near theirs, its next value.
    """
    losses = {key for key, _, _ in recording.losses}
    starts = [w.order for w in recording.events if w.key in losses or (not losses and w.of is not None)]
    paired_up = {w.of for w in recording.events}
    ahead = {name for w in recording.events if w.order <= min(starts, default=0) for name in w.site.reads}
    params = [v for v in recording.variables if v.given and ahead & _ways_to(recording, v)]
    found: dict[tuple[str, ...], list[tuple[Writing, Variable]]] = {}
    for writing in recording.events:
        if writing.of is not None or writing.order <= min(starts, default=0):
            continue
        held = _same_key(writing, [v for v in params if v not in paired_up])
        if held is not None:
            found.setdefault(held[0], []).append((writing, held[1]))
    gradients = (pairs for pairs in found.values() if not next_values(pairs))
    for writing, of in next(gradients, []):
        writing.of = of


def _ways_to(recording: Recording, variable: Variable) -> set[str]:
    """Return every name that a variable has, and what holds it under one."""
    aliases = (key for key, number in recording.aliases.items() if number == variable.number)
    names = {variable.name, *(recording.source.sites[number].target + path for number, _, path in aliases)}
    return names | {name.rpartition("[")[0] for name in names}


def _same_key(writing: Writing, params: Sequence[Variable]) -> tuple[tuple[str, ...], Variable] | None:
    """Return what holds a value, and the one parameter of its shape that another container holds in the same way."""
    steps = steps_of(writing.name)
    fitting = [v for v in params if v.value.shape == writing.value.shape]
    shared = {v: in_common(steps, steps_of(v.name)) for v in fitting if v.name != writing.name}
    most = max(shared.values(), default=0)
    best = [v for v, n in shared.items() if n == most]
    if not most or len(best) > 1 or steps[-1].lstrip("-").isdigit():
        return None
    return steps[:-most], best[0]


def next_values(pairs: Sequence[tuple[Writing, Variable]]) -> bool:
    """Whether what is written is the parameters after a step: the step is small beside them."""
    step = sum(np.linalg.norm(writing.value - of.value) ** 2 for writing, of in pairs)
    return bool(step < sum(np.linalg.norm(of.value) ** 2 for _, of in pairs) / 4)


def _makes_room(line: GradientLine, lines: Iterable[GradientLine]) -> bool:
    """Whether zeros are written that get another name before they are filled: dparams = [zeros …]; dW, db = dparams."""
    return not line.writings[-1].value.any() and any(
        other.target is line.target and other.writings[0].frame == line.writings[0].frame
        for other in lines
        if other.writings[0].order > line.writings[-1].order
    )


def _afresh(writing: Writing) -> bool:
    """Whether a name is given a new value, and not a part more, or another scale."""
    partly = writing.site.at and writing.name == writing.site.target
    return writing.site.how in ("=", "return") and not writing.site.itself and not partly


def _one_version_each(recording: Recording, lines: list[GradientLine]) -> None:
    """Pair a name that is written again and again with one that was, too: the last of these comes first."""
    targets = {line.target for line in lines}
    if len(lines) == 1 or len(targets) > 1:
        return
    (target,) = targets
    versions = recording.versions(target, *owners(lines[0].name, recording.extra)) if target is not None else []
    for i, line in enumerate(lines):
        line.target = versions[-1 - i] if i < len(versions) else None


def targets(recording: Recording, lines: Iterable[GradientLine]) -> list[Variable]:
    """Return what lines are gradients of, and what each of these was made from step by step."""
    found = [line.target for line in lines if line.target is not None]
    for target in found[:]:
        earlier = before(recording, target)
        while earlier is not None:
            found.append(earlier)
            earlier = before(recording, earlier)
    return found


def before(recording: Recording, variable: Variable) -> Variable | None:
    """Return what a variable was made from in one step: its name's value before, or what a function was applied to."""
    versions = recording.versions(variable)
    at = versions.index(variable) if variable in versions else 0
    # A name that is given back its value of before has gone round in a circle.
    if at > 0 and versions[at - 1].number < variable.number:
        return versions[at - 1]
    if variable.given:
        return None
    site = recording.source.sites[variable.where[0]]
    alike = [v for v in recording.variables[: variable.number] if v.value.shape == variable.value.shape]
    parts = [v for v in alike if is_part(recording, v) and v.place == variable.place]
    named = {v.name: v for v in alike if v.name in site.reads}
    if parts:
        return parts[-1]
    return next(iter(named.values())) if len(named) == 1 and site.entrywise else None


def inside(recording: Recording, variable: Variable) -> Variable | None:
    """Return what a variable is a function of, entry by entry: the first expression in its line, or a name before."""
    if variable.given:
        return None
    parts = (v for v in recording.variables if is_part(recording, v) and v.place == variable.place)
    alike = (v for v in parts if v.value.shape == variable.value.shape and v.number < variable.number)
    return next(alike, None) or before(recording, variable)


def is_part(recording: Recording, variable: Variable) -> bool:
    """Whether a variable is an expression without a name."""
    return not variable.given and recording.source.sites[variable.where[0]].how == "part"


def without_owner(recording: Recording, lines: Iterable[GradientLine], loss: LossOf) -> list[Writing]:
    """Return the arrays that may be gradients, and whose names do not say of what: the loss is not made of them."""
    orders = {writing.key: writing.order for writing in recording.events}
    starts = [writing.order for line in lines for writing in line.writings]
    start = min([*starts, *([orders[loss.at.key]] if loss.at.key in orders else [])], default=len(orders))

    def may_be(writing: Writing) -> bool:
        if (
            writing.of is not None
            or not writing.value.ndim
            or (writing.site.how == "return" and not recording.returns(writing))
        ):
            return False
        sure = says_gradient(writing.name) or writing.order > start
        return sure or (is_gradient_like(writing.name) and not loss.is_moved_by({writing.key}))

    return list(filter(may_be, recording.events))
