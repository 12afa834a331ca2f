"""``gradparity models``, ``backends`` and ``data``: what there is, and the command that installs what is missing."""

from dataclasses import fields

from gradparity.report.cli.options import DataDir


def models() -> None:
    """List the models, what each computes, and its settings for --set."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from gradparity.models import specs
    from gradparity.report.cli.tables import console

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("model", "what it computes", "settings (default)"):
        table.add_column(column)
    for name, spec in specs().items():
        first_line = (spec.__doc__ or "").strip().splitlines()[0]
        table.add_row(name, first_line, "\n".join(f"{f.name}={_word(f.default)}" for f in fields(spec)))
    console.print(table)
    console.print("With --data the sizes come from the data; an mlp's hidden layers are then --set hidden=64,32.")


def backends() -> None:
    """List the registered backends, and what installs those that are missing."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from gradparity import registry
    from gradparity.report.cli.tables import console

    found = [registry.availability(name) for name in registry.names()]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("backend", "library", "derived by", "from", "here"):
        table.add_column(column)
    for each in found:
        known = each.backend
        here = "yes" if known else f"no: {each.problem}"
        table.add_row(
            each.name, known.library if known else "", known.differentiation if known else "", each.provider, here
        )
    console.print(table)
    for command in dict.fromkeys(each.install for each in found if each.install):
        print(f"to install what is missing:  {command}")


def data(data_dir: DataDir = None) -> None:
    """List the data sets, and where each is."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from gradparity.data import DATASETS, status
    from gradparity.report.cli.tables import console

    states = {name: status(name, data_dir) for name in DATASETS}
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("data set", "what it is", "here"):
        table.add_column(column)
    for name, state in states.items():
        table.add_row(name, DATASETS[name], ("yes: " if state.present else "no: ") + state.where)
    table.add_row("FILE.npz", "x and y, or x_train, y_train, x_test, y_test", "your file")
    table.add_row("FILE.csv", "a row per example, y in the last column", "your file")
    console.print(table)
    for name, state in states.items():
        if state.command:
            print(f"to download {name}:  {state.command}")


def _word(value: object) -> str:
    """Write a default as --set takes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
