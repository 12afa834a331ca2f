"""docs/exercises.md shows what the commands print."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gradparity.exercise import exercise

PAGE = (Path(__file__).parents[3] / "docs" / "exercises.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^<!-- command: gradparity exercise (.*?) -->\n```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SUM = """p_k = np.exp(c["logits"]) / np.exp(c["logits"]).sum(axis=1, keepdims=True)
    d["logits"] = p_k - np.eye(5)[batch.y]"""


@pytest.mark.usefixtures("posed")
def test_the_page_shows_what_is_printed(solved: Callable[..., Path], run: Callable[..., tuple[int, str, str]]) -> None:
    printed = [run(*BLOCKS[0][0].split())]
    solved({"logits": SUM}, name="softmax_regression.py")
    printed += [run(*BLOCKS[1][0].split()), *(run(*BLOCKS[2][0].split()) for _ in range(3))]
    solved(name="softmax_regression.py")
    printed += [run(*BLOCKS[3][0].split())]
    assert [status for status, *_ in printed] == [0, 1, 0, 0, 0, 0]
    shown = [out.replace("with jax", "with torch") for _, out, _ in printed]
    assert [shown[0], shown[1], shown[4], shown[5]] == [block for _, block in BLOCKS]


def test_the_blank_lines_are_those_of_the_file() -> None:
    (excerpt,) = re.findall(r"^```python\n(def .*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert excerpt in exercise("softmax-regression").text
