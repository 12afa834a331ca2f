"""What became slower or faster between two results of the same machine, beyond the noise of both.

Two runs are not paired, so the interval of a change is the bootstrap over the processes of each run by itself. A change
counts where the whole interval lies outside the larger noise floor of the two runs, times how much the machine's own
limits (its matrix product and its copy) moved between them: what slowed everything is no change of a backend.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gradparity.errors import UsageError
from gradparity.timing import Ratio, Verdict, unpaired_ratio, verdict
from gradparity_bench import words
from gradparity_bench.places import full_label
from gradparity_bench.results import Limits, Measurement, Result
from gradparity_bench.standings import Call, Point, Standing

MACHINE = ("CPU", "cores")
"""What must be the same for seconds to be compared."""
WHEN = "began"
COMPARED: tuple[Call, ...] = ("step", "epoch")


@dataclass(frozen=True)
class Change:
    """One call of one backend at one point, before and after."""

    point: Point
    backend: str
    call: Call
    ratio: Ratio
    """Of the new seconds to the old ones."""
    floor: float
    """The largest factor that means nothing here."""

    @property
    def verdict(self) -> Verdict:
        """Whether it became faster or slower beyond the noise."""
        return verdict(self.ratio, self.floor)


@dataclass(frozen=True)
class Changes:
    """Everything that two results have in common, and what one of them lacks."""

    compared: tuple[Change, ...]
    lost: tuple[tuple[Point, Standing], ...]
    """Rows that had timings and have none any more."""
    versions: Mapping[str, tuple[str, str]]
    """What the manifests state differently: name -> old and new."""
    remarks: tuple[str, ...]
    """What speaks against believing the comparison."""

    @property
    def slower(self) -> bool:
        """Whether anything became slower beyond the noise, or is not timed any more."""
        return bool(self.lost) or any(change.verdict == "slower" for change in self.compared)


def changes(old: Result, new: Result) -> Changes:
    """Compare two results. Raises UsageError where they are of different machines or have nothing in common."""
    for name in MACHINE:
        before, after = old.manifest.get(name), new.manifest.get(name)
        if before != after:
            raise UsageError(
                f"two results are compared on one machine, got {name} '{before}' and '{after}': measure both on one"
            )
    pairs = [(m, n) for m in old.measurements for n in new.measurements if m.point == n.point]
    compared = tuple(change for m, n in pairs for change in _compared(m, n))
    lost = tuple((n.point, row) for m, n in pairs for row in _lost(m, n))
    if not compared and not lost:
        raise UsageError(
            "two results are compared where both timed a backend at the same point (model, sizes, batch size, dtype, "
            "threads), got none: run both with the same options"
        )
    names = [name for name in {**old.manifest, **new.manifest} if name != WHEN]
    versions = {
        name: (old.manifest.get(name, "none"), new.manifest.get(name, "none"))
        for name in names
        if old.manifest.get(name) != new.manifest.get(name)
    }
    ages = {"before": [m for m, _ in pairs], "now": [n for _, n in pairs]}
    remarks = tuple(f"{age}, {caution}" for age, own in ages.items() for caution in words.cautions(own))
    return Changes(compared, lost, versions, remarks)


def changes_in_words(found: Changes) -> Iterator[str]:
    """Yield a line for each difference of the manifests, remark and change beyond the noise, then a summary."""
    for name, (before, after) in found.versions.items():
        yield f"{name}: {before} before, {after} now"
    yield from found.remarks
    for point, row in found.lost:
        yield f"{row.backend} is not timed any more at {full_label(point)}, {row.status}: {row.reason}"
    changed = [change for change in found.compared if change.verdict != "tie"]
    for change in changed:
        yield _line(change)
    within = len(found.compared) - len(changed)
    yield f"{len(changed)} of {len(found.compared)} timings changed beyond the noise; {within} did not."
    if within:
        largest = max(change.floor for change in found.compared)
        yield f"A change by less than {words.times(largest)} counts as noise here."


def drift(old: Limits | None, new: Limits | None) -> float:
    """Return the factor, at least 1, by which the machine's own limits moved between two runs; 1 where unknown."""
    if old is None or new is None:
        return 1.0
    moved = (math.log(new.peak_flops / old.peak_flops), math.log(new.bandwidth / old.bandwidth))
    return math.exp(max(map(abs, moved)))


def _compared(old: Measurement, new: Measurement) -> Iterator[Change]:
    moved = drift(old.limits, new.limits)
    for before in old.timed:
        after = next((row for row in new.timed if row.backend == before.backend), None)
        for call in COMPARED:
            floors = old.noise_floor(call), new.noise_floor(call)
            if after is None or before.rounds is None or after.rounds is None or None in floors:
                continue
            own, other = after.rounds, before.rounds
            ratio = unpaired_ratio(own.of(call), other.of(call), own.processes, other.processes)
            largest = max(floor for floor in floors if floor is not None)
            yield Change(new.point, before.backend, call, ratio, largest * moved)


def _lost(old: Measurement, new: Measurement) -> Iterator[Standing]:
    had = {row.backend for row in old.timed}
    return (row for row in new.rows if row.backend in had and not row.timed)


def _line(change: Change) -> str:
    ratio = change.ratio
    what = "a step" if change.call == "step" else "an epoch"
    return (
        f"{change.backend} became {change.verdict} at {full_label(change.point)}: {what} takes "
        f"{words.times(ratio.value)} what it took ({ratio.low:.2f} to {ratio.high:.2f})"
    )
