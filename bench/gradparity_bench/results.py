"""What a benchmark found: the raw numbers as data, everything else computed from them.

``Result.to_dict`` is the content of a result file, of the schema ``gradparity-bench/1``; a field is never renamed or
given another meaning under the same schema. Seconds are per call, bytes are bytes, and a list of rounds holds one
number for each round, the same round at the same place in every row of a point.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

from gradparity.errors import UsageError
from gradparity.protocol import Differentiation, Dtype
from gradparity_bench.ratio import Ratio, Verdict, noise_floor, paired_ratio, verdict

SCHEMA = "gradparity-bench/1"

Status = Literal["timed", "disagrees", "not installed", "not offered", "died", "hung", "out of memory", "failed"]
"""Whether a row has timings, or why not; "not offered" is a backend without this model, "failed" one that raised."""

Call = Literal["step", "epoch", "loss", "value_and_grad"]
"""What is timed: an optimiser step, an epoch with the gathering of its batches, the loss, the loss and its gradient."""
CALLS: tuple[Call, ...] = get_args(Call)

THREADS_MARGIN = 0.1
"""By how many threads the observed use may exceed what was asked, or fall short of one, before it is said."""


@dataclass(frozen=True)
class Point:
    """One place where every backend is measured: a model at its sizes, and how it is run."""

    model: str
    """A model's name, or a file as ``gradparity check`` takes it."""
    settings: Mapping[str, Any]
    """The fields of the model's spec; empty for a file."""
    batch_size: int
    dtype: Dtype
    threads: int
    """How many threads each worker is allowed."""

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Point":
        """Return the point that ``asdict`` wrote; JSON knows no tuples."""
        settings = {name: tuple(v) if isinstance(v, list) else v for name, v in content["settings"].items()}
        return cls(**{**content, "settings": settings})


@dataclass(frozen=True)
class Rounds:
    """Seconds of one call, round by round."""

    step: tuple[float, ...]
    epoch: tuple[float, ...]
    loss: tuple[float, ...]
    value_and_grad: tuple[float, ...]
    threads: tuple[float, ...]
    """CPU time over wall time of the worker's whole process during the steps: the threads that really ran."""

    def of(self, call: Call) -> tuple[float, ...]:
        """Return the seconds of one of the calls."""
        seconds: tuple[float, ...] = getattr(self, call)
        return seconds


@dataclass(frozen=True)
class Phases:
    """Seconds that are paid once, before the steady step."""

    importing: float
    """From the backend's name to the backend: its libraries are imported."""
    trace: float | None
    """From Python to the compiler's input; None where nothing is traced, or where it is part of the first step."""
    compile: float | None
    """From there to machine code; None as for ``trace``."""
    first_step: float
    """What is left of the first step: all of it where trace and compile are None."""

    @property
    def total(self) -> float:
        """All of them."""
        return self.importing + (self.trace or 0.0) + (self.compile or 0.0) + self.first_step


@dataclass(frozen=True)
class Row:
    """One backend at one point. Without timings, ``status`` and ``reason`` say why, and the numbers are None."""

    backend: str
    library: str
    """The library whose arrays it computes on; empty where the backend could not be loaded."""
    differentiation: Differentiation | None
    status: Status
    reason: str = ""
    rounds: Rounds | None = None
    phases: Phases | None = None
    steps_per_round: int = 0
    """Steps that are timed as one, so that a round lasts long enough for the clock."""
    peak_memory: int | None = None
    """Bytes by which the resident memory of the worker grew, from before the imports to its highest."""
    working_memory: int | None = None
    """The part of it that came after the imports: parameters, batch, intermediates, and the compiler's own."""
    final_loss: float | None = None
    """After the same number of steps, from the same parameters, on the same batch, in every row of the point."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What the worker had imported, by distribution."""

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Row":
        """Return the row that ``asdict`` wrote."""
        rounds, phases = content["rounds"], content["phases"]
        parts = {
            "rounds": rounds and Rounds(**{call: tuple(seconds) for call, seconds in rounds.items()}),
            "phases": phases and Phases(**phases),
        }
        return cls(**{**content, **parts})

    @property
    def timed(self) -> bool:
        """Whether there are timings."""
        return self.status == "timed"

    def seconds(self, call: Call = "step") -> float | None:
        """Return the median seconds of a call; None where the row is not timed."""
        return None if self.rounds is None else median(self.rounds.of(call))

    @property
    def threads_observed(self) -> float | None:
        """The threads that really ran during the steps: the median over the rounds."""
        return None if self.rounds is None else median(self.rounds.threads)

    @property
    def share_of_core(self) -> float:
        """What the steps were given of the core that they could have kept busy: 1 where nothing else wanted it."""
        return min(1.0, (self.threads_observed or 0.0) + THREADS_MARGIN)

    @property
    def gradient_over_loss(self) -> Ratio | None:
        """What value_and_grad costs over the loss alone: the cheap-gradient ratio.

        Reverse mode needs at most 5 times the operations (A. Griewank and A. Walther, Evaluating Derivatives, 2008,
        section 4.6: a factor between 3 and 4 when memory traffic counts).
        """
        return None if self.rounds is None else paired_ratio(self.rounds.value_and_grad, self.rounds.loss)


@dataclass(frozen=True)
class Limits:
    """What this machine could do in the same rounds, with the same dtype and threads."""

    flops_per_second: tuple[float, ...]
    """Of a large square matrix product."""
    bytes_per_second: tuple[float, ...]
    """Read and written by a copy between arrays that no cache holds."""

    @property
    def peak_flops(self) -> float:
        """Floating-point operations a second, the median over the rounds."""
        return median(self.flops_per_second)

    @property
    def bandwidth(self) -> float:
        """Bytes a second, the median over the rounds."""
        return median(self.bytes_per_second)


@dataclass(frozen=True)
class Measurement:
    """Every backend at one point."""

    point: Point
    flops: int
    """Of one step, as the spec counts them."""
    bytes: int
    """That one step must move at least: each parameter read and written once, the batch read once."""
    examples: int
    """In an epoch."""
    rows: tuple[Row, ...]
    """In the order asked for; the first is what the others are compared with."""
    again: Row | None = None
    """A second worker of the first timed backend: the A/A pair that shows the noise floor."""
    limits: Limits | None = None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Measurement":
        """Return the measurement that ``asdict`` wrote."""
        again, limits = content["again"], content["limits"]
        parts = {
            "point": Point.from_dict(content["point"]),
            "rows": tuple(map(Row.from_dict, content["rows"])),
            "again": again and Row.from_dict(again),
            "limits": limits and Limits(**{name: tuple(rates) for name, rates in limits.items()}),
        }
        return cls(**{**content, **parts})

    def row(self, backend: str) -> Row:
        """Return a backend's row. Raises KeyError where there is none."""
        for row in self.rows:
            if row.backend == backend:
                return row
        raise KeyError(backend)

    @property
    def timed(self) -> tuple[Row, ...]:
        """The rows with timings."""
        return tuple(row for row in self.rows if row.timed)

    @property
    def baseline(self) -> Row | None:
        """The first row with timings."""
        return next(iter(self.timed), None)

    def ratio(self, backend: str, to: str | None = None, call: Call = "step") -> Ratio | None:
        """Return the paired ratio of a backend's seconds to another's, by default to the baseline's.

        None where either is not timed.
        """
        other = self.baseline if to is None else self.row(to)
        own = self.row(backend)
        if other is None or own.rounds is None or other.rounds is None:
            return None
        return paired_ratio(own.rounds.of(call), other.rounds.of(call))

    def same(self, call: Call = "step") -> Ratio | None:
        """Return the ratio of the A/A pair; None where either of the two was not timed."""
        first, again = self.baseline, self.again
        if first is None or first.rounds is None or again is None or again.rounds is None:
            return None
        # Where the first backend fails in the rounds, the baseline is another one than its copy.
        return paired_ratio(again.rounds.of(call), first.rounds.of(call)) if again.backend == first.backend else None

    def noise_floor(self, call: Call = "step") -> float | None:
        """Return the largest ratio that means nothing here, above 1; None where the A/A pair was not timed."""
        same = self.same(call)
        return None if same is None else noise_floor(same)

    def verdict(self, backend: str, to: str | None = None, call: Call = "step") -> Verdict | None:
        """Say whether a backend is faster or slower than another beyond the noise; None where it cannot be said.

        On a busy machine it must also be more than what the two were given of a core explains.
        """
        other = self.baseline if to is None else self.row(to)
        ratio, floor = self.ratio(backend, to, call), self.noise_floor(call)
        if ratio is None or floor is None or other is None:
            return None
        given = sorted((self.row(backend).share_of_core, other.share_of_core))
        return verdict(ratio, max(floor, given[1] / given[0]))

    def break_even(self, backend: str, to: str | None = None) -> int | None:
        """Return the steps from which a backend is ahead for good, everything paid once included; None if never.

        Only a backend whose step is faster beyond the noise gets ahead.
        """
        own, other = self.row(backend), self.baseline if to is None else self.row(to)
        if self.verdict(backend, to) != "faster" or other is None or own.phases is None or other.phases is None:
            return None
        gain = (other.seconds() or 0.0) - (own.seconds() or 0.0)
        return max(0, int((own.phases.total - other.phases.total) / gain) + 1)

    def roofline_seconds(self) -> float | None:
        """Return the least seconds that a step could take here: the longer of computing and moving.

        S. Williams, A. Waterman and D. Patterson, Roofline, CACM 52(4), 2009, with the machine's measured limits.
        """
        if self.limits is None:
            return None
        return max(self.flops / self.limits.peak_flops, self.bytes / self.limits.bandwidth)

    def roofline_share(self, backend: str) -> float | None:
        """Return the share of the machine's limit that a backend's step reaches: 1 is as fast as this machine can."""
        least, seconds = self.roofline_seconds(), self.row(backend).seconds()
        return None if least is None or seconds is None else least / seconds

    def samples_per_second(self, backend: str, call: Call = "step") -> float | None:
        """Return the examples that a backend trains on in a second."""
        seconds = self.row(backend).seconds(call)
        return None if seconds is None else (self.examples if call == "epoch" else self.point.batch_size) / seconds


@dataclass(frozen=True)
class Result:
    """Everything a run of the benchmark found."""

    manifest: Mapping[str, str]
    """Versions and machine, as ``gradparity.manifest`` states them, and when the run began."""
    seed: int
    """Of parameters, batches and the order of turns."""
    measurements: tuple[Measurement, ...]
    complete: bool = True
    """Whether every point was reached; false after an interrupt."""

    def to_dict(self) -> dict[str, Any]:
        """Return the whole result as plain data, for JSON."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_dict(cls, content: Any) -> "Result":
        """Return the result that ``to_dict`` wrote. Raises UsageError for anything else."""
        schema = content.get("schema") if isinstance(content, Mapping) else None
        if schema != SCHEMA:
            raise UsageError(
                f"a benchmark's result has the schema '{SCHEMA}', got {schema!r}: write it anew with --json"
            )
        try:
            measurements = tuple(map(Measurement.from_dict, content["measurements"]))
            return cls(dict(content["manifest"]), content["seed"], measurements, content["complete"])
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"a benchmark's result is whole or not at all, got one without {error}") from None

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Return the result in a file. Raises UsageError where it holds none."""
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, UsageError) as error:
            raise UsageError(f"'{path}' cannot be read as a benchmark's result: {error}") from None
