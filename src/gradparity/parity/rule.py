"""Whether each backward line is a rule, and not only right for the upstream gradients that it happens to get.

With softmax cross-entropy the rows of d["logits"] sum to zero, so ``d["a"] = d["logits"] @ (W + rowsum(W)).T`` passes
every comparison. So each line is also fed *random* upstream gradients at the names that it reads (d["loss"] stays 1),
and must then give the vector-Jacobian product of the forward lines that read its name. That product is measured along a
random direction v, without autodiff: ⟨d[name], v⟩ is the change of Σ ⟨upstream of a line, its value⟩ along v, where
every forward line is fed the witness's values.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradparity.errors import UsageError
from gradparity.inputs import independent
from gradparity.parity import derivative
from gradparity.parity.norms import norm, typical_size
from gradparity.parity.perturbed import Loss
from gradparity.parity.problem import Problem
from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity.recording import Recorder

NEARBY = 2.0**-10
"""Far enough for rounding not to hide it, near enough for a logarithm to stay one."""
MEASURED = 150
"""Shares of a gradient, each held against each use, from which on that takes minutes."""
SHOWS = 1e-6
"""A relative difference below this may be the measurement's."""


def no_rules(problem: Problem, rng: np.random.Generator, wrong: Collection[str] = ()) -> Iterator[str]:
    """Yield a sentence for each line that is right at the true upstream gradients and wrong at others.

    ``wrong`` are lines that are not right anyway. A line cannot be asked where it does not read, from ``d``, the
    gradients of all that its name goes into, or where the forward pass goes on with local variables instead of ``c``.
    """
    hand = problem.hand
    if hand is None:
        return
    truth = problem.first
    other = {name: _other(name, g, rng) for name, g in truth.gradients.items()}
    try:
        asked = _backward(hand, problem, other)
    except (UsageError, ArithmeticError):  # what it does not take at other numbers says nothing about its rules
        return
    known = {name for line in asked for name in (line.name, *line.read)} | {"loss"}
    children = _children(hand, problem, known)
    for line in asked:
        into = children.get(line.name, set())
        if line.name in wrong or not into or into == {"loss"} or not into <= set(line.read):
            continue
        if not {line.name, *into} <= truth.gradients.keys():  # a witness need not have every name
            continue
        along = _Along(hand, problem, line.name, known, rng)
        if not along.fits(truth.gradients[line.name], {name: truth.gradients[name] for name in into}):
            continue
        if not along.fits(line.gradient, {name: other[name] for name in into}):
            yield (
                f"d[{line.name!r}] is right here, but not the rule: with another gradient of "
                f"{' and '.join(sorted(into))} it would be wrong"
            )


class _Line(NamedTuple):
    name: str
    gradient: Array
    read: tuple[str, ...]
    """What was read from ``d`` before it was written: by this line, or into a local variable."""


def _other(name: str, gradient: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if name == "loss":
        return np.asarray(gradient)
    size = typical_size(np.asarray(gradient))
    return np.asarray(rng.normal(size=gradient.shape) * size)


def _backward(hand: HandDerivation, problem: Problem, upstream: Mapping[str, Array]) -> list[_Line]:
    """Run the backward pass on the true values and other upstream gradients."""
    c = Recorder("c", problem.first.values)
    d = Recorder("d", upstream, seed="loss")
    with np.errstate(all="ignore"):
        hand.forward(problem.params, problem.batch, c)
        hand.backward(problem.params, problem.batch, c, d)
    lines, read = [], dict[str, None]()
    for name, gradient in d.written().items():
        read |= dict.fromkeys(d.reads[name])
        lines.append(_Line(name, gradient, tuple(read)))
    return [line for line in lines if line.name in problem.first.gradients and line.name != "loss"]


def _children(hand: HandDerivation, problem: Problem, known: Collection[str]) -> dict[str, set[str]]:
    """Return, for each name, the forward lines that read it: through lines whose gradient has no name, too."""
    children: dict[str, set[str]] = {}
    for line, reads in reversed(forward_reads(hand, problem).items()):
        into = {line} if line in known else children.get(line, set())
        for read in reads:
            children.setdefault(read, set()).update(into)
    return children


def forward_reads(hand: HandDerivation, problem: Problem) -> dict[str, tuple[str, ...]]:
    """Return, for each line in the order of the forward pass, the lines and the parameters that it is computed from.

    A parameter shows in what changes with it, while every line is fed the witness's values.
    """

    def run(params: Params) -> Recorder:
        c = Recorder("c", problem.first.values)
        with np.errstate(all="ignore"):
            hand.forward(params, problem.batch, c)
        return c

    here = run(problem.params)
    values, reads = here.written(), {line: dict.fromkeys(here.reads[line]) for line in here.written()}
    for name, value in problem.params.items():
        moved = run({**problem.params, name: value + NEARBY * typical_size(value)}).written()
        for line in values:
            if not np.array_equal(moved[line], values[line]):
                reads[line][name] = None
    return {line: tuple(names) for line, names in reads.items()}


class _Along:
    """The forward lines, each fed the witness's values, along one direction of one name."""

    def __init__(
        self, hand: HandDerivation, problem: Problem, name: str, known: Collection[str], rng: np.random.Generator
    ) -> None:
        self._hand = hand
        self._problem = problem
        self._name = name
        self._fed = {other: value for other, value in problem.first.values.items() if other in known}
        self._value = np.asarray(problem.params[name] if name in problem.params else problem.first.values[name])
        size = typical_size(self._value)
        self._v = np.asarray(rng.normal(size=self._value.shape) * size)

    def fits(self, gradient: Array, upstream: Mapping[str, Array]) -> bool:
        """Whether ⟨gradient, v⟩ is the change of Σ ⟨upstream, value⟩ along v; also where a kink forbids to say."""
        loss = Loss(self._weighted(upstream), {self._name: self._value}, self._problem.batch, {})
        if np.shape(gradient) != self._v.shape:
            return True
        predicted = float(np.vdot(gradient, self._v))
        least = norm(np.asarray(gradient)) * norm(self._v) * SHOWS
        exact = loss.complex_step(self._name, self._v)
        if exact is not None and abs(predicted - exact) <= SHOWS * max(abs(predicted), least):
            return True
        here = loss.run({})
        noise = derivative.noise(lambda t: float(loss.run({self._name: t * self._v}).loss))
        found = loss.along(self._name, self._v, here, noise)
        if found is None:
            return True
        scale = max(abs(predicted), abs(found.derivative), least)
        return abs(predicted - found.derivative) <= found.accuracy + SHOWS * scale

    def _weighted(self, upstream: Mapping[str, Array]) -> Callable[[Params, Batch, Any], None]:
        def forward(moved: Params, batch: Batch, c: Any) -> None:
            (value,) = moved.values()
            p = {**self._problem.params, **({self._name: value} if self._name in self._problem.params else {})}
            own = Recorder("c", {**self._fed, **({} if self._name in p else {self._name: value})})
            self._hand.forward(p, batch, own)
            written = own.written()
            c["loss"] = sum(np.sum(g * written[name]) for name, g in upstream.items())

        return forward


def wrong_share(problem: Problem, name: str, shares: Sequence[np.ndarray]) -> int | None:
    """Return which of several shares of d[name] is wrong, where one is and all others are those of one use each.

    A use is a forward line that reads the name, or one pass of it. Where shares are sums over several uses, or more
    than one is wrong, that is not told.
    """
    hand, truth = problem.hand, problem.first
    if hand is None or len(shares) < 2 or name not in {**problem.params, **truth.values}:
        return None
    children = _children(hand, problem, {*truth.gradients})
    uses = [
        use for child in children.get(name, ()) if child in truth.gradients for use in _uses(child, truth.gradients)
    ]
    if len(shares) * len(uses) > MEASURED:
        return None
    along = _Along(hand, problem, name, {*truth.gradients} | {"loss"}, independent(0, "shares"))
    lost = [i for i, share in enumerate(shares) if not any(along.fits(share, use) for use in uses)]
    return lost[0] if len(lost) == 1 else None


def _uses(child: str, gradients: Mapping[str, np.ndarray]) -> Iterator[dict[str, Array]]:
    """Yield the upstream gradient of a line, and of each of its passes alone."""
    whole = np.asarray(gradients[child])
    yield {child: whole}
    for t in range(len(whole) if whole.ndim else 0):
        alone = np.zeros_like(whole)
        alone[t] = whole[t]
        yield {child: alone}
