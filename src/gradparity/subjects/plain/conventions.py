"""What is right in another unit: gradients on the way that are n times too large, and gradients of another loss."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gradparity.errors import UsageError
from gradparity.parity.norms import relative_error
from gradparity.parity.rows import Row, disagreements
from gradparity.subjects.plain.feeding import SAME, Fed, Feeding
from gradparity.subjects.plain.lines import GradientLine
from gradparity.subjects.plain.loss import LossOf
from gradparity.subjects.plain.pairing import fed_with_evidence, wrong_lines
from gradparity.subjects.plain.posing import Checked
from gradparity.subjects.plain.recorder import Key
from gradparity.subjects.plain.truths import Truths


def after_the_loss(loss: LossOf, lines: Sequence[GradientLine]) -> list[GradientLine]:
    """Return the lines that the loss is not computed from: the others are no gradients, whatever they are called.

    Raises UsageError where the loss is computed from all of them, as after an update.
    """
    keys = keys_of(lines)
    if not keys or not loss.is_moved_by(keys):
        return list(lines)
    found = [line for line in lines if not loss.is_moved_by(set(line.keys))]
    if not found:
        names = ", ".join(dict.fromkeys(line.name for line in lines))
        raise UsageError(
            f"the loss, {loss.at.said}, is computed from {names}, as after an update: add --loss 'expression' with the "
            "loss before it, in the code's own names"
        )
    return found


def keys_of(lines: Sequence[GradientLine]) -> set[Key]:
    """Return where all of these lines are written."""
    return {key for line in lines for key in line.keys}


def in_its_own_units(feeding: Feeding, truths: Truths, fed: Fed) -> tuple[Truths, Fed]:
    """Find the scale at which the fewest lines are wrong: first courses have dZ = A - Y, and divide by m only at dW."""
    wrong = wrong_lines(fed, truths)
    best = truths, fed
    for scale in sorted(_scales(fed, truths) or _sizes_unpaired(feeding)) if wrong else ():
        scaled = truths.at_scale(float(scale))
        other = fed_with_evidence(feeding, scaled)
        left = wrong_lines(other, scaled)
        divides = any(one.of.is_input and scaled.factor(one.of) == 1 for one in other.judged)
        if divides and len(left) < len(wrong):
            wrong, best = left, (scaled, other)
    return best


def remarks(checked: Checked) -> Iterator[str]:
    """Say what the witnesses are, and in which unit the gradients are."""
    truths, of = checked.truths, {one.of.number: one.line.name for one in checked.fed.judged}
    if truths.machine is not None:
        yield f"{truths.machine.name}: your own lines up to the loss, run on its arrays"
    along = dict.fromkeys(of[number] for number in truths.too_large if number in of)
    rest = f", {', '.join(along)} along random directions" if along else ""
    yield f"differences: no autodiff, your loss itself, entry by entry{rest}"
    scale = checked.truths.scale
    if scale != 1:
        names = [one.line.name for one in checked.fed.judged if checked.truths.factor(one.of) != 1]
        yield (
            f"{', '.join(dict.fromkeys(names))}: {scale:g} times the gradient of {checked.loss.said}, which this code "
            "divides by later, where a parameter's gradient is made"
        )
    shapes = {one.line.name: one for one in checked.fed.judged if np.shape(one.writing.value) != one.value.shape}
    for name, one in shapes.items():
        yield (
            f"{name} has shape {np.shape(one.writing.value)} and {one.of.name} {one.of.value.shape}: the same but for "
            "axes of length 1 in front, which NumPy adds"
        )


def with_another_loss(checked: Checked, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Say it at the first wrong line where all gradients together are those of a multiple of the loss."""
    k = _multiple(checked)
    wrong = disagreements(rows)
    if k is None or not wrong:
        return tuple(rows)
    said = f"every gradient here is {k:.4g} times that of {checked.loss.said}{_as_if(checked, k)}"
    named = [row for row in wrong if row.line == wrong[-1].line]
    return tuple(replace(row, diagnosis=f"{row.diagnosis}; {said}") if row in named else row for row in rows)


def _multiple(checked: Checked) -> float | None:
    """Return the one k by which all gradients differ from the witness's, as the code's own chain has them."""
    ratios = []
    for one in checked.fed.judged:
        found, value = checked.truths.gradients.get(one.of.number), one.writing.value
        if found is None or value.shape != found.gradient.shape:
            return None
        if not found.gradient.any():
            continue
        k = float(np.vdot(value, found.gradient) / np.vdot(found.gradient, found.gradient))
        if not relative_error(value, np.asarray(k * found.gradient)) <= SAME:
            return None
        ratios.append(k)
    alike = len(ratios) > 1 and np.ptp(ratios) <= SAME * abs(ratios[0]) and ratios[0] != 0 and abs(ratios[0] - 1) > SAME
    return ratios[0] if alike else None


def _as_if(checked: Checked, k: float) -> str:
    """Say which mean or sum would make such a factor; 2 and ½ may as well be a square's."""
    if abs(np.log2(abs(k))) == 1:
        return ""
    for size in sorted(_sizes(checked.fed)):
        if abs(k / size - 1) <= SAME:
            return f": as if it were a sum over {size} where it is a mean"
        if abs(k * size - 1) <= SAME:
            return f": as if it were a mean over {size} where it is a sum"
    return ": they belong to another loss than this one"


def _scales(fed: Fed, truths: Truths) -> set[int]:
    """Return the sizes of axes that a gradient on the way is that many times too large by."""
    found = set()
    for one in fed.judged:
        right = truths.gradients.get(one.of.number)
        if right is None or one.value.shape != right.gradient.shape or not right.gradient.any():
            continue
        # A parameter's gradient divides by it, and so is that many times too small once it is fed the witness's.
        a, b = (right.gradient, one.value) if one.of.is_input else (one.value, right.gradient)
        found |= {n for n in _sizes(fed) if any(relative_error(a, np.asarray(k * b)) <= SAME for k in (n, -n))}
    return found


def _sizes_unpaired(feeding: Feeding) -> set[int]:
    """Return the sizes of what is paired with nothing: with delta = a - y nothing else tells the scale."""
    return {size for writing in feeding.loose for size in writing.value.shape if size > 1}


def _sizes(fed: Fed) -> set[int]:
    return {size for one in fed.judged for size in one.of.value.shape if size > 1}
