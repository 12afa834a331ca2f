"""Whose gradient a line without a telling name is: what makes the lines after it right, where it was wrong itself."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gradparity.parity.norms import relative_error
from gradparity.subjects.plain.feeding import SAME, Fed, Feeding, Judged
from gradparity.subjects.plain.lines import GradientLine, inside, is_part
from gradparity.subjects.plain.names import is_delta, owners, steps_of
from gradparity.subjects.plain.recorder import Key
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.truths import PATIENCE, Truths
from gradparity.subjects.plain.unit import MODULE
from gradparity.subjects.plain.variables import Variable, Where, Writing

TRIED = 500
"""Pairings that are tried to explain wrong lines: counted, for no verdict may depend on the machine's load."""
EACH = 0.1
"""Seconds of work to measure what is tried, where no machine tells it; the likeliest, tried first, may take longer."""
MOST = 8
"""Lines that are paired by what they make right, at most: with more mistakes than that, the first are enough."""


def fed_with_evidence(feeding: Feeding, truths: Truths) -> Fed:
    """Run beside the witness; where lines are wrong, look for the cause in what is paired with nothing.

    A loose array counts as the gradient of a variable where, with that gradient in its place, lines that were wrong are
    right, and none that was right is wrong. So nothing is guessed: it is the only reading under which these lines are
    right.
    """
    instead: dict[Key, Variable] = {}
    try:
        fed = feeding.run(truths.arrays, instead)
    except Exception:  # the code does not take right numbers there: it is judged on its own
        return feeding.run({}, instead)
    for _ in range(MOST):
        wrong = wrong_lines(fed, truths)
        found = _better(feeding, truths, instead, fed, wrong) if wrong else None
        if found is None:
            return _with_shares(feeding, truths, fed)
        instead, fed = found
    return fed


def _with_shares(feeding: Feeding, truths: Truths, fed: Fed) -> Fed:
    """Run again without each wrong gradient that others are right with as it is, and wrong with the whole one.

    So it is with dc_next of an LSTM's cell, which holds what comes from the next step, and not what h_next adds.
    """
    wrong = wrong_lines(fed, truths)
    for line in [one.line for one in fed.judged if one.writing.key in wrong]:
        if line.target is None:
            continue
        try:
            other = feeding.run(truths.arrays, fed.instead, shares={**fed.shares, line.keys[-1]: line.target})
        except Exception:  # the code does not take it there
            continue
        left = wrong_lines(other, truths)
        if left < wrong - set(line.keys):
            wrong, fed = left, other
    return fed


def read_as_deltas(feeding: Feeding, truths: Truths) -> None:
    """Pair l2_delta with what l2 is the activation of, as the word is often used, unless l2 itself explains more."""
    ahead = {
        id(line): inside(feeding.recording, line.target)
        for line in feeding.lines
        if line.target is not None and is_delta(line.name)
    }
    lines = [line for line in feeding.lines if ahead.get(id(line)) is not None]
    as_named = _wrong_as_paired(feeding, truths) if lines else 0
    if not as_named:
        return
    before = [line.target for line in lines]
    for line in lines:
        line.target = ahead[id(line)]
    truths.learn(line.target for line in lines if line.target is not None)
    if _wrong_as_paired(feeding, truths) > as_named:
        for line, target in zip(lines, before, strict=True):
            line.target = target


def _wrong_as_paired(feeding: Feeding, truths: Truths) -> float:
    """Return how many lines are wrong; of code that does not take right numbers there, more than any."""
    try:
        return len(wrong_lines(feeding.run(truths.arrays, {}), truths))
    except Exception:  # fed_with_evidence judges such code on its own
        return np.inf


def of_the_forward_pass(lines: Iterable[GradientLine], truths: Truths, recording: Recording) -> None:
    """Pair what the backward pass computes once more, x_pad = np.pad(x), with the one that the loss is made of.

    So is dW with the one W that the loss is made of, model.W, where a W is there that it is not.
    """
    for line in lines:
        target = line.target
        if target is None or target.number not in truths.gradients or truths.gradients[target.number].gradient.any():
            continue
        same = [v for v in recording.variables if v.name == target.name and np.array_equal(v.value, target.value)]
        truths.learn(same[:1])
        if same[0] is not target or not _is_global(target):
            line.target = same[0]
            continue
        held = [v for v in recording.variables if v.given and len(v.where) > 1 and steps_of(v.name)[-1] == target.name]
        others = [v for v in held if v.value.shape == target.value.shape]
        truths.learn(others)
        moving = [v for v in others if v.number in truths.gradients and truths.gradients[v.number].gradient.any()]
        if len(moving) == 1:
            line.target = moving[0]


def _is_global(variable: Variable) -> bool:
    return variable.given and len(variable.where) == 1 and variable.where[0].startswith(MODULE)


def wrong_lines(fed: Fed, truths: Truths) -> set[Key]:
    """Return where gradients are written that are not the witness's."""
    return {judged.writing.key for judged in fed.judged if is_wrong(judged, truths)}


def is_wrong(judged: Judged, truths: Truths) -> bool:
    """Whether a gradient is another than the witness's, by far more than rounding."""
    found = truths.gradients.get(judged.of.number)
    return found is not None and not relative_error(judged.value, found.gradient) <= SAME


def _lacks_a_mask(judged: Judged, truths: Truths) -> bool:
    """Whether a gradient is the witness's wherever that is not zero."""
    right = truths.gradients[judged.of.number].gradient if judged.of.number in truths.gradients else np.zeros(())
    alike = judged.value.shape == right.shape and not right.all() and right.any()
    return bool(
        alike and is_wrong(judged, truths) and np.allclose(judged.value[right != 0], right[right != 0], SAME, 0)
    )


def recognised(fed: Fed, truths: Truths, recording: Recording) -> dict[Key, Variable]:
    """Return the loose arrays that are, number for number, the gradient of a variable.

    Of several with the same gradient, as before and after a shift that changes nothing, it is the first one in the same
    function, for that is where its author looks.
    """
    found = {}
    for writing, value in fed.loose:
        fitting = [v for v in alike(recording, writing) if v.number in truths.gradients]
        equal = [v for v in fitting if _equal(value, truths.gradients[v.number].gradient)]
        if equal:
            found[writing.key] = min(equal, key=lambda v: (not _same_function(recording, v, writing), v.number))
    return found


def _better(
    feeding: Feeding, truths: Truths, instead: Mapping[Key, Variable], fed: Fed, wrong: set[Key]
) -> tuple[dict[Key, Variable], Fed] | None:
    """Find the pairing of one more loose array that explains the most wrong lines.

    What a loop writes in each of its passes is paired with what the forward loop did in its own, the last one first.
    """
    best: tuple[dict[Key, Variable], Fed] | None = None
    fewest = len(wrong)
    seconds = PATIENCE
    told = any(_lacks_a_mask(one, truths) for one in fed.judged)
    ends = {line.keys[-1] for line in feeding.lines}
    suspects = _suspects(feeding, fed, wrong)
    for writing in suspects:
        if writing.key in instead:
            continue
        passes = [w for w in suspects if _place(w.key) == _place(writing.key) and w.frame == writing.frame]
        if writing is not passes[0]:
            continue
        # What has no name in the same function comes first: of large arrays there is time for few.
        named = set(owners(writing.name, feeding.recording.extra))  # it may be in a call that is over
        candidates = sorted(
            alike(feeding.recording, writing),
            key=lambda v: (v.name not in named, *_far_off(feeding.recording, v, writing)),
        )
        for variable in candidates:
            if feeding.tries == TRIED:
                return best
            paired = _pass_by_pass(feeding.recording, passes, variable)
            if variable is not paired[writing.key]:
                continue  # an earlier pass of what has been tried
            truths.learn(paired.values(), seconds)
            seconds = EACH
            if not all(v.number in truths.gradients for v in paired.values()):
                continue
            if not any(truths.gradients[v.number].gradient.any() for v in paired.values()):
                continue
            feeding.tries += 1
            tried = {**instead, **paired}
            try:
                other = feeding.run(truths.arrays, tried)
            except Exception:  # the code does not take it there
                continue
            left = wrong_lines(other, truths) - (paired.keys() - wrong)
            # One wrong line in place of several, or of one that is right once it gets what it was meant to get.
            masked = set() if told else {one.writing.key for one in other.judged if _lacks_a_mask(one, truths)}
            cost = len(left | ((paired.keys() & ends) - masked))
            if left < wrong and cost < fewest:
                fewest, best = cost, (tried, other)
                if not cost:
                    return best
    return best


def _pass_by_pass(recording: Recording, passes: list[Writing], variable: Variable) -> dict[Key, Variable]:
    """Pair each pass of a backward loop with the forward one that it answers; the first alone where there is none."""
    ahead = [v for v in recording.variables if not v.given and _place(v.where) == _place(variable.where)]
    if len(ahead) != len(passes):
        return {passes[0].key: variable}
    return {w.key: v for w, v in zip(passes, reversed(ahead), strict=True)}


def _place(key: Where) -> tuple[Any, ...]:
    """Return where something is written, whichever pass it is."""
    return key[0], *key[2:]


def _suspects(feeding: Feeding, fed: Fed, wrong: set[Key]) -> list[Writing]:
    """Return the arrays that wrong lines are computed from, the first one first: loose ones, and ends of right lines.

    What is right may be used too early, as ∂L/∂h where ∂L/∂z belongs.
    """
    reads = {name for judged in fed.judged if judged.writing.key in wrong for name in judged.writing.site.reads}
    reads |= {name for line in feeding.lines for w in line.writings if set(line.keys) & wrong for name in w.site.reads}
    found: list[Writing] = []
    ends = [line.writings[-1] for line in feeding.lines if line.writings[-1].value.ndim]
    for writing in sorted([*feeding.loose, *ends], key=lambda w: -w.order):
        if writing.name in reads or writing.site.target in reads:
            found.append(writing)
            reads |= set(writing.site.reads)
    return found[::-1]


def alike(recording: Recording, writing: Writing) -> list[Variable]:
    """Return the variables, and the expressions without a name, that an array could be the gradient of."""
    written = {w.key for w in recording.events}
    return [
        v
        for v in recording.variables
        if v.value.shape == writing.value.shape
        and v.value.ndim
        and (v.given or v.where in written or recording.source.sites[v.where[0]].how in ("part", "arg"))
        and v.where != writing.key
        and v.number < _number_at(recording, writing)
    ]


def _number_at(recording: Recording, writing: Writing) -> int:
    """Return how many variables there were when something was written."""
    own: Iterable[int] = (v.number for v in recording.variables if v.where == writing.key)
    return next(iter(own), len(recording.variables))


def _far_off(recording: Recording, variable: Variable, writing: Writing) -> tuple[bool, bool, int]:
    part = is_part(recording, variable)
    return not _same_function(recording, variable, writing), not part, variable.number


def _same_function(recording: Recording, variable: Variable, writing: Writing) -> bool:
    if variable.given:
        return False
    site = recording.source.sites[variable.where[0]]
    return (site.file, site.function) == (writing.site.file, writing.site.function)


def _equal(value: np.ndarray, right: np.ndarray) -> bool:
    return bool(right.any()) and relative_error(value, right) <= SAME
