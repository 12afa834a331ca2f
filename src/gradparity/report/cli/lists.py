"""``gradparity models``, ``backends`` and ``data``: what there is, and the command that installs what is missing."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from gradparity.drawing import Table, TableColumn, table_of
from gradparity.report.cli.options import DataDir

if TYPE_CHECKING:
    from gradparity.registry import Availability


def models() -> None:
    """List the models, what each computes, and its settings for --set."""
    from gradparity.drawing.terminal import Shown, console
    from gradparity.models import specs

    rows = [
        (
            name,
            (spec.__doc__ or "").strip().splitlines()[0],
            "\n".join(f"{f.name}={_word(f.default)}" for f in fields(spec)),
        )
        for name, spec in specs().items()
    ]
    console.print(Shown(_words(("model", "what it computes", "settings (default)"), rows)))
    console.print("With --data the sizes come from the data; an mlp's hidden layers are then --set hidden=64,32.")


def backends() -> None:
    """List the registered backends, and what installs those that are missing."""
    from gradparity import registry
    from gradparity.drawing.terminal import Shown, console

    found = [registry.listed(name) for name in registry.names()]
    console.print(Shown(_words(("backend", "library", "derived by", "from", "here"), map(_row, found))))
    for command in dict.fromkeys(each.install for each in found if each.install):
        print(f"to install what is missing:  {command}")


def _row(each: "Availability") -> tuple[str, ...]:
    about = each.listed[:2] if each.listed else ("", "")
    return (each.name, *about, each.provider, "yes" if each.listed else f"no: {each.problem}")


def data(data_dir: DataDir = None) -> None:
    """List the data sets, and where each is."""
    from gradparity.data import DATASETS, status
    from gradparity.drawing.terminal import Shown, console

    states = {name: status(name, data_dir) for name in DATASETS}
    rows = [(name, DATASETS[name], ("yes: " if s.present else "no: ") + s.where) for name, s in states.items()]
    rows += [
        ("FILE.npz", "x and y, or x_train, y_train, x_test, y_test", "your file"),
        ("FILE.csv", "a row per example, y in the last column", "your file"),
        ("FILE.txt", "a text in UTF-8: each next character is the label", "your file"),
    ]
    console.print(Shown(_words(("data set", "what it is", "here"), rows)))
    for name, state in states.items():
        if state.command:
            print(f"to download {name}:  {state.command}")


def _words(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    return table_of("", [TableColumn(name, "word") for name in columns], [rows])


def _word(value: object) -> str:
    """Write a default as --set takes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
