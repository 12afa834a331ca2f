import platform
import subprocess
import sys
from importlib.metadata import version

import pytest

from gradparity.manifest import manifest


def test_manifest_states_versions_and_machine() -> None:
    found = manifest()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == version("numpy")
    assert found["OS"].startswith(platform.system())
    assert found["CPU"]
    assert int(found["cores"]) >= 1


def test_a_library_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradparity.manifest.DISTRIBUTIONS", ("numpy", "no-such-distribution"))
    found = manifest()
    assert "numpy" in found
    assert "no-such-distribution" not in found


def test_manifest_imports_no_machine_backend() -> None:
    code = "import sys; from gradparity.manifest import manifest; manifest(); print({'jax', 'torch'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
