"""One backward rule beside one witness: rows, in either lane."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.parity.budget import DRAWS, FACTOR, ULP, Budgets
from gradparity.parity.drift import nudged
from gradparity.parity.judge import Judge
from gradparity.parity.norms import distance, norm
from gradparity.parity.report import Row
from gradparity.protocol import Dtype, Trace
from gradparity.subjects.pairs.arguments import Arguments, Arrays


def compare(
    subject: str,
    witness: str,
    found: Trace,
    truth: Trace,
    upstream: Arrays,
    lane: Dtype = "float64",
    budgets: Budgets | None = None,
) -> list[Row]:
    """Compare the outputs, and each gradient that the truth has, on the scale of ``upstream`` where it is zero."""
    judge = Judge(subject, witness, lane, Trace(truth.values, {**upstream, **truth.gradients}), budgets or {})
    values = judge.rows("value", found.values, truth.values)
    return values + judge.rows(
        "gradient", found.gradients, truth.gradients, dict.fromkeys(truth.gradients, tuple(upstream))
    )


def attempt(
    subject: str,
    witness: str,
    run: Callable[[], Trace],
    truth: Trace,
    upstream: Arrays,
    lane: Dtype = "float64",
    budgets: Budgets | None = None,
) -> list[Row]:
    """Compare what ``run`` returns, or say in a row what it raised: a rule that does not run does not agree."""
    try:
        found = run()
    except Exception as error:  # whatever the user's rule raises is what is wrong with it
        return [Row(next(iter(truth.values)), "value", subject, witness, lane, float("inf"), 0.0, reason(error))]
    return compare(subject, witness, found, truth, upstream, lane, budgets)


def reason(error: Exception) -> str:
    """Say in one line why something did not run."""
    first = str(error).strip().partition("\n")[0]
    return first if isinstance(error, UsageError) else f"raises {type(error).__name__}: {first}"


def attempt_float32(
    subject: str,
    witness: str,
    differentiate: Callable[..., Trace],
    function: Callable[..., Any],
    reference: Callable[..., Any],
    arguments: Arguments,
    upstream: Arrays,
    rng: np.random.Generator,
) -> list[Row]:
    """Compare ``function`` in float32 with ``reference`` in float64, both at numbers that float32 can hold.

    The limit is measured as for models (``gradparity.parity.budget``): how far one unit in the last place of float32
    in every number that enters moves the float64 result, times the same factor.
    """

    def changed(change: Callable[[np.ndarray], np.ndarray]) -> tuple[Arguments, Arrays]:
        real = {name: change(x) for name, x in start.real.items()}
        return start.with_real(real), {name: change(g) for name, g in dy.items()}

    start, dy = arguments, upstream
    start, dy = changed(lambda a: a.astype(np.float32).astype(np.float64))
    truth = differentiate(reference, start, dy)
    nearby = [differentiate(reference, *changed(lambda a: nudged(a, ULP, rng))) for _ in range(DRAWS)]

    def budget(values: Arrays, others: list[Arrays]) -> dict[str, float]:
        return {
            name: FACTOR * (max(distance(other[name], value) for other in others) + ULP * norm(value))
            for name, value in values.items()
        }

    budgets: Budgets = {
        "value": budget(truth.values, [trace.values for trace in nearby]),
        "gradient": budget(truth.gradients, [trace.gradients for trace in nearby]),
    }
    run = partial(differentiate, function, start, dy, "float32")
    return attempt(subject, witness, run, truth, dy, "float32", budgets)
