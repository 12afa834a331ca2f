"""What is loaded decides how quickly the cheap commands answer."""

import subprocess
import sys

import pytest

HEAVY = ("jax", "torch", "matplotlib", "sklearn", "scipy", "pooch", "optax", "jinja2", "autograd")


@pytest.mark.parametrize(
    "statement",
    [
        "import gradparity",
        "from gradparity.__main__ import run; assert run(['--help']) == 0",
        "from gradparity.__main__ import run; assert run(['backends']) == 0",
        "import gradparity.data",
    ],
)
def test_loads_no_heavy_library(statement: str) -> None:
    program = f"{statement}\nimport sys\nprint('LOADED', *(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "gradparity", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("gradparity ")
