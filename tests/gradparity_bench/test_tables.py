import io

from rich.console import Console

from gradparity_bench.measure import Row
from gradparity_bench.tables import Table, for_terminal, machine_line, markdown

TABLE = Table(
    "An epoch",
    (
        Row("itself, again", "notebook", None, (0.2, 0.1, 0.4), (1.0, 0.98, 1.0312), ""),
        Row("torch-manual", "PyTorch loop", 0.8, (0.05, 0.1, 0.2), (0.5, 0.4, 0.6), ""),
        Row("jax", "jax inlined", 1.03, (), None, "its W is wrong"),
    ),
)


def test_markdown_has_the_median_the_ratio_its_quartiles_and_the_target() -> None:
    assert markdown(TABLE).splitlines() == [
        "**An epoch**",
        "",
        "| loop | s / epoch | against | ratio | quartiles | target |",
        "| --- | --- | --- | --- | --- | --- |",
        "| itself, again | 0.2000 | notebook | 1.000 | 0.980–1.031 |  |",
        "| torch-manual | 0.1000 | PyTorch loop | 0.500 | 0.400–0.600 | ≤ 0.80 |",
        "| jax |  | jax inlined | not timed |  | ≤ 1.03 |",
        "",
        "jax is not timed: its W is wrong",
    ]


def test_a_terminal_of_80_columns_shows_every_cell_whole() -> None:
    shown = io.StringIO()
    Console(width=80, file=shown).print(for_terminal(TABLE))
    text = shown.getvalue()
    for cell in ("itself, again", "torch-manual", "PyTorch loop", "0.980–1.031", "≤ 0.80", "not timed"):
        assert cell in text
    assert "jax is not timed: its W is wrong" in text


def test_the_machine_is_said_in_one_line() -> None:
    assert machine_line({"numpy": "2.4", "cores": "2"}) == "numpy 2.4, cores 2"
