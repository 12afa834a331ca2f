import json
import os
import subprocess
import sys
from pathlib import Path

from gradparity.manifest import manifest

ROOT = Path(__file__).parents[2]


def run_suites(plugins: Path, *arguments: str) -> str:
    """Run ``pytest bench`` in a process of its own and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    paths = [str(plugins), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        # What is timed is not checked for shapes, so nothing need be made ready for it.
        [
            sys.executable,
            "-m",
            "pytest",
            "bench",
            "-rs",
            "-o",
            "addopts=-p no:gradparity --import-mode=importlib",
            *arguments,
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_suites_time_what_agrees_and_skip_what_does_not_with_the_reason(plugins: Path) -> None:
    saved = plugins / "saved.json"
    wanted = "softmax_regression and (regression-numpy or wrong or lost) and not autograd"
    output = run_suites(plugins, "-k", wanted, f"--benchmark-json={saved}")
    assert "4 passed, 8 skipped" in output
    assert "its gradients disagree" in output
    assert "pip install no_such_library" in output
    benchmarks = {benchmark["group"]: benchmark for benchmark in json.loads(saved.read_text())["benchmarks"]}
    assert sorted(benchmarks) == [
        f"softmax_regression: {operation}" for operation in ("epoch", "forward", "gradient", "training step")
    ]
    assert benchmarks["softmax_regression: gradient"]["name"] == "test_gradient[softmax_regression-numpy]"
    with_share = {group for group, benchmark in benchmarks.items() if "roofline_share" in benchmark["extra_info"]}
    assert with_share == {"softmax_regression: epoch", "softmax_regression: training step"}
    for benchmark in benchmarks.values():
        about = benchmark["extra_info"]
        assert about.pop("manifest") == manifest()
        assert about.pop("roofline_share", 0.5) > 0
        assert about == {
            "model": "softmax_regression",
            "backend": "numpy",
            "dtype": "float32",
            "batch_size": 64,
            "flops_per_step": 2 * (2 * 64 * 64 * 10) + 8 * 64 * 10 + 2 * 65 * 10,
        }
