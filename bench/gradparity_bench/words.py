"""What a benchmark found, in sentences, and its numbers as a reader wants them.

    torch costs 1.9× its own hand derivation at batch 32; a tie at 2048.

Every sentence holds only verdicts beyond the noise floor of its own measurement; within it two backends tie. Where
the ratio lies outside the floor and its interval does not, the run was too noisy to tell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradparity.drawing.words import listing
from gradparity.errors import UsageError
from gradparity_bench.crossover import Crossover, crossover
from gradparity_bench.places import differing, label, place, sweep_axis, sweeps
from gradparity_bench.results import Measurement
from gradparity_bench.standings import THREADS_MARGIN, Standing

TIE = "a tie"
UNCLEAR = "too noisy to tell"
BY_HAND = "its own hand derivation"
MIB = 2**20
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def verdicts(measurements: Sequence[Measurement]) -> list[str]:
    """Return a sentence for each machine derivation beside its library's hand derivation, then for each library.

    Points that differ in more than the axis of a sweep have sentences for each of its lines.
    """
    axis = sweep_axis([m.point for m in measurements])
    lines = {"": measurements} if axis is None else sweeps(measurements, axis)
    return [
        f"{common}: {sentence}" if common else sentence
        for common, line in lines.items()
        for sentence in _verdicts(line)
    ]


def _verdicts(measurements: Sequence[Measurement]) -> list[str]:
    pairs = list(dict.fromkeys(pair for m in measurements for pair in method_pairs(m)))
    said = [
        _sentence(measurements, own, hand, costs=f"{own} costs {{}} {BY_HAND}", pair=f"{own} and {BY_HAND}")
        for own, hand in pairs
    ]
    libraries = list(dict.fromkeys(pair for m in measurements for pair in library_pairs(m)))
    said += [
        _sentence(measurements, own, base, costs=f"{own} takes {{}} the time of {base}", pair=f"{own} and {base}")
        for own, base in libraries
        if (own, base) not in pairs
    ]
    return [sentence for sentence in said if sentence]


def method_pairs(measurement: Measurement) -> list[tuple[str, str]]:
    """Return each timed backend that derives by machine with the one of the same library that is derived by hand."""
    by_hand = {row.library: row.backend for row in measurement.timed[::-1] if row.differentiation == "hand"}
    return [
        (row.backend, by_hand[row.library])
        for row in measurement.timed
        if row.differentiation == "machine" and row.library in by_hand
    ]


@dataclass(frozen=True)
class GridRow:
    """What one library does."""

    library: str
    by_hand: tuple[Standing, ...]
    by_machine: tuple[Standing, ...]


def grid(measurement: Measurement) -> list[GridRow]:
    """Arrange the rows of a measurement; those whose backend could not be loaded belong nowhere and are left out."""
    libraries = list(dict.fromkeys(row.library for row in measurement.rows if row.library))

    def of(library: str, method: str) -> tuple[Standing, ...]:
        return tuple(r for r in measurement.rows if (r.library, r.differentiation) == (library, method))

    return [GridRow(library, of(library, "hand"), of(library, "machine")) for library in libraries]


def library_pairs(measurement: Measurement) -> list[tuple[str, str]]:
    """Return each other timed backend with the baseline."""
    base = measurement.baseline
    return [] if base is None else [(row.backend, base.backend) for row in measurement.timed if row is not base]


def _sentence(measurements: Sequence[Measurement], own: str, other: str, *, costs: str, pair: str) -> str:
    """Say what one backend costs beside another at every point; points with the same words in a row are put together.

    ``costs`` has a place for the factor. Empty where nothing was measured at any point.
    """
    names = differing([m.point for m in measurements])
    found: list[tuple[str, list[str]]] = []
    for m in measurements:
        factor = _factor(m, own, other)
        if factor is None:
            continue
        if not found or found[-1][0] != factor:
            found.append((factor, []))
        # The name of the only size is said once: "at batch 32; a tie at 512".
        again = len(names) == 1 and (len(found), len(found[-1][1])) != (1, 0)
        found[-1][1].append(label(m.point, names, named=not again))
    first = {TIE: f"{pair} tie", UNCLEAR: f"{pair}: {UNCLEAR}"}
    clauses: list[str] = []
    for factor, where in found:
        said = factor if clauses else first.get(factor) or costs.format(factor)
        everywhere = len(found) == 1 and len(where) == len(measurements) > 1
        clauses.append(f"{said} at every point" if everywhere else f"{said} at {listing(where)}" if names else said)
    return f"{'; '.join(clauses)}." if clauses else ""


def _factor(measurement: Measurement, own: str, other: str) -> str | None:
    if not {own, other} <= {row.backend for row in measurement.timed}:
        return None
    ratio, said = measurement.ratio(own, other), measurement.verdict(own, other)
    if ratio is None or said is None:
        return None
    return {"tie": TIE, "unclear": UNCLEAR}.get(said) or times(ratio.value)


def noise(measurement: Measurement) -> str:
    """Say what the A/A pair showed."""
    floor, base = measurement.noise_floor(), measurement.baseline
    if base is None:
        return "nothing was timed"
    if floor is None:
        return f"the second copy of {base.backend} was not timed: without a noise floor there are no verdicts"
    return f"noise floor {floor:.2f}×, from two copies of {base.backend}: a ratio within it is a tie"


def untimed(measurement: Measurement) -> list[str]:
    """Say of each row without timings why."""
    return [f"{row.backend} is not timed, {row.status}: {row.reason}" for row in measurement.rows if not row.timed]


def cautions(measurements: Sequence[Measurement]) -> list[str]:
    """Say what to know before the numbers are believed: other threads than asked, and a busy machine."""
    said = [
        f"{row.backend} ran on {row.threads_observed:.2f} threads, {m.point.threads} asked"
        for m in measurements
        for row in m.timed
        if row.threads_observed is not None and row.threads_observed > m.point.threads + THREADS_MARGIN
    ]
    starved = [
        (row.threads_observed, row.backend)
        for m in measurements
        for row in m.timed
        if row.threads_observed is not None and row.threads_observed < 1 - THREADS_MARGIN
    ]
    if starved:
        names = listing(list(dict.fromkeys(name for _, name in starved)))
        least = min(starved)[0]
        said.append(f"the machine was busy with other work: {names} had as little as {least:.2f} of a core")
    return list(dict.fromkeys(said))


def crossovers(measurements: Sequence[Measurement]) -> list[tuple[str, list[Crossover]]]:
    """Return, for each line of a sweep, each backend's crossover from dispatch-bound to compute-bound."""
    axis = sweep_axis([m.point for m in measurements])
    if axis is None:
        return []
    return [(common, list(_crossovers(line, axis))) for common, line in sweeps(measurements, axis).items()]


def _crossovers(line: Sequence[Measurement], axis: str) -> Iterator[Crossover]:
    sizes = [place(m.point)[axis] for m in line]
    for row in line[0].rows:
        try:
            found = crossover(line, sizes, row.backend)
        except UsageError:  # along this axis a step does not grow, as along threads
            return
        if found is not None:
            yield found


def describe_crossover(found: Crossover, axis: str) -> str:
    """Say where a backend's step starts being bound by its arithmetic."""
    match found.where:
        case "below":
            return f"{found.backend} is compute-bound at every size"
        case "above":
            return f"{found.backend} is dispatch-bound at every size"
        case "within":
            at = f"{axis.replace('_', ' ')} {float(f'{found.size:.2g}'):,.0f}"
            return f"{found.backend} turns from dispatch-bound to compute-bound at about {at}"


def to_baseline(measurement: Measurement, row: Standing) -> str:
    """Write how many times as long as the baseline's a row's step takes; nothing where it is not timed."""
    ratio = measurement.ratio(row.backend)
    return "" if ratio is None else "1×" if row is measurement.baseline else times(ratio.value)


def times(ratio: float) -> str:
    """Write a ratio: 1.9×, 0.45×, 120×, and near 1 with two decimals."""
    if 0.9 <= ratio < 1.1:
        return f"{ratio:.2f}×"
    return f"{ratio:.2g}×" if ratio < 10 else f"{ratio:,.0f}×"


def seconds(value: float | None) -> str:
    """Write seconds with three digits in the unit that fits: 98.2 µs."""
    if value is None:
        return ""
    factor, unit = _unit(value)
    scaled = value / factor
    return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {unit}"


def round_seconds(value: float) -> str:
    """Write seconds that are a round number: 50 µs."""
    factor, unit = _unit(value)
    return f"{value / factor:g} {unit}"


def _unit(value: float) -> tuple[float, str]:
    return next((pair for pair in UNITS if value >= pair[0]), UNITS[-1])


def mebibytes(value: int | float | None) -> str:
    """Write bytes as 1,024 MiB."""
    return "" if value is None else f"{value / MIB:,.0f} MiB"


def share(value: float | None) -> str:
    """Write a share of a limit in percent."""
    if value is None:
        return ""
    return f"{value:.0%}" if value >= 0.1 else f"{value:.1%}" if value >= 0.001 else "<0.1%"


def rate(value: float, unit: str) -> str:
    """Write so many of a unit a second, with a prefix: 81.3 GFLOP/s."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}{unit}/s"
    return f"{value:.3g} {unit}/s"
