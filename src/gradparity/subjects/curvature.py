"""``order=2`` for models: the Hessian-vector products of every backend, beside those of a machine."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from gradparity.inputs import independent
from gradparity.parity.curvature import Found, draw_direction, machine_rows, measured_along, measured_rows
from gradparity.parity.problem import Problem
from gradparity.parity.report import Report
from gradparity.parity.rows import Row, Unchecked
from gradparity.protocol import Model
from gradparity.runtime import DifferentiatesTwice
from gradparity.subjects.backward_rule import reason

Named = Mapping[str, np.ndarray]


def with_curvature(report: Report, problem: Problem, models: Mapping[str, Model]) -> Report:
    """Add to the report on a model how each backend's gradient changes along a random direction, if they agree.

    ``models`` are the backends' in float64. A machine differentiates its own gradient, and JAX the hand derivation
    that runs on it; any other is measured.
    """
    if report.disagreements:
        first = "Hessian-vector products are not looked at before the gradients agree"
        return replace(report, remarks=(*report.remarks, first))
    rng = independent(report.seed, "curvature")
    v = draw_direction(problem.params, rng)
    remarks: list[str] = []
    differentiated = {name: _differentiated(name, model, problem, v, remarks) for name, model in models.items()}
    by_machine = {name: hv for name, hv in differentiated.items() if hv}
    witnesses = {name: hv for name, hv in by_machine.items() if models[name].derivation is None}
    found: list[Found] = []
    for name, model in models.items():
        others = {witness: hv for witness, hv in witnesses.items() if witness != name}
        if name in by_machine:
            found += [row for w, hv in others.items() for row in machine_rows(name, w, by_machine[name], hv)]
        elif others:
            measured = measured_along(partial(_gradient, model, problem), problem.params, v, rng)
            found += [row for w, hv in others.items() for row in measured_rows(name, w, measured, hv)]
    if not witnesses:
        found.append(Unchecked("H·v", problem.name, "none of these backends differentiates twice: add jax or torch"))
    return replace(
        report,
        rows=(*report.rows, *(each for each in found if isinstance(each, Row))),
        remarks=(*report.remarks, *remarks),
        unchecked=(*report.unchecked, *(each for each in found if isinstance(each, Unchecked))),
    )


def _differentiated(name: str, model: Model, problem: Problem, v: Named, remarks: list[str]) -> dict[str, np.ndarray]:
    """Return H·v by the model's own library; nothing where it cannot tell it, and a remark where it should."""
    if not isinstance(model, DifferentiatesTwice):
        return {}
    try:
        found = model.hessian_vector(problem.params, problem.batch, v)
    except Exception as error:  # not every operation of a library has a second derivative
        remarks.append(f"{name} does not differentiate twice here: {reason(error)}")
        return {}
    whole = {parameter: np.asarray(found[parameter]) for parameter in problem.params} if found else {}
    if not all(np.isfinite(part).all() for part in whole.values()):
        remarks.append(f"{name} does not differentiate twice here: its H·v is NaN or infinite")
        return {}
    return whole


def _gradient(model: Model, problem: Problem, params: Named) -> Named:
    return {name: np.asarray(g) for name, g in model.value_and_grad(params, problem.batch)[1].items()}
