import pkgutil
import subprocess
import sys

import pytest

import gradparity_manual
from gradparity.models import module_of, names, require_model


def test_every_model_is_one_file_of_its_name() -> None:
    files = {module.name for module in pkgutil.iter_modules(gradparity_manual.__path__)}
    assert set(names()) <= files
    for name in names():
        module = module_of(require_model(name)(), "gradparity_manual")
        assert module.__name__ == f"gradparity_manual.{name}"
        assert all(callable(getattr(module, function)) for function in ("predict", "forward", "backward"))


@pytest.mark.parametrize("library", ["jax", "torch", "autograd"])
def test_on_numpy_no_machine_that_differentiates_is_even_loaded(library: str) -> None:
    program = (
        "import sys, numpy as np, gradparity\n"
        "spec = gradparity.MLP()\n"
        "rng = np.random.default_rng(0)\n"
        "gradparity.backend('numpy').model(spec).value_and_grad(spec.init(rng), spec.example_batch(rng, 3))\n"
        f"sys.exit('{library}' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
