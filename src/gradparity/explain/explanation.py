"""An explanation as data: a model's lines, each with its rule, its numbers and the machine's own operations."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, TypedDict

from gradparity.drawing.words import listing
from gradparity.explain.along import AlongWeight
from gradparity.explain.followed import Followed
from gradparity.output import plain
from gradparity.protocol import Operations

Verdict: TypeAlias = Literal["same to rounding", "different", "kink convention", "not checked"]
HAND = "by hand"


@dataclass(frozen=True)
class Column:
    """What one source says about the entries that are shown."""

    source: str
    """``HAND``, a backend that differentiates by machine, or ``DIFFERENCES`` of the loss."""
    entries: tuple[float | None, ...]
    """None where the source has no number: never written, not finite, or no derivative there."""


@dataclass(frozen=True)
class Entries:
    """One array, a line's value or its gradient, from every source at the same few places."""

    shape: tuple[int, ...]
    norm: float
    """‖·‖₂ of the whole array, the first witness's."""
    places: tuple[tuple[int, ...], ...]
    """The indices of the entries that are shown: the largest ones first, then the smallest; () where it is a scalar."""
    columns: tuple[Column, ...]
    verdict: Verdict
    """Of the hand derivation's line, fed the witness's numbers, against every other source."""
    error: float | None
    """The largest norm-wise relative error ‖a − b‖₂ / ‖b‖₂ against any machine; None where infinite or unknown."""
    note: str = ""
    """One sentence where the verdict needs one: why it differs, or why nothing was checked."""


@dataclass(frozen=True)
class ExplainedLine:
    """One named line of a derivation."""

    name: str
    parameter: bool
    forward: str
    """LaTeX of the value; empty for a parameter, and where the model has no formulas."""
    backward: str
    """LaTeX of the gradient; empty where the model has no formulas."""
    why: str
    """One sentence why the backward rule is what it is; empty where the model has none."""
    forward_code: tuple[str, ...]
    """The hand derivation's own statements that write the value, each as written; empty for a parameter."""
    backward_code: tuple[str, ...]
    """The hand derivation's own statements that write the gradient: several where it is a sum of shares."""
    value: Entries
    gradient: Entries | None
    """None for a value that is not real, such as a mask: it has no gradient."""
    machine: Mapping[str, Operations]
    """Backend -> what it does for this line; a backend that does not tell is absent."""
    followed: Followed | None = None
    """One of its entries through both passes; None where the forward pass does not run on other numbers."""


@dataclass(frozen=True)
class Edge:
    """One line reads another."""

    source: str
    """A line, or ``batch.x`` or ``batch.y``."""
    target: str


@dataclass(frozen=True)
class Explanation:
    """A model's derivation, line by line, at random parameters and examples, in float64."""

    model: str
    n: int
    """Examples in the batch."""
    seed: int
    witnesses: tuple[str, ...]
    """The backends that differentiate by machine, in the order of the columns."""
    lines: tuple[ExplainedLine, ...]
    """In the order of the forward pass: each parameter before the line that uses it first, the loss last."""
    edges: tuple[Edge, ...]
    inputs: Mapping[str, tuple[int, ...]]
    """``batch.x`` and ``batch.y`` -> shape."""
    weights: tuple[AlongWeight, ...] = ()
    """The loss along one entry of a few parameters, those that are followed."""
    remarks: tuple[str, ...] = ()
    """What else to know, such as a backend that is not installed."""

    @property
    def backwards(self) -> tuple[ExplainedLine, ...]:
        """The lines that have a gradient, in the order of the backward pass: the loss first."""
        return tuple(line for line in reversed(self.lines) if line.gradient is not None)

    @property
    def different(self) -> tuple[str, ...]:
        """The names of the lines whose value or gradient is different, in the order of the forward pass."""
        return tuple(
            line.name
            for line in self.lines
            if "different" in (line.value.verdict, line.gradient.verdict if line.gradient else "")
        )

    @property
    def agrees(self) -> bool:
        """Whether no line is different."""
        return not self.different

    @property
    def headline(self) -> str:
        """What the comparisons come to, in one sentence."""
        if self.different:
            return f"Different from the machine: {listing(self.different)}."
        return "No line differs from the machine by more than rounding."

    def reads(self, name: str) -> list[str]:
        """Return what the line of this name is computed from."""
        return [edge.source for edge in self.edges if edge.target == name]

    def read_by(self, name: str) -> list[str]:
        """Return the lines that are computed from this name, and so hand their gradients on to it."""
        return [edge.target for edge in self.edges if edge.source == name]

    def line(self, name: str) -> ExplainedLine:
        """Return the line of this name. Raises KeyError where there is none."""
        for line in self.lines:
            if line.name == name:
                return line
        raise KeyError(name)

    def way_back(self) -> tuple[ExplainedLine, ...]:
        """Return the lines that the loss's gradient passes on its way back to the first line, the loss first."""
        passed = {self.lines[0].name}
        for line in self.lines:
            if passed.intersection(self.reads(line.name)):
                passed.add(line.name)
        return tuple(line for line in self.backwards if line.name in passed)

    def _repr_html_(self) -> str:
        """Return the graph that one steps through, as Jupyter shows it."""
        from gradparity.explain.stepping import fragment

        return fragment(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON: an ``ExplanationFile``."""
        data: dict[str, Any] = plain({"format": "gradparity-explanation/1", **asdict(self), "agrees": self.agrees})
        return data


class ExplanationFile(TypedDict):
    """What ``gradparity explain --json`` writes."""

    format: Literal["gradparity-explanation/1"]
    agrees: bool
    model: str
    n: int
    seed: int
    witnesses: list[str]
    lines: list[ExplainedLine]
    edges: list[Edge]
    inputs: dict[str, list[int]]
    weights: list[AlongWeight]
    remarks: list[str]
