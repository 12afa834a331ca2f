import subprocess
import sys
from pathlib import Path

import pytest

from gradparity_gradbench import tool

WAITING = Path(tool.__file__).parent / "waiting.py"
WRAP = """
def function(*, pre):
    def decorator(function):
        def wrapped(given):
            return function(pre(given))
        return wrapped
    return decorator
multiple_runs = function
"""
TOOL = """
import sys
import jax
from gradbench import wrap

class Pending:
    def block_until_ready(self):
        print("waited for", self.found)
        return self

@wrap.multiple_runs(pre=float)
def double(given):
    pending = Pending()
    pending.found = 2 * given
    return pending

double(sys.argv[1])
"""


def test_a_function_of_another_tool_is_waited_for_in_its_own_decorator(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    (tmp_path / "gradbench").mkdir()
    (tmp_path / "gradbench" / "__init__.py").touch()
    (tmp_path / "gradbench" / "wrap.py").write_text(WRAP)
    (tmp_path / "run.py").write_text(TOOL)
    ran = subprocess.run(
        [sys.executable, WAITING, tmp_path / "run.py", "21"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "waited for 42.0\n"
