"""The look-up of tokens x (n, length) in a table: out (n, length, width) holds a row for every token."""

from gradparity.operations.rules import GradientRule, d


def shapes(rows: int, width: int) -> dict[str, tuple[int, ...]]:
    """Table (rows, width): a row for each token of the vocabulary."""
    return {"table": (rows, width)}


def flops(places: int, width: int) -> int:
    """One addition per number that goes back into the table; looking up computes nothing."""
    return places * width


def value(table: str, x: str) -> str:
    """E[X]."""
    return f"{table}[{x}]"


def of_table(x: str, out: str) -> GradientRule:
    """Row k: the sum of dZ over the places of token k."""
    return GradientRule(
        rf"\left( \textstyle\sum_{{{x}_{{ij}} = k}} {d(out)}_{{ij}} \right)_k",
        "A row is copied to every place where its token stands, so the gradients of those places are summed.",
    )
