"""The kernels of ``examples/kernels``: each agrees as it stands, and with one mistake its line and cause are told."""

import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

KERNELS = Path(__file__).parents[2] / "examples" / "kernels"


class Kernel(NamedTuple):
    file: str
    needs: str
    was: str
    """Stands once in the file."""
    instead: str
    says: str


EXAMPLES = [
    Kernel("triton_rms_norm", "triton", "dw_rows.sum(0)", "dw_rows.mean(0)", "d['weight'] is 4 times too small"),
    Kernel("pallas_swiglu", "jax", " * (1 + a * (1 - gate))", "", "d['a'] has the factor sigmoid(a) where"),
    Kernel("custom_op_cross_entropy", "torch", " / len(labels), None", ", None", "d['logits'] is 5 times too large"),
]


def verdict(kernel: Kernel, text: str, folder: Path) -> str:
    """Run an example as a script, and return "agrees", or the error that it ends with."""
    path = folder / "example.py"
    path.write_text(text, encoding="utf-8")
    if kernel.needs != "triton":
        try:
            runpy.run_path(str(path), run_name="__main__")
        except AssertionError as error:
            return str(error)
        return "agrees"
    # Triton chooses its interpreter when it is imported, which PyTorch's compiler may have done in this process.
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    command = [sys.executable, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)
    return ran.stderr if ran.returncode else "agrees"


@pytest.fixture(params=EXAMPLES, ids=lambda kernel: kernel.file)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    kernel: Kernel = request.param
    if find_spec(kernel.needs) is None:
        pytest.skip(f"{kernel.file} needs {kernel.needs}, which is not installed: pip install 'gradparity[triton]'")
    return kernel


def test_a_right_kernel_agrees(kernel: Kernel, tmp_path: Path) -> None:
    assert verdict(kernel, (KERNELS / f"{kernel.file}.py").read_text(encoding="utf-8"), tmp_path) == "agrees"


def test_a_mistake_is_told_with_its_line_and_cause(kernel: Kernel, tmp_path: Path) -> None:
    text = (KERNELS / f"{kernel.file}.py").read_text(encoding="utf-8")
    assert text.count(kernel.was) == 1
    assert kernel.says in verdict(kernel, text.replace(kernel.was, kernel.instead), tmp_path)


def test_the_page_names_every_kernel_and_the_files_name_their_command() -> None:
    page = (KERNELS / "README.md").read_text(encoding="utf-8")
    files = sorted(KERNELS.glob("*.py"))
    assert len(files) == len(EXAMPLES)
    for file in files:
        command = f"python examples/kernels/{file.name}"
        assert command in page
        assert command in file.read_text(encoding="utf-8")
