"""The smallest counter-example of plain code: its own arrays made small, where the code runs at smaller ones."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gradparity.parity.report import Report
from gradparity.parity.smallest import Arrays
from gradparity.subjects.plain.feeding import Feeding
from gradparity.subjects.plain.lines import paired, targets
from gradparity.subjects.plain.loss import LossOf
from gradparity.subjects.plain.machine import machine_of
from gradparity.subjects.plain.pairing import of_the_forward_pass
from gradparity.subjects.plain.posing import Checked, labelled, names_read
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.truths import Truths, label
from gradparity.subjects.plain.unit import Leaf, Unit, arrays, at, written
from gradparity.subjects.smallest_case import ENTRIES, Found, with_smallest_cases

ASKS, ENTRIES_ASKED = 4.0, 600.0
"""How often each line is judged at the size of the code's own arrays: some times, and until so many entries were
measured; at smaller ones as much more often."""
SMALL = 100
"""Entries up to which it costs less to measure the loss than to ask a machine."""


def with_smallest(report: Report, feeding: Feeding, checked: Checked) -> Report:
    """Add to the first wrong lines the smallest case of each."""
    unit = feeding.unit
    named = {written(leaf): (leaf, a) for leaf, a in _shrinkable(unit, checked).items()}
    entries = sum(a.size for _, a in named.values())
    # In the code's own unit, n times too large, nothing stays right when n changes.
    if not report.disagreements or checked.truths.scale != 1 or not 0 < entries <= ENTRIES:
        return report
    asks = ASKS + ENTRIES_ASKED / entries

    def found(smaller: Arrays) -> Found:
        cut = _with(unit, {named[name][0]: a for name, a in smaller.items()})
        return judged_again(cut, feeding, checked, by_machine=sum(a.size for a in smaller.values()) > SMALL)

    return with_smallest_cases(report, {name: a for name, (_, a) in named.items()}, found, asks)


def judged_again(unit: Unit, feeding: Feeding, checked: Checked, *, by_machine: bool = False) -> Found:
    """Judge the same lines, paired as they were, at other numbers. Raises what the code raises."""
    was = checked.recording
    recording = Recording(was.source, was.extra, was.forwards).run(unit)
    loss = LossOf(unit, was.source, checked.loss, recording, {label(v): v for v in recording.variables})
    known = {line.keys[0] for line in feeding.lines}
    lines = [line for line in paired(recording) if line.keys[0] in known]
    instead = {key: recording.variables[v.number] for key, v in checked.fed.instead.items()}
    truths = Truths(loss, checked.truths.seed, machine_of(loss) if by_machine else None)
    truths.learn([*targets(recording, lines), *instead.values()])
    of_the_forward_pass(lines, truths, recording)
    loose = {writing.key for writing in feeding.loose}
    own = Feeding(unit, was.source, recording, lines, [w for w in recording.events if w.key in loose])
    fed = own.run(truths.arrays, instead, shares=checked.fed.shares)
    found = labelled(replace(checked, recording=recording, truths=truths, fed=fed))
    told = {name: one for name, one in found.items() if one.of.number in truths.gradients}
    right = {name: truths.gradients[one.of.number].gradient for name, one in told.items()}
    return Found({name: one.value for name, one in told.items()}, right, lambda: not truths.at_kinks)


def _shrinkable(unit: Unit, checked: Checked) -> dict[Leaf, np.ndarray]:
    """Return the arrays of numbers that the code reads, labels too."""
    read = names_read(checked)
    roots = {name: root for name, root in unit.roots.items() if written((name,)) in read}
    found = ((leaf, a) for leaf, a in arrays(roots) if isinstance(a, np.ndarray) and a.ndim and a.size)
    return {leaf: a for leaf, a in found if a.dtype.kind in "fiu"}


def _with(unit: Unit, changed: Mapping[Leaf, np.ndarray]) -> Unit:
    # One array under two names stays one.
    instead = {id(at(unit.roots, leaf)): a for leaf, a in changed.items()}
    return replace(unit, roots=copy.deepcopy(unit.roots, instead), _kept={})
