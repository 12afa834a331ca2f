"""The order of the lines, from what each of them reads."""

from collections.abc import Iterable, Mapping


def forward_order(reads: Mapping[str, Iterable[str]], params: Iterable[str]) -> list[str]:
    """Return the lines as the forward pass writes them, each parameter before the line that reads it first.

    ``reads`` has the lines in the order of the forward pass; a parameter that none of them reads comes first of all.
    """
    names = list(params)
    order: dict[str, None] = {}
    for line, sources in reads.items():
        read = set(sources)
        order.update((name, None) for name in names if name in read)
        order[line] = None
    return [*(name for name in names if name not in order), *order]
