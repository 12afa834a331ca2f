"""The example of a third party's backend, installed in an environment of its own and found by its entry point alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "mlx_backend"


@pytest.mark.slow
def test_the_package_installs_is_found_checks_and_passes_its_own_tests(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True)
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", ROOT, EXAMPLE, "pytest"]
    installed = subprocess.run(list(map(str, install)), capture_output=True, text=True, check=False)
    if "No matching distribution found for mlx" in installed.stderr:
        pytest.skip("MLX has no build for this machine")
    assert installed.returncode == 0, installed.stderr

    def run(*command: object) -> str:
        done = subprocess.run(
            [python, "-m", *map(str, command)], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "mlx" in run("gradparity", "backends")
    assert "comparisons of numpy, mlx agree" in run("gradparity", "check", "mlp", "--backends", "numpy,mlx")
    assert "Test Accuracy" in run("gradparity", "train", "--backend", "mlx", "--epochs", 1)
    assert "passed" in run("pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests")
