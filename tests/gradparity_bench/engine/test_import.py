import subprocess
import sys


def test_a_worker_has_loaded_no_library_when_it_binds_itself() -> None:
    code = "import sys, gradparity_bench.engine.worker; print({'numpy', 'jax', 'torch', 'psutil'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
