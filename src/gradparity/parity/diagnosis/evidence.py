"""What is known about a line that disagrees, and when a guess about it counts as explained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from gradparity.parity.diagnosis.expressions import Expression, elementwise, linear, unary
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import ZERO, distance, norm
from gradparity.protocol import Dtype, Params, Trace

Symbol = Literal["c", "d"]

CHANCE = 1e-6
"""How likely a random error may be to look explained by one guess."""
CLOSE = 0.05
"""A guess leaves at most this share of the error over, however many entries speak for it."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """One line, what it should be, and every other named array that it could have used or forgotten."""

    symbol: Symbol
    """"c": a value of the forward pass; "d": a gradient."""
    name: str
    array: Shaped[np.ndarray, "..."] | None
    """What the hand derivation wrote, or None where it wrote nothing."""
    expected: Float[np.ndarray, "..."]
    """The witness's, in float64."""
    n: int
    """Examples in the batch."""
    terms: Mapping[str, Float[np.ndarray, "..."]]
    """The other finite arrays, in float64, as a derivation calls them: ``d['z1']``, ``batch.x``."""
    reads: tuple[str, ...] = ()
    """Which of the terms the line is known to have read."""
    limit: float = FLOAT64_LIMIT
    """The largest relative error that rounding explains."""
    dtype: Dtype = "float64"
    """What the array's dtype should be."""
    strays: Mapping[str, Shaped[np.ndarray, "..."]] = field(default_factory=dict)
    """What was written under names that the witness does not have."""

    @property
    def line(self) -> str:
        """The line as a derivation writes it: ``d['W1']``."""
        return f"{self.symbol}[{self.name!r}]"

    @cached_property
    def upstream(self) -> float:
        """The largest norm among the arrays that the line read."""
        return max((norm(self.terms[read]) for read in self.reads if read in self.terms), default=0.0)

    @cached_property
    def vanishes(self) -> bool:
        """Whether the right value is zero by mathematics, so that only rounding is left of it."""
        return norm(self.expected) <= ZERO * self.upstream

    @property
    def scale(self) -> float:
        """The norm that a relative error is relative to."""
        return self.upstream if self.vanishes else norm(self.expected)

    @property
    def per_example(self) -> bool:
        """Whether axis 0 counts the examples."""
        return self.expected.shape[:1] == (self.n,) and f"p[{self.name!r}]" not in self.terms


@dataclass(frozen=True, eq=False)
class Discrepancy:
    """A finite array of the right shape whose numbers are wrong. A single number has the shape (1,) here."""

    evidence: Evidence
    array: Float[np.ndarray, "..."]
    """What was written, in float64."""
    expected: Float[np.ndarray, "..."]
    """The witness's."""

    @cached_property
    def difference(self) -> Float[np.ndarray, "..."]:
        """The error: array − expected."""
        return np.asarray(self.array - self.expected)

    @cached_property
    def size(self) -> float:
        """‖array − expected‖₂."""
        return norm(self.difference)

    @cached_property
    def wrong(self) -> Bool[np.ndarray, "..."]:
        """Which entries differ by more than rounding explains."""
        e = self.evidence
        size = e.upstream if e.vanishes else np.max(np.abs(self.expected), initial=0.0)
        return np.asarray(np.abs(self.difference) > e.limit * size)

    @cached_property
    def landmarks(self) -> Int[np.ndarray, "3 m"]:
        """The flat indices of the largest entries of array, expected and difference, three of each."""
        return np.array([_largest(a) for a in (self.array, self.expected, self.difference)])

    def like_error(self, values: Float[np.ndarray, "*many m"]) -> Bool[np.ndarray, "*many"]:
        """Whether the entries at ``landmarks[2]`` are about those of the error: a quick no for most guesses."""
        return _near(values, self.difference.flat[self.landmarks[2]])

    def _promising(self, values: Float[np.ndarray, "*many m"]) -> Bool[np.ndarray, "*many"]:
        """Whether the entries at the landmarks could be those of array, of expected or of a multiple of the error."""
        as_array, as_expected, as_error = np.moveaxis(values.reshape(*values.shape[:-1], *self.landmarks.shape), -2, 0)
        error = self.difference.flat[self.landmarks[2]]
        multiple = as_error[..., :1] / error[:1]
        return np.asarray(
            _near(as_array, self.array.flat[self.landmarks[0]])
            | _near(as_expected, self.expected.flat[self.landmarks[1]])
            | (_near(as_error, multiple * error) & (multiple[..., 0] != 0))
        )

    @cached_property
    def candidates(self) -> list[Expression]:
        """What the line could have computed from the other arrays, the simplest first."""
        terms, shape = self.evidence.terms, self.expected.shape
        products = elementwise(terms, shape, self.landmarks.ravel(), self._promising)
        return [*unary(terms, shape), *linear(terms, shape), *products]

    @cached_property
    def equal_candidates(self) -> list[Expression]:
        """Those of them that the array is equal to."""
        return [x for x in self.candidates if self.agree(self.array, x.value)]

    @cached_property
    def elsewhere_right(self) -> bool:
        """Whether rounding explains the rest of the entries together."""
        return norm(self.difference[~self.wrong]) <= self.evidence.limit * self.evidence.scale

    def agree(
        self, a: Float[np.ndarray, "..."], b: Float[np.ndarray, "..."], *, entries: int | None = None, free: int = 0
    ) -> bool:
        """Whether a guess that makes a equal to b explains the error.

        They must be equal up to rounding, and closer than chance brings them: a random error in m ``entries``
        (unless given, the wrong ones) comes within a fraction f of a guess with k ``free`` fitted numbers with
        probability of about f^(m−k).
        """
        left = (int(np.count_nonzero(self.wrong)) if entries is None else entries) - free
        if left < 1:
            return False
        close: float = min(CLOSE, CHANCE ** (1 / left)) * self.size
        if np.max(np.abs(a - b), initial=0.0) > close:
            return False
        return distance(a, b) <= min(close, self.evidence.limit * max(norm(a), norm(b)))


def _largest(a: Float[np.ndarray, "..."]) -> Int[np.ndarray, " m"]:
    return np.argsort(np.abs(a), axis=None)[-3:][::-1]


def _near(values: Float[np.ndarray, "*many m"], target: Float[np.ndarray, "*other m"]) -> Bool[np.ndarray, "*many"]:
    within = CLOSE * np.abs(target).max(axis=-1, keepdims=True)
    return np.asarray((np.abs(values - target) <= within).all(axis=-1))


def gather(
    symbol: Symbol,
    name: str,
    array: Shaped[np.ndarray, "..."] | None,
    *,
    truth: Trace,
    params: Params,
    given: Mapping[str, np.ndarray],
    n: int,
    reads: tuple[str, ...] = (),
    written: Mapping[str, Shaped[np.ndarray, "..."]] | None = None,
    limit: float = FLOAT64_LIMIT,
    dtype: Dtype = "float64",
) -> Evidence:
    """Collect the evidence on one line from what a check has at hand, all of it NumPy.

    ``truth`` is the witness's float64 trace; ``given`` are the arrays of the batch, as a derivation calls them, of n
    examples; ``reads`` are the names that the line read from the mapping it was written to, ``written`` is everything
    that was written there.
    """
    values, gradients = truth.values, truth.gradients
    own = values if symbol == "c" else gradients
    expected = np.asarray(own[name], dtype=np.float64)
    terms = {f"d[{other!r}]": g for other, g in gradients.items()} if symbol == "d" else {}
    terms |= {f"c[{other!r}]": value for other, value in values.items()}
    terms |= {f"p[{other!r}]": p for other, p in params.items()}
    for label, other in given.items():
        # An embedding's rows count the tokens of x, a classifier's columns the classes of y.
        first, last = expected.shape[:1], expected.shape[-1:]
        terms |= _of_batch(label, other, (*last, *first) if label == "batch.y" else (*first, *last))
    del terms[f"{symbol}[{name!r}]"]
    known = tuple(f"{symbol}[{read!r}]" for read in reads)
    finite = {term: np.asarray(a, dtype=np.float64) for term, a in terms.items() if np.isfinite(a).all()}
    return Evidence(
        symbol,
        name,
        array,
        expected,
        n=n,
        terms={term: finite[term] for term in sorted(finite, key=lambda term: term not in known)},
        reads=tuple(dict.fromkeys(known)),
        limit=limit,
        dtype=dtype,
        strays={other: a for other, a in (written or {}).items() if other not in own},
    )


def _of_batch(name: str, array: np.ndarray, widths: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The examples as they are, or whole numbers one-hot, in the first of these widths that holds them all."""
    if array.dtype.kind == "f":
        return {name: array}
    wide_enough = [width for width in widths if width > array.max(initial=0)]
    return {f"one_hot({name})": np.equal(array[..., None], np.arange(width)) for width in wide_enough[:1]}
