"""What is differentiated twice is checked twice: the derivative of a backward rule is a problem of its own.

A backward rule is a function too, (x, dy) ↦ dx. Its vector-Jacobian product for a random upstream gradient of dx is
compared with that of the rule that autodiff makes of the plain function. A rule whose numbers are right, but which
leaves the graph on the way to them, has another one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gradparity.errors import UsageError, quoted
from gradparity.parity.differences import LossMeasurement
from gradparity.parity.examine import examine
from gradparity.parity.problem import Problem
from gradparity.parity.report import Report
from gradparity.parity.rows import Row, Unchecked
from gradparity.protocol import Array, Trace
from gradparity.subjects.arguments import Arguments, Arrays, Library, arranged_like, leaves_of, outputs
from gradparity.subjects.backward_rule import posed, reason
from gradparity.subjects.machines import in_float64, to_library

Gradients = Callable[..., dict[str, Array]]
"""(arguments …, dy) -> the gradient of each real argument, by its path."""

WHY = {
    "torch": "backward leaves the graph, as with .detach(), @once_differentiable or what is kept in ctx besides saved "
    "tensors",
    "jax": "the rule leaves the graph, as with stop_gradient",
    "numpy": "the rule is right at these numbers alone",
}
"""How a rule can be right, and its derivative not: by the library that follows it, or follows nothing."""
SECOND = "the second derivative with respect to {}"


def require_order(order: int) -> None:
    """Raise UsageError unless the order of the derivative is 1 or 2."""
    if not isinstance(order, int) or order not in (1, 2):
        raise UsageError(f"order must be 1, or 2 for what is differentiated twice, got {quoted(order)}")


def with_upstream(f: Callable[..., Any], given: Arguments, upstream: Arrays) -> Arguments:
    """Return the arguments of f's backward rule: those of f, and the upstream gradient, arranged like f's output."""
    with in_float64():
        native = to_library(given)
        y = f(*given.filled({path: native(x) for path, x in given.real.items()}, native))
    name = "dy" if "dy" not in given.names else "the upstream gradient"
    return replace(given, names=(*given.names, name), values=(*given.values, arranged_like(y, upstream)))


def upstream_of_gradients(given: Arguments, rng: np.random.Generator) -> Arrays:
    """Draw an upstream gradient of each gradient that a backward rule returns, named as ``outputs`` names them."""
    return {f"output[{path!r}]": np.asarray(rng.normal(size=x.shape)) for path, x in given.real.items()}


def gradients_by_torch(function: Callable[..., Any], given: Arguments) -> Gradients:
    """Return the backward rule that PyTorch runs for a function: its derivative is PyTorch's as well."""
    import torch

    def gradients(*arguments: Any) -> dict[str, Array]:
        *xs, dy = arguments
        real = real_leaves(given, xs)
        y, dys = outputs(function(*xs)), leaves_of("output", dy)
        roots = [name for name in y if dys[name] is not None and y[name].requires_grad]
        found = torch.autograd.grad(
            [y[name] for name in roots],
            list(real.values()),
            [dys[name] for name in roots],
            create_graph=True,
            allow_unused=True,
        )
        return {path: torch.zeros_like(x) if g is None else g for (path, x), g in zip(real.items(), found, strict=True)}

    return gradients


def gradients_by_jax(function: Callable[..., Any], given: Arguments) -> Gradients:
    """Return the backward rule that JAX runs for a function: its derivative is JAX's as well."""
    import jax

    def gradients(*arguments: Any) -> dict[str, Array]:
        *xs, dy = arguments
        fixed = replace(given, values=tuple(xs))
        y, pull_back = jax.vjp(lambda real: function(*fixed.filled(real, lambda a: a)), real_leaves(given, xs))
        dys = leaves_of("output", dy)
        whole = {name: np.zeros(value.shape, jax.dtypes.float0) for name, value in outputs(y).items()}
        (found,) = pull_back(arranged_like(y, {name: whole[name] if g is None else g for name, g in dys.items()}))
        return dict(found)

    return gradients


def real_leaves(given: Arguments, arguments: Sequence[Any]) -> dict[str, Array]:
    """Return those of the arguments that ``given`` says are real arrays, by their path."""
    every = (leaves_of(name, value) for name, value in zip(given.names, arguments, strict=True))
    return {path: leaf for each in every for path, leaf in each.items() if path in given.real}


GRADIENTS: dict[str, Callable[..., Gradients]] = {"jax": gradients_by_jax, "torch": gradients_by_torch}


def posed_twice(
    name: str,
    differentiate: Callable[..., Trace],
    rule: Gradients,
    reference: Callable[..., Any],
    given: Arguments,
    upstream: Arrays,
    rng: np.random.Generator,
) -> Problem:
    """Pose a rule, whose gradients are right, beside the reference's, both differentiated by the arguments' library.

    Raises UsageError where the reference cannot be differentiated twice.
    """
    both, upstream = with_upstream(reference, given, upstream), upstream_of_gradients(given, rng)
    truth = truth_of(differentiate, GRADIENTS[given.library](reference, given), both, upstream)
    library: str = given.library
    by = {library: partial(differentiate, GRADIENTS[given.library](reference, given))}
    run, truths = partial(differentiate, rule), {library: truth}
    problem = posed(name, _twice(name), run, both, upstream, by, truths=truths, own_forward=False)
    second = {f"d[{path!r}]": SECOND.format(path) for path in both.real}
    return replace(problem, spelling=second | dict(problem.spelling), remarks=())


def truth_of(differentiate: Callable[..., Trace], reference: Gradients, given: Arguments, upstream: Arrays) -> Trace:
    """Return the second derivatives of a plain function. Raises UsageError where there are none."""
    try:
        truth = differentiate(reference, given, upstream)
    except Exception as error:  # a plain function need not have a second derivative
        raise UsageError(f"the plain function cannot be differentiated twice: {reason(error)}") from error
    for path, gradient in truth.gradients.items():
        if not np.isfinite(gradient).all():
            raise UsageError(f"the second derivative of the plain function with respect to {path} is NaN or infinite")
    return truth


def posed_by_differences(
    name: str, truth: Trace, given: Arguments, upstream: Arrays, measured: Mapping[str, LossMeasurement]
) -> Problem:
    """Pose what a machine says of the derivative of a rule that only runs on NumPy, beside differences of the rule."""
    problem = posed(name, _twice(name), lambda *_: truth, given, upstream, {}, own_forward=False, measured=measured)
    return replace(problem, remarks=())


def and_twice(report: Report, library: Library, pose: Callable[[], Problem]) -> Report:
    """Add the rows of a rule's derivative to the report on the rule, if that agrees.

    What ``pose`` raises as UsageError is why the derivative is not checked.
    """
    if report.disagreements:
        first = "the second derivative is not looked at before the first one agrees"
        return replace(report, remarks=(*report.remarks, first))
    try:
        twice = examine(pose(), report.seed)
    except UsageError as error:
        unchecked = Unchecked("the second derivative", report.backends[0], str(error))
        return replace(report, unchecked=(*report.unchecked, unchecked))
    return replace(
        report,
        backends=(*report.backends, *twice.backends),
        witnesses=tuple(dict.fromkeys((*report.witnesses, *twice.witnesses))),
        rows=(*report.rows, *(_explained(row, library) for row in twice.rows)),
        remarks=tuple(dict.fromkeys((*report.remarks, *twice.remarks))),
        unchecked=(*report.unchecked, *twice.unchecked),
    )


def _explained(row: Row, library: Library) -> Row:
    if row.agrees:
        return row
    what = row.diagnosis or f"{SECOND.format(row.line)} is not that of the plain function"
    return replace(row, diagnosis=f"{what}; {WHY[library]}")


def _twice(name: str) -> str:
    return f"{name} differentiated twice"
