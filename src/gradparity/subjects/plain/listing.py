"""The user's own source with a margin: ✓ right, ✗ wrong, ↳ wrong because another line is, – not checked, and why."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from gradparity.drawing import ListedLine, Listing, Sign
from gradparity.drawing.heatmap import heatmap
from gradparity.parity.norms import relative_error
from gradparity.parity.rows import Row
from gradparity.subjects.plain.feeding import SAME, Judged
from gradparity.subjects.plain.instrument import Site
from gradparity.subjects.plain.lines import is_part
from gradparity.subjects.plain.posing import Checked, loose
from gradparity.subjects.plain.program import Program
from gradparity.subjects.plain.recorder import Key
from gradparity.subjects.plain.variables import Variable, Writing

WORST: tuple[Sign, ...] = ("", "✓", "–", "↳", "✗")
"""Of several signs at one line the last of these is shown."""
CONTEXT = 3
"""Lines around what has a sign that are shown too; what lies further off is left out."""


LONGEST = 40
"""Letters of an expression that stands for itself."""

LEGEND: dict[Sign, str] = {
    "↳": "↳: right by itself, but in your own run made of a wrong line",
    "–": "–: compared with nothing, and why",
}
NOT_RUN = "not run with these arguments, so not checked"


def listings(
    checked: Checked,
    lines: Mapping[str, Judged],
    rows: Sequence[Row],
    recognised: Mapping[Key, Variable],
    below: Mapping[tuple[str, int], tuple[str, ...]],
) -> tuple[Listing, ...]:
    """Return each file that has a line with a sign, or something to be read ``below`` it."""
    marks: dict[tuple[str, int], list[ListedLine]] = {}

    def mark(writing: Writing, sign: Sign, about: str, finding: str = "", judged: Judged | None = None) -> None:
        site = writing.site
        pictures = () if judged is None else tuple(_pictures(checked, judged))
        made = ListedLine(site.line, "", sign, about, finding, pictures=pictures)
        marks.setdefault((site.file, site.line), []).append(made)

    wrong = {row.line: row for row in sorted(rows, key=lambda row: bool(row.diagnosis)) if not row.agrees}
    compared = {row.line for row in rows}
    for name, judged in lines.items():
        factor = checked.truths.factor(judged.of)
        what = f"{'' if factor == 1 else f'{factor:g} '}{owner(checked, judged.of)}"
        if name in wrong:
            mark(judged.writing, "✗", what, wrong[name].diagnosis or wrong[name].note, judged)
        elif name not in compared:
            mark(judged.writing, "–", f"{what}, not checked: {not_checked(checked, judged.of)}")
        else:
            mark(judged.writing, "✓" if _right_by_itself(checked, judged) else "↳", what, "", judged)
    for writing, why in shares(checked):
        mark(writing, "✓", why)
    # Once for each place that writes it.
    for writing in {(w.key[0], w.key[2]): w for w in loose(checked) if w.key not in checked.fed.shares}.values():
        if writing.key in recognised:
            mark(writing, "✓", f"{owner(checked, recognised[writing.key])}, by its numbers")
        else:
            mark(writing, "–", f"{writing.name} is paired with nothing: {why_loose(checked, writing)}")
    for site in not_run(checked):
        marks.setdefault((site.file, site.line), []).append(ListedLine(site.line, "", "–", f"{site.target}: {NOT_RUN}"))
    for (file, number), sentences in below.items():
        if file in checked.program.texts:
            marks.setdefault((file, number), []).append(ListedLine(number, "", below=sentences))
    files = dict.fromkeys(file for file, _ in marks)
    return tuple(
        listing
        for file in files
        for listing in _listings(checked.program, file, {n: m for (f, n), m in marks.items() if f == file})
    )


def _pictures(checked: Checked, judged: Judged) -> Iterator[tuple[str, str]]:
    """Draw an array as the line has it, as the witness has it, and their difference."""
    found = checked.truths.gradients.get(judged.of.number)
    if found is None or not found.gradient.ndim or judged.value.shape != found.gradient.shape:
        return
    right = found.gradient
    witness = checked.truths.machine.name if checked.truths.machine is not None else "by differences"
    shared = float(np.max(np.abs(right), initial=0.0))
    for said, array in (("by hand", judged.value), (witness, right)):
        yield f"{said}, ±{shared:.2g}", heatmap(array, shared)
    difference = judged.value - right
    own = float(np.max(np.abs(difference), initial=0.0))
    yield f"difference, ±{own:.2g}", heatmap(difference, own)


def not_run(checked: Checked) -> list[Site]:
    """Return where a gradient is written, too, that was checked: in a branch that these arguments do not take."""
    sites = checked.recording.source.sites
    ran = {(sites[i].file, sites[i].line) for i in checked.recording.reached}
    judged = {(w.site.file, w.site.function, w.site.target) for one in checked.fed.judged for w in one.line.writings}
    written = (s for s in sites if s.how == "=" and (s.file, s.function, s.target) in judged)
    return [s for s in written if (s.file, s.line) not in ran]


def shares(checked: Checked) -> Iterator[tuple[Writing, str]]:
    """Yield each gradient that is one share of what it is called by, and say so."""
    for writing in checked.recording.events:
        if writing.key in checked.fed.shares:
            of = owner(checked, checked.fed.shares[writing.key])
            yield writing, f"not the whole {of} but one share of it: right by what is computed from it"


def why_loose(checked: Checked, writing: Writing) -> str:
    """Say why a gradient has no owner."""
    if writing.of is not None:
        return f"it is written again after it was complete, and {writing.of.name} was not"
    of = checked.overlooked[writing.key].name if writing.key in checked.overlooked else "z"
    return f"if it is the gradient of {of}, --names {writing.name}={of}"


def not_checked(checked: Checked, variable: Variable) -> str:
    """Say why a gradient that is paired was compared with nothing."""
    if variable.number in checked.truths.at_kinks:
        return f"the loss has no derivative with respect to {variable.name} at these numbers: choose others"
    return "it was not measured"


def owner(checked: Checked, variable: Variable) -> str:
    """Write the gradient of a variable, which is called as the source calls it: by its text where it has no name."""
    text = " ".join(variable.name.split())
    if not is_part(checked.recording, variable):
        return f"∂L/∂{text}"
    return f"∂L/∂({text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'})"


def _right_by_itself(checked: Checked, judged: Judged) -> bool:
    """Whether a gradient that is right once it is fed the witness's numbers is right in the code's own run, too."""
    found = checked.truths.gradients.get(judged.of.number)
    own = np.asarray(judged.writing.value)
    return found is None or not found.gradient.any() or relative_error(own, found.gradient) <= SAME


def _listings(program: Program, file: str, marks: Mapping[int, Sequence[ListedLine]]) -> Iterator[Listing]:
    """Yield what is to be seen of a file; of a notebook, of each cell."""
    source = program.texts[file].split("\n")
    for cell, numbers in groupby(range(1, len(source) + 1), lambda number: program.within_cell(file, number)[0]):
        title = f"{program.shown(file)}, cell {cell}" if cell else program.shown(file)
        lines = list(_lines(program, file, source, [*numbers], marks))
        while lines and (lines[-1].text == "…" or not lines[-1].text.strip()):
            lines.pop()
        if lines:
            yield Listing(title, tuple(lines))


def _lines(
    program: Program,
    file: str,
    source: Sequence[str],
    numbers: Sequence[int],
    marks: Mapping[int, Sequence[ListedLine]],
) -> Iterator[ListedLine]:
    """Yield the lines with a sign and those around them, numbered as the user counts them."""
    left_out = True
    for number in numbers:
        text, own = source[number - 1], program.within_cell(file, number)[1]
        near = any(abs(number - other) <= CONTEXT and other in numbers for other in marks)
        if near:
            yield _together(own, text, marks.get(number, ()))
        elif not left_out:
            yield ListedLine(own, "…")
        left_out = not near


def _together(number: int, text: str, marks: Sequence[ListedLine]) -> ListedLine:
    sign = max(("", *(mark.sign for mark in marks)), key=WORST.index)
    about = "; ".join(dict.fromkeys(mark.about for mark in marks if mark.about))
    finding = " ".join(dict.fromkeys(mark.finding for mark in marks if mark.finding))
    below = tuple(sentence for mark in marks for sentence in mark.below)
    pictures = tuple(picture for mark in marks for picture in mark.pictures)
    return ListedLine(number, text, sign, about, finding, below, pictures)
