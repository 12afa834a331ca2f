"""``assert_gradients_agree`` in a researcher's own suite: as a function and as the plugin's fixture."""

import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.testing import assert_gradients_agree

pytest_plugins = ["pytester"]

PLUGIN = ("-p", "no:gradparity", "-p", "gradparity.pytest_plugin")
"""The plugin by its module, once, whether or not its entry point is installed."""

SUITE = """
import numpy as np

class Mine:
    param_shapes = {"w": 3, "b": ()}
    input_shape = 3
    target_shape = ()
    factor = 2

    def forward(self, p, batch, c):
        c["error"] = batch.x @ p["w"] + p["b"] - batch.y
        c["loss"] = (c["error"] ** 2).sum()

    def backward(self, p, batch, c, d):
        d["error"] = self.factor * d["loss"] * c["error"]
        d["w"] = batch.x.T @ d["error"]
        d["b"] = d["error"].sum()

class Wrong(Mine):
    factor = 1

BACKENDS = ["numpy", "{machine}"]

def test_right(assert_gradients_agree):
    assert_gradients_agree(Mine, backends=BACKENDS)

def test_wrong(assert_gradients_agree):
    assert_gradients_agree(Wrong(), backends=BACKENDS, n=7, seed=1, lanes=["float64"])
"""


@pytest.fixture(scope="module")
def machine() -> str:
    for name in ("torch", "jax"):
        if registry.availability(name).backend is not None:
            return name
    pytest.skip("neither JAX nor PyTorch is installed: pip install 'gradparity[all]'")


def model(params: int = 1, factor: float = 1.0) -> SimpleNamespace:
    """A sum of as many products as there are parameters; d of the first is off by a factor."""

    def forward(p: Any, batch: Any, c: Any) -> None:
        c["loss"] = sum(p[f"w{i}"] @ batch.x.sum(axis=0) for i in range(params))

    def backward(p: Any, batch: Any, c: Any, d: Any) -> None:  # noqa: ARG001
        for i in range(params):
            d[f"w{i}"] = (factor if i == 0 else 1.0) * d["loss"] * batch.x.sum(axis=0)

    shapes = {f"w{i}": (3,) for i in range(params)}
    return SimpleNamespace(
        param_shapes=shapes, input_shape=3, target_shape=(), forward=forward, backward=backward
    )  # fmt: skip


def test_agreement_is_silent(machine: str) -> None:
    assert assert_gradients_agree(model(), backends=["numpy", machine]) is None  # type: ignore[func-returns-value]


def test_a_disagreement_is_told_in_words_and_as_a_table(machine: str) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_gradients_agree(model(2, factor=1.001), backends=["numpy", machine], lanes=["float64"])
    first, *others = str(caught.value).splitlines()
    assert first == "SimpleNamespace: gradients disagree:"
    where = rf"\(\S*test_testing\.py:\d+, numpy against {machine} in float64: relative error 1\.0e-03"
    assert re.match(rf"d\['w0'\] is 1\.001 times the right value everywhere; .* it is right {where}", others[0])
    table = others[others.index("") + 1 :]
    assert [line.split() for line in table if "✗" in line] == [
        ["✗", "gradient", "w0:", "1e-03"],
        ["✗", "whole", "gradient", "w0:", "1e-03"],
    ]
    assert sum(line.startswith("ok") for line in table) == 3


def test_a_long_table_is_left_out(machine: str) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_gradients_agree(model(20, factor=2.0), backends=["numpy", machine], lanes=["float64"])
    assert "\n\n" not in str(caught.value)
    assert "d['w0']" in str(caught.value)


def test_a_model_that_cannot_be_checked_is_no_disagreement() -> None:
    with pytest.raises(UsageError, match="ndarray: 'param_shapes' is missing"):
        assert_gradients_agree(np.ones(3))


def test_the_fixture_asserts(pytester: pytest.Pytester, machine: str) -> None:
    pytester.makepyfile(SUITE.replace("{machine}", machine))
    result = pytester.runpytest_inprocess(*PLUGIN, "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_wrong*",
            "E  *AssertionError: Wrong: gradients disagree:",
            "E  *d?'error'? is 2 times too small: * (test_the_fixture_asserts.py:*, numpy "
            f"against {machine} in float64: relative error 5.0e-01*",
            "E  *✗  gradient       error: 5e-01",
        ]
    )
    result.stdout.no_fnmatch_line("*testing.py*")


def test_the_plugin_names_its_fixture(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*PLUGIN, "--fixtures")
    result.stdout.fnmatch_lines(["assert_gradients_agree*", "*Return ``gradparity.testing.assert_gradients_agree``*"])


def test_loading_the_plugin_loads_no_library() -> None:
    program = "import gradparity.pytest_plugin, sys; print([m for m in ('numpy', 'jax', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


MARKED = """
import pytest

@pytest.mark.gradparity(n=5)
def test_it(assert_gradients_agree):
    said = assert_gradients_agree.keywords
    assert said == {"n": 5, "seed": 3, "lanes": ["float64"]}
"""


def test_options_and_the_marker_say_what_is_asserted_and_the_header_tells_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MARKED)
    options = ("--gradparity-n=9", "--gradparity-seed=3", "--gradparity-lanes=float64", "--strict-markers")
    result = pytester.runpytest_inprocess(*PLUGIN, "-p", "no:cacheprovider", *options)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["gradparity: *, n 9, seed 3, lanes ?'float64'?"])
