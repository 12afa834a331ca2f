"""``python -m tests.faults``: write docs/faults.md, what can go wrong and what comes back, counted from the tests.

A test says which row it stands behind, ``@pytest.mark.fault(kind="journal")``, and with ``cases=`` how many it tries.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faults.md"
MARK = "fault"
FAULTS = {
    "options": (
        "Words, numbers and sizes on the command line that nothing can be done with; an option without its partner",
        "one line: the rule, what was received, the likely fix; status 2, before any work",
    ),
    "python": ("The same in Python", "a `UsageError` that says the same"),
    "file": (
        "A model file or plain code with a mistake that is no wrong gradient: a name, a shape, NumPy on tensors",
        "one line with file, line, and how it is written",
    ),
    "unruly": (
        "A file that exits, is `async`, nests too deep, leaves threads, changes folder, returns NaN",
        "one line, status 2; never 0; its neighbours and your outputs stay what they were",
    ),
    "exercise": (
        "An exercise's file that loops, forks, raises, rewrites itself or makes itself right",
        "a sentence; whatever it began is ended, and the truth is worked out elsewhere",
    ),
    "backend": (
        "A backend that raises, exits or hangs, wherever it is asked, or is none",
        "its own row, with a sentence; the others are checked, trained and timed",
    ),
    "lie": (
        "A backend that is right in one place and wrong in another, or writes into what all share",
        "a disagreement that says where; it is not timed",
    ),
    "silence": (
        "Nothing compared, a line left out, NaN, a journal of what was checked before",
        "never “agrees”",
    ),
    "format": (
        "A damaged or foreign result, draw, trace, checkpoint or memory of exercises",
        "one line: file, line, field, the rule, what to do",
    ),
    "journal": (
        "A journal that is cut, changed, another's, or written to by two",
        "the damaged line is named; nothing that was finished is lost",
    ),
    "data": (
        "An IDX, .npz, .csv or .txt file that is damaged, lies about its size, or breaks a rule",
        "one line with file and row; no memory is taken for what a header only claims",
    ),
    "download": (
        "A mirror that is down, slow, endless, cut short, plain http or wrong",
        "the next one is asked; else one line with each answer, and no file is left",
    ),
    "output": (
        "An output that is an input or another output, through links; a name or a folder that cannot be",
        "refused before any work; a file appears whole or not at all",
    ),
    "machine": (
        "A full disk, a closed pipe, Ctrl-C, a kill, an error of gradparity's own",
        "status 3, 141 or 130, which are no verdicts; what is finished is kept, and what is left is deleted",
    ),
    "words": ("Names and prints that would steer a terminal, or that its encoding lacks", "shown, without effect"),
}
"""Kind -> what goes wrong, and what comes back."""
HEAD = """# What can go wrong

What was tried, and what comes back. Each row is counted from the tests behind it, which `make test` runs; a
parametrised test counts once for each case, and one that draws its inputs at random counts once.
`pytest -m "fault(kind='journal')"` runs those of a row.

"""
FUZZED = """
Beside them `make fuzz` sends changed files of every [format of ours](file-formats.md) to its reader, a million in four
minutes: nothing but a `UsageError` of one line came back.
"""


def page(items: Iterable[pytest.Item]) -> str:
    """Return the page that tells of these tests. Raises KeyError for a kind that has no row."""
    cases: Counter[str] = Counter()
    tests: dict[str, set[str]] = {kind: set() for kind in FAULTS}
    for item in items:
        for mark in item.iter_markers(MARK):
            kind = mark.kwargs["kind"]
            cases[kind] += mark.kwargs.get("cases", 1)
            tests[kind].add(item.nodeid.partition("[")[0])
    rows = [["kind", "what goes wrong", "what comes back", "tests", "cases"], ["---", "---", "---", "--:", "--:"]]
    rows += [[f"`{kind}`", *FAULTS[kind], str(len(tests[kind])), str(cases[kind])] for kind in FAULTS]
    rows.append(["", "**all**", "", str(sum(map(len, tests.values()))), str(cases.total())])
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"{HEAD}{table}{FUZZED}"


class Collected:
    """A pytest plugin that keeps what was collected."""

    items: tuple[pytest.Item, ...] = ()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = tuple(session.items)


if __name__ == "__main__":
    found = Collected()
    if pytest.main(["--collect-only", "-qq", str(ROOT / "tests")], plugins=[found]) == pytest.ExitCode.OK:
        PAGE.write_text(page(found.items), encoding="utf-8")
