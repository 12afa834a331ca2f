"""A function's backward rule as a problem: one line, which is given the upstream gradient of the outputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from traceback import extract_tb
from typing import Any

import numpy as np

from gradparity.drawing.words import listing
from gradparity.errors import UsageError
from gradparity.parity.budget import DRAWS, ULP, Budgets, budgets_of, nudged
from gradparity.parity.differences import LossMeasurement
from gradparity.parity.problem import Changed, Probes, Problem, RuleRaisedError, Subject, Written, representable
from gradparity.protocol import Dtype, Trace
from gradparity.subjects.arguments import Arguments, Arrays

MISSING = {"is never written": "is None, but f depends on it", "never written": "None, but f depends on it"}
"""A rule returns None where a derivation would not write a line."""


Differentiate = Callable[[Arguments, Arrays], Trace]
"""Returns outputs and gradients at arguments and upstream gradients."""


def posed(
    name: str,
    subject: str,
    run: Differentiate,
    given: Arguments,
    upstream: Arrays,
    witnesses: Mapping[str, Differentiate],
    *,
    truths: Mapping[str, Trace] | None = None,
    own_forward: bool = True,
    in_float32: bool = True,
    lane: Dtype = "float64",
    budgets: Budgets | None = None,
    measured: Mapping[str, LossMeasurement] | None = None,
    probes: Callable[[], Probes] | None = None,
    remarks: Sequence[str] | None = None,
    rtol: float = 0.0,
    code: tuple[Callable[..., Any], ...] = (),
    values: Callable[[], Arrays] = dict,
    again: Callable[[], Problem] | None = None,
) -> Problem:
    """Pose one way of asking for a rule's gradients. What ``run`` raises is what is wrong with the rule.

    ``truths``, if they are known, are what the ``witnesses`` return: the outputs and the gradients of the arguments.
    ``run`` returns the same, and without ``own_forward`` its outputs are not compared. With ``in_float32`` it may
    return float32 in the lane of float64 too: what it errs by is then judged by what computing in float32 explains.
    """
    known = {name: by(given, upstream) for name, by in witnesses.items()} if truths is None else truths

    @cache
    def found_once() -> Trace:
        return run(given, upstream)

    def beside(_: Dtype, truth: Trace) -> Written:
        try:
            found = found_once()
        except Exception as error:  # whatever the user's rule raises is what is wrong with it
            frames = extract_tb(error.__traceback__)
            raise RuleRaisedError(reason(error), any(frame.name == "backward" for frame in frames)) from error
        zero = {x: np.zeros_like(g) for x, g in truth.gradients.items() if x in given.real and not g.any()}
        reads = dict.fromkeys(given.real, tuple(upstream))
        values, gradients = found.values, found.gradients
        if in_float32 and lane == "float64":
            values, gradients = _widened(values), _widened(gradients)
        return Written(values if own_forward else None, {**zero, **gradients}, {}, reads)

    def elsewhere(differentiate: Differentiate) -> Changed:
        return lambda change: differentiate(*changed(given, upstream, change))

    return Problem(
        name=name,
        params=given.real,
        given=given.constant_arrays,
        n=0,
        truths={witness: Trace(truth.values, {**upstream, **truth.gradients}) for witness, truth in known.items()},
        budgets=budgets or {},
        subjects=(Subject(subject, beside=beside, changed=elsewhere(run)),),
        lanes=(lane,),
        measured=measured or {},
        probes=probes,
        seeds=frozenset(upstream),
        spelling={**MISSING, **dict(_spellings(given, upstream))},
        remarks=given.notes if remarks is None else tuple(remarks),
        rtol=rtol,
        changed={witness: elsewhere(by) for witness, by in witnesses.items()},
        code=code,
        values=values,
        again=again,
    )


def posed_in_float32(
    name: str,
    subject: str,
    run: Differentiate,
    given: Arguments,
    upstream: Arrays,
    witness: tuple[str, Differentiate],
    rng: np.random.Generator,
    *,
    own_forward: bool = True,
    rtol: float = 0.0,
) -> Problem:
    """Pose ``run``, in float32, beside a witness in float64, both at numbers that float32 can hold.

    The limit is measured as for models: how far one unit in the last place of every number that enters moves the
    float64 result.
    """
    start, dy = changed(given, upstream, representable)
    by = witness[1]
    truth = by(start, dy)
    nearby = (by(*changed(start, dy, lambda a: nudged(a, ULP, rng))) for _ in range(DRAWS))
    budgets = budgets_of(truth, nearby)
    return posed(
        name,
        subject,
        run,
        start,
        dy,
        dict([witness]),
        truths={witness[0]: truth},
        own_forward=own_forward,
        lane="float32",
        budgets=budgets,
        rtol=rtol,
    )


def changed(
    given: Arguments,
    upstream: Arrays,
    change: Callable[[np.ndarray], np.ndarray],
    which: Mapping[str, np.ndarray] | None = None,
) -> tuple[Arguments, Arrays]:
    """Return arguments and upstream gradients with every real array changed, or with ``which`` alone."""
    real = {name: change(x) for name, x in (given.floats if which is None else which).items()}
    return given.with_real(real), {name: change(g) for name, g in upstream.items()}


def none_note(name: str, without: Sequence[str]) -> str:
    """Say that a rule returned None for these real arguments, and how to ask for them."""
    return f"{name} returns None for {listing(without)}: not checked; constant=[] asks for the gradient of everything"


def reason(error: Exception) -> str:
    """Say in one line why something did not run."""
    first = str(error).strip().partition("\n")[0]
    return first if isinstance(error, UsageError) else f"raises {type(error).__name__}: {first}"


def _widened(arrays: Arrays) -> Arrays:
    return {x: a.astype(np.float64) if a.dtype == np.float32 else a for x, a in arrays.items()}


def _spellings(given: Arguments, upstream: Arrays) -> Iterator[tuple[str, str]]:
    for argument in given.real:
        yield f"p[{argument!r}]", argument
    for output in upstream:
        yield f"d[{output!r}]", f"dy{output.removeprefix('output')}"
        yield f"c[{output!r}]", f"y{output.removeprefix('output')}"
