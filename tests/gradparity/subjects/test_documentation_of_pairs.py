"""The page of the documentation does what it says."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "function-pairs.md"


def test_the_code_of_the_page_runs_and_its_report_is_as_printed() -> None:
    pytest.importorskip("jax")
    pytest.importorskip("torch")
    page = PAGE.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        exec(compile(block, "my_rules.py", "exec"), names)
    with pytest.raises(AssertionError) as raised:
        names["report"].assert_ok()
    (printed,) = re.findall(r"^    (d\['x'\] is wrong.*)$", page, re.MULTILINE)
    assert printed in str(raised.value).splitlines()
