"""The grid that separates the library from the method: a row for each library, a column for each way to derive."""

from dataclasses import dataclass

from gradparity_bench.results import Measurement, Row


@dataclass(frozen=True)
class GridRow:
    """What one library does."""

    library: str
    by_hand: tuple[Row, ...]
    by_machine: tuple[Row, ...]


def grid(measurement: Measurement) -> list[GridRow]:
    """Arrange the rows of a measurement; those whose backend could not be loaded belong nowhere and are left out."""
    libraries = list(dict.fromkeys(row.library for row in measurement.rows if row.library))

    def of(library: str, method: str) -> tuple[Row, ...]:
        return tuple(r for r in measurement.rows if (r.library, r.differentiation) == (library, method))

    return [GridRow(library, of(library, "hand"), of(library, "machine")) for library in libraries]
