"""What a benchmark found: the raw numbers as data, everything else but its one conclusion computed from them.

``Result.to_dict`` is the content of a result file, of the schema ``gradparity-bench/1``; a field is never renamed or
given another meaning under the same schema. Seconds are per call, bytes are bytes, and a list of rounds holds one
number for each round, the same round at the same place in every row of a point.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from gradparity import formats
from gradparity.formats import Positive
from gradparity.timing import (
    SMALLEST,
    SMALLEST_OF_SEVERAL,
    Ratio,
    Verdict,
    noise_floor,
    paired_ratio,
    several,
    verdict,
)
from gradparity_bench.standings import CALLS, Call, Point, Standing

SCHEMA: Final = "gradparity-bench/1"


@dataclass(frozen=True)
class Limits:
    """What this machine could do in the same rounds, with the same dtype and threads."""

    flops_per_second: Annotated[tuple[Positive, ...], Meta(min_length=1)]
    """Of a large square matrix product."""
    bytes_per_second: Annotated[tuple[Positive, ...], Meta(min_length=1)]
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
    rows: tuple[Standing, ...]
    """In the order asked for; the first is what the others are compared with."""
    again: Standing | None = None
    """A second worker of the first timed backend: the A/A pair that shows the noise floor."""
    limits: Limits | None = None

    def __post_init__(self) -> None:
        """Raise ValueError unless every timed row tells of each round: they are compared round by round."""
        rows = [row for row in (*self.rows, self.again) if row is not None and row.rounds is not None]
        if any(not row.rounds.threads for row in rows if row.rounds):
            raise ValueError("a timed row must have at least one round")
        processes = {row.rounds.processes for row in rows if row.rounds}
        if len(processes) > 1 or any(
            own and len(own) != len(row.rounds.threads) for own in processes for row in rows if row.rounds
        ):
            raise ValueError("every row must name the process of each round, and all the same ones")
        for call in CALLS:
            counts = {len(row.rounds.of(call)) for row in rows if row.rounds}
            if len(counts) > 1:
                raise ValueError(f"every row must have as many rounds of {call}, got {sorted(counts)}")

    def row(self, backend: str) -> Standing:
        """Return a backend's row. Raises KeyError where there is none."""
        for row in self.rows:
            if row.backend == backend:
                return row
        raise KeyError(backend)

    @property
    def timed(self) -> tuple[Standing, ...]:
        """The rows with timings."""
        return tuple(row for row in self.rows if row.timed)

    @property
    def baseline(self) -> Standing | None:
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
        return paired_ratio(own.rounds.of(call), other.rounds.of(call), own.rounds.processes)

    def same(self, call: Call = "step") -> Ratio | None:
        """Return the ratio of the A/A pair; None where either of the two was not timed."""
        first, again = self.baseline, self.again
        if first is None or first.rounds is None or again is None or again.rounds is None:
            return None
        # Where the first backend fails in the rounds, the baseline is another one than its copy.
        if again.backend != first.backend:
            return None
        return paired_ratio(again.rounds.of(call), first.rounds.of(call), first.rounds.processes)

    def noise_floor(self, call: Call = "step") -> float | None:
        """Return the largest ratio that means nothing here, above 1; None where the A/A pair was not timed."""
        same, first = self.same(call), self.baseline
        if same is None or first is None or first.rounds is None:
            return None
        return noise_floor(same, SMALLEST_OF_SEVERAL if several(first.rounds.processes) else SMALLEST)

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
    choice: tuple[str, ...] = ()
    """Which backend to choose, a sentence for each line of a sweep."""
    schema: Literal["gradparity-bench/1"] = SCHEMA

    def to_dict(self) -> dict[str, Any]:
        """Return the whole result as plain data, for JSON."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Return the result in a file. Raises UsageError where it holds none."""
        return formats.read(path, cls, "a benchmark's result", "write it anew with gradparity bench --json")
