"""What is right but for a guard, the 1e-7 of ``np.log(p + 1e-7)``, that the backward pass leaves out.

It is measured, as ``parity.reasons`` does for functions: the same lines once more, with each such number of the code so
small that it is lost in rounding.
"""

from dataclasses import replace

from gradparity.parity.guards import LOST
from gradparity.parity.norms import relative_error
from gradparity.parity.reasons import GUARDED
from gradparity.parity.report import Report
from gradparity.parity.rows import Row
from gradparity.subjects.plain.feeding import Feeding
from gradparity.subjects.plain.posing import Checked
from gradparity.subjects.plain.shrinking import judged_again

LESS = 1e-2
"""How much of an error may be left without the guard that explains it."""


def without_guards(report: Report, feeding: Feeding, checked: Checked) -> Report:
    """Accept what is right without the guards that the code has, and say so in a remark."""
    hooks = feeding.unit.hooks
    small = {row.line: row for row in report.disagreements if not row.note and row.error < GUARDED}
    if not small or not hooks.guards:
        return report
    hooks.guards_times = LOST
    try:
        found = judged_again(feeding.unit, feeding, checked, by_machine=True)
    except Exception:  # without them the code divides by zero
        return report
    finally:
        hooks.guards_times = 1.0
    left = {name: relative_error(found.yours[name], found.right[name]) for name in small if name in found.yours}
    right = {name for name, error in left.items() if error <= LESS * small[name].error}
    if not right:
        return report
    where = checked.program.place
    named = ", ".join(f"{value:g} in {where(file, line)}" for file, line, value in sorted(hooks.guards))
    called = ", ".join(dict.fromkeys(row.name for row in report.rows if row.line in right))
    said = f"{called}: right up to the guard {named}, which the backward pass ignores"
    return replace(
        report,
        rows=tuple(_accepted(row) if row.line in right else row for row in report.rows),
        remarks=(*report.remarks, said),
    )


def _accepted(row: Row) -> Row:
    return replace(row, limit=max(GUARDED, row.limit), diagnosis="")
