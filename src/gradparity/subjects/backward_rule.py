"""A function's backward rule as a problem: one line, which is given the upstream gradient of the outputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.parity.budget import DRAWS, ULP, Budgets, budgets_of, nudged
from gradparity.parity.differences import LossMeasurement
from gradparity.parity.problem import Probes, Problem, RuleRaisedError, Subject, Written, representable
from gradparity.protocol import Dtype, Trace
from gradparity.subjects.arguments import Arguments, Arrays

MISSING = {"is never written": "is None, but f depends on it", "never written": "None, but f depends on it"}
"""A rule returns None where a derivation would not write a line."""


def posed(
    name: str,
    subject: str,
    run: Callable[[], Trace],
    given: Arguments,
    upstream: Arrays,
    truths: Mapping[str, Trace],
    *,
    own_forward: bool = True,
    lane: Dtype = "float64",
    budgets: Budgets | None = None,
    measured: Mapping[str, LossMeasurement] | None = None,
    probes: Callable[[], Probes] | None = None,
    remarks: Sequence[str] | None = None,
) -> Problem:
    """Pose one way of asking for a rule's gradients. What ``run`` raises is what is wrong with the rule.

    ``truths`` hold the outputs and the gradients of the arguments; ``run`` returns the same, and without
    ``own_forward`` its outputs are not compared.
    """

    def beside(_: Dtype, truth: Trace) -> Written:
        try:
            found = run()
        except Exception as error:  # whatever the user's rule raises is what is wrong with it
            raise RuleRaisedError(reason(error)) from error
        zero = {x: np.zeros_like(g) for x, g in truth.gradients.items() if x in given.real and not g.any()}
        reads = dict.fromkeys(given.real, tuple(upstream))
        return Written(found.values if own_forward else None, {**zero, **found.gradients}, {}, reads)

    return Problem(
        name=name,
        params=given.real,
        given=given.constant_arrays,
        n=1,
        truths={witness: Trace(truth.values, {**upstream, **truth.gradients}) for witness, truth in truths.items()},
        budgets=budgets or {},
        subjects=(Subject(subject, beside=beside),),
        lanes=(lane,),
        measured=measured or {},
        probes=probes,
        seeds=frozenset(upstream),
        spelling={**MISSING, **dict(_spellings(given, upstream))},
        remarks=given.notes if remarks is None else tuple(remarks),
    )


def posed_in_float32(
    name: str,
    witness: str,
    differentiate: Callable[..., Trace],
    function: Callable[..., Any],
    reference: Callable[..., Any],
    given: Arguments,
    upstream: Arrays,
    rng: np.random.Generator,
) -> Problem:
    """Pose ``function`` in float32 beside ``reference`` in float64, both at numbers that float32 can hold.

    The limit is measured as for models: how far one unit in the last place of every number that enters moves the
    float64 result.
    """

    def changed(change: Callable[[np.ndarray], np.ndarray]) -> tuple[Arguments, Arrays]:
        real = {name: change(x) for name, x in start.real.items()}
        return start.with_real(real), {name: change(g) for name, g in dy.items()}

    start, dy = given, upstream
    start, dy = changed(representable)
    truth = differentiate(reference, start, dy)
    nearby = (differentiate(reference, *changed(lambda a: nudged(a, ULP, rng))) for _ in range(DRAWS))
    run = partial(differentiate, function, start, dy, "float32")
    budgets = budgets_of(truth, nearby)
    return posed(name, name, run, start, dy, {witness: truth}, lane="float32", budgets=budgets)


def reason(error: Exception) -> str:
    """Say in one line why something did not run."""
    first = str(error).strip().partition("\n")[0]
    return first if isinstance(error, UsageError) else f"raises {type(error).__name__}: {first}"


def _spellings(given: Arguments, upstream: Arrays) -> Iterator[tuple[str, str]]:
    for argument in given.real:
        yield f"p['{argument}']", argument
    for output in upstream:
        yield f"d['{output}']", f"dy{output.removeprefix('output')}"
        yield f"c['{output}']", f"y{output.removeprefix('output')}"
