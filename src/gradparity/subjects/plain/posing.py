"""Plain code as a problem: the lines that write gradients, beside what its own loss says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradparity.errors import UsageError, did_you_mean
from gradparity.parity.problem import Problem, Subject, Written
from gradparity.parity.rows import DIFFERENCES, Unchecked
from gradparity.protocol import Dtype, Trace
from gradparity.subjects.plain.feeding import Fed, Judged
from gradparity.subjects.plain.instrument import Site
from gradparity.subjects.plain.loose import complete
from gradparity.subjects.plain.loss import LossAt
from gradparity.subjects.plain.names import PART, is_gradient_like, says_gradient
from gradparity.subjects.plain.pairing import alike, is_wrong
from gradparity.subjects.plain.program import Program
from gradparity.subjects.plain.recorder import Key
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.truths import Truths, label
from gradparity.subjects.plain.unit import written
from gradparity.subjects.plain.variables import Variable, Writing

BY_HAND = "by hand"
HINT = "say so with --names gradient=name"


@dataclass(frozen=True, eq=False)
class Checked:
    """Everything that is known of a unit once it has been run beside the witness."""

    name: str
    recording: Recording
    loss: LossAt
    truths: Truths
    fed: Fed
    program: Program
    overlooked: Mapping[Key, Variable]
    """What may be a gradient by where it goes, and of what, though its name does not say so."""

    def places_of(self, judged: Judged) -> tuple[str, ...]:
        """Where a gradient is written, share by share where it is a sum."""
        writings = judged.line.writings
        until = writings[: writings.index(judged.writing)] if judged.writing in writings else []
        sites = [writing.site for writing in until if writing.value.any()] + [judged.writing.site]
        return tuple(dict.fromkeys(self.program.place(site.file, site.line) for site in sites))

    @property
    def loss_said(self) -> str:
        """The loss, with the line where it is written."""
        if self.loss.key is None or self.loss.expression:
            return self.loss.said
        return f"{self.loss.said} in {self.line_of(self.recording.source.sites[self.loss.key[0]])}"

    def line_of(self, site: Site) -> str:
        """Say in which line of its file, or of which cell, something is written."""
        return self.program.line(site.file, site.line)


def labelled(checked: Checked) -> dict[str, Judged]:
    """Return the gradients by name: of what one place writes in many passes the first that is wrong, else the last.

    Each parameter of a list of them has its own, nabla_b[1] beside nabla_b[0].
    """
    by_site: dict[tuple[int, str], list[Judged]] = {}
    for judged in checked.fed.judged:
        by_site.setdefault((judged.writing.key[0], judged.writing.key[2]), []).append(judged)
    chosen = []
    for passes in by_site.values():
        first = next((j for j in passes if is_wrong(j, checked.truths)), passes[-1])
        own = {judged.writing.name: judged for judged in passes if judged.of.is_input}
        wrong = is_wrong(first, checked.truths)
        others = [j for j in own.values() if j.writing.name != first.writing.name and not wrong]
        chosen += [first, *others]
    chosen.sort(key=lambda judged: judged.writing.order)
    names = [judged.line.name for judged in chosen]
    return {
        name if names.count(name) == 1 else f"{name} in {checked.line_of(judged.writing.site)}": judged
        for name, judged in zip(names, chosen, strict=True)
    }


def pose(checked: Checked, unchecked: Sequence[Unchecked], remarks: Sequence[str]) -> Problem:
    """Make a problem of the lines. Each is named as its author names it, and stands for what it is the gradient of."""
    lines = labelled(checked)
    exact = {name: j for name, j in lines.items() if j.of.number in checked.truths.gradients}
    # In another unit than the loss's own, the loss says nothing along a direction.
    own = {name: j for name, j in lines.items() if checked.truths.factor(j.of) == 1}
    large = {name: j for name, j in own.items() if j.of.number in checked.truths.too_large}
    owners: dict[int, str] = {}
    for name, judged in lines.items():
        owners.setdefault(judged.of.number, name)
    first = {name: lines[name].of for name in owners.values()}
    # The table has gradients backwards, as they are derived.
    backwards = dict(reversed(exact.items()))
    known, measured = checked.truths.gradients, checked.truths.measured
    by_machine = () if checked.truths.machine is None else ((checked.truths.machine.name, known),)
    truths = {
        witness: Trace(
            {name: v.value for name, v in first.items() if not v.given and name not in large},
            {name: told[j.of.number].gradient for name, j in backwards.items() if j.of.number in told},
            {
                name: float(measured.get(j.of.number, told[j.of.number]).accuracy)
                for name, j in backwards.items()
                if j.of.number in told
            },
        )
        for witness, told in (*by_machine, (DIFFERENCES, measured))
    }
    params = {name: v.value for name, v in first.items() if v.given or name in large}
    read = names_read(checked)
    written_at = {(j.writing.site.file, j.writing.site.line) for j in lines.values()}
    others = {
        v.name: v.value
        for v in checked.recording.variables
        if v.number not in owners
        and v.value.ndim
        and (not v.given or v.name.partition("[")[0] in read)
        and v.place not in written_at  # a part of a wrong line explains nothing about it
    }

    def beside(_: Dtype, __: Trace) -> Written:
        places = {f"d[{name!r}]": checked.places_of(judged) for name, judged in lines.items()}
        values = {name: judged.value for name, judged in lines.items()}
        return Written(None, values, {}, {name: _reads(j, lines) for name, j in lines.items()}, places)

    along = checked.truths.along_directions([judged.of for judged in large.values()])
    return Problem(
        name=checked.name,
        params=params,
        given=others,
        n=_examples(checked.recording),
        truths={witness: truth for witness, truth in truths.items() if truth.gradients},
        budgets={},
        subjects=(Subject(BY_HAND, beside=beside),),
        lanes=("float64",),
        measured={name: replace(along[label(judged.of)], name=name) for name, judged in large.items()},
        seeds=frozenset(),
        spelling=_spelling(lines, first),
        remarks=tuple(remarks),
        unchecked=tuple(unchecked),
    )


def names_read(checked: Checked) -> set[str]:
    """Return the names that are read in the functions that ran: what else the file holds is nobody's business here."""
    ran = {(w.site.file, w.site.function) for w in checked.recording.events}
    return {name for s in checked.recording.source.sites if (s.file, s.function) in ran for name in s.reads}


def _reads(judged: Judged, lines: Mapping[str, Judged]) -> tuple[str, ...]:
    """Return the gradients that a line is computed from, for the scale of one that is zero by mathematics."""
    reads = {name for writing in judged.line.writings for name in writing.site.reads}
    return tuple(name for name, other in lines.items() if other is not judged and other.line.name in reads)


def _spelling(lines: Mapping[str, Judged], first: Mapping[str, Variable]) -> dict[str, str]:
    spelling = {f"d[{name!r}]": judged.line.name for name, judged in lines.items()}
    for name, variable in first.items():
        spelling |= {f"p[{name!r}]": variable.name, f"c[{name!r}]": variable.name}
    return spelling


def _examples(recording: Recording) -> int:
    """Return how long the first axis of most matrices is that the code computes."""
    lengths = [len(v.value) for v in recording.variables if v.value.ndim > 1 and not v.given]
    return max(lengths, key=lengths.count, default=1)


def require_lines(checked: Checked) -> None:
    """Raise UsageError where nothing was paired."""
    if checked.fed.judged:
        return
    found = dict.fromkeys(
        w.name.partition("[")[0] for w in complete(checked.fed, checked.recording.local) if is_gradient_like(w.name)
    )
    there = f"; there is {', '.join(found)}" if found else ""
    raise UsageError(
        f"{checked.name}: nothing that is written is the gradient of something else that is there: a name like dz, "
        f"d_z, grad_z, z_grad or grads['z'] says so, or --names gradient=name{there}"
    )


def require_owners(recording: Recording) -> None:
    """Raise UsageError where --names pairs what is not written, or with what is not there."""
    for name, of in recording.extra.items():
        called = [w for w in recording.events if w.name == name or w.name.startswith((f"{name}[", f"{name}."))]
        if not called:
            guess = did_you_mean(name, {w.name for w in recording.events})
            raise UsageError(f"--names {name}={of}: nothing is written to {name}{guess}")
        if all(w.of is None for w in called):
            guess = did_you_mean(of, {v.name for v in recording.variables})
            raise UsageError(f"--names {name}={of}: no real array is called {of} where {name} is written{guess}")


def require_numpy(where: str, names: Mapping[str, object]) -> None:
    """Raise UsageError where an array is another library's."""
    for name, value in names.items():
        if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic):
            kind = type(value)
            raise UsageError(
                f"{where}: {written((name,))} is a {kind.__module__.partition('.')[0]} {kind.__name__}, and plain code "
                "is checked on NumPy's arrays: make it one, or check functions of such arrays with gradparity.check_vjp"
            )


def loose(checked: Checked) -> list[Writing]:
    """Return what may be a gradient, by its name or by where it goes, and is paired with nothing."""
    left = complete(checked.fed, checked.recording.local)
    return [w for w in left if _is_called_one(checked, w) or w.key in checked.overlooked]


def _is_called_one(checked: Checked, writing: Writing) -> bool:
    """Whether a name is a gradient's, and not what the loss is made of: gewichte -= rate * grad_gewichte."""
    forward = (v for v in checked.recording.variables if v.name == writing.name and checked.truths.loss.comes_after(v))
    return is_gradient_like(writing.name) and (says_gradient(writing.name) or not any(True for _ in forward))


def could_be(checked: Checked) -> list[Variable]:
    """Return what these could be gradients of."""
    return [variable for writing in loose(checked) for variable in alike(checked.recording, writing)]


def unchecked(checked: Checked, recognised: Mapping[Key, Variable]) -> Iterator[Unchecked]:
    """Yield each gradient that was compared with nothing, and that no line goes on with that was."""
    judged = checked.fed.judged
    for one in judged:
        if one.of.number in checked.truths.at_kinks:
            yield Unchecked(one.line.name, BY_HAND, "the loss has no derivative at these numbers: choose others")
    reads = {name for one in judged for writing in one.line.writings for name in writing.site.reads}
    for writing in sorted(complete(checked.fed, checked.recording.local), key=lambda w: -w.order):
        # hs[t] is read where hs is, whatever t is; of a dictionary only what stands under this key.
        whole = writing.site.target in reads and not PART.match(writing.name)
        if writing.name in reads or whole or writing.key in recognised:
            reads |= set(writing.site.reads)
        elif writing.key in checked.overlooked:
            of = checked.overlooked[writing.key].name
            reason = f"it may be the gradient of {of}, which has no other, or of something else: {HINT}"
            yield Unchecked(writing.name, BY_HAND, reason)
        elif _is_called_one(checked, writing):
            yield Unchecked(writing.name, BY_HAND, f"nothing is called what it would be the gradient of: {HINT}")
