"""docs/your-own-model.md: its example is the file beside it, and does what the page says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradparity import registry

DOCS = Path(__file__).parents[4] / "docs"
EXAMPLE = (DOCS / "examples" / "my_model.py").read_text(encoding="utf-8")
PAGE = (DOCS / "your-own-model.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def backends() -> str:
    for name in ("torch", "jax"):
        if registry.availability(name).backend is not None:
            return f"numpy,{name}"
    pytest.skip("neither JAX nor PyTorch is installed: pip install 'gradparity[all]'")


def test_the_page_shows_the_file_whole() -> None:
    assert f"```python\n{EXAMPLE}```" in PAGE


def test_the_example_agrees(backends: str, check: Callable[..., Any]) -> None:
    outcome = check(text=EXAMPLE, backends=backends)
    assert (outcome.status, outcome.err) == (0, ""), outcome.out


def test_the_forgotten_derivative_is_the_one_line_with_a_cross(backends: str, check: Callable[..., Any]) -> None:
    outcome = check(('d["z"] = d["a"] * (1 - c["a"] ** 2)', 'd["z"] = d["a"]'), text=EXAMPLE, backends=backends)
    assert outcome.status == 1
    marked = {sign: re.findall(rf"^ *(\S+) +{sign}", outcome.out, flags=re.MULTILINE) for sign in "✗↳"}
    assert {sign: sorted(lines) for sign, lines in marked.items()} == {"✗": ["d['z']"], "↳": ["∂L/∂W1", "∂L/∂b1"]}


@pytest.mark.parametrize("example", re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))
def test_every_example_is_python(example: str) -> None:
    compile(example, "your-own-model.md", "exec")
