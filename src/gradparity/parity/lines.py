"""One backend's arrays compared line by line with one witness's, and each wrong line of a hand derivation explained."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from gradparity.parity.beside import run_beside
from gradparity.parity.diagnosis import diagnose, gather
from gradparity.parity.differences import Measurement, compare
from gradparity.parity.judge import Judge
from gradparity.parity.kinks import Kinks
from gradparity.parity.pinned import explained
from gradparity.parity.rows import DIFFERENCES, Kind, Row
from gradparity.protocol import Backend, Batch, HandDerivation, Model, Params, Trace
from gradparity.recording import Recorder


def compare_lines(
    judge: Judge, subject: Backend, model: Model, trace: Trace, params: Params, batch: Batch
) -> list[Row]:
    """Compare each line, then the gradient that training uses: the one of ``trace``, the backend's own chain."""
    values, gradients = judge.truth.values, judge.truth.gradients
    if model.derivation is None:
        lines = judge.rows("value", trace.values, values) + judge.rows("gradient", trace.gradients, gradients)
    else:
        c, d = run_beside(model.derivation, subject, judge.lane, params, batch, judge.truth)
        lines = _explained_rows(judge, "value", subject, c, values, params, batch)
        # dL/dL = 1 is where every backward pass starts: it is given, and a derivation need not write it.
        names = [name for name in gradients if name != "loss" or name in d]
        lines += _explained_rows(judge, "gradient", subject, d, names, params, batch)
    return lines + judge.rows("whole gradient", trace.gradients, params)


def with_masks_pinned(
    rows: list[Row],
    judge: Judge,
    kinks: Kinks,
    model: Model,
    trace: Trace,
    hand: HandDerivation | None,
    params: Params,
    batch: Batch,
) -> list[Row]:
    """Mark the rows of the backend's own chain that disagree only because rounding put an entry across a kink."""
    own_chain: tuple[Kind, ...] = ("whole gradient",) if model.derivation else ("whole gradient", "gradient")
    if hand is None or not kinks or all(row.agrees for row in rows if row.kind in own_chain):
        return rows
    names = explained(judge, kinks, trace, hand, params, batch)
    return [replace(row, pinned=row.kind in own_chain and row.line in names) for row in rows]


def compare_differences(
    measured: Mapping[str, Measurement], backend: str, kind: Kind, gradients: Mapping[str, np.ndarray]
) -> list[Row]:
    """Compare gradients with what the loss itself says; names that could not be measured have no row."""
    rows = []
    for name, gradient in gradients.items():
        if name in measured and measured[name].directions:
            found = compare(measured[name], gradient)
            rows.append(Row(name, kind, backend, DIFFERENCES, "float64", found.error, found.limit, slope=found.slope))
    return rows


def _explained_rows(
    judge: Judge,
    kind: Literal["value", "gradient"],
    subject: Backend,
    recorder: Recorder,
    names: Iterable[str],
    params: Params,
    batch: Batch,
) -> list[Row]:
    """Compare the lines of a hand derivation, and say of each wrong one why."""
    written = {name: subject.to_numpy(value) for name, value in recorder.written().items()}

    def diagnosed(row: Row) -> Row:
        if row.agrees:
            return row
        evidence = gather(
            "c" if kind == "value" else "d",
            row.line,
            written.get(row.line),
            truth=judge.truth,
            params=params,
            batch=batch,
            reads=recorder.reads.get(row.line, ()),
            written=written,
            limit=row.limit,
            dtype=judge.lane,
        )
        return replace(row, diagnosis=diagnose(evidence))

    return [diagnosed(row) for row in judge.rows(kind, written, names, recorder.reads)]
