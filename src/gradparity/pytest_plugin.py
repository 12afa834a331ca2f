"""The pytest plugin: fixtures that assert gradients. Nothing is imported until a test asks for it.

``--gradparity-n``, ``--gradparity-seed`` and ``--gradparity-lanes`` are what ``assert_gradients_agree`` takes where a
test says nothing else; ``@pytest.mark.gradparity(n=7, lanes=["float64"])`` says it for one test.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

pytest.register_assert_rewrite("gradparity.testing")
OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    "n": (int, "examples that are drawn"),
    "seed": (int, "seed of parameters and examples"),
    "lanes": (lambda text: text.split(","), "float64, float32 or both, with a comma"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("gradparity")
    for name, (kind, what) in OPTIONS.items():
        group.addoption(f"--gradparity-{name}", type=kind, help=f"assert_gradients_agree: {what}")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", "gradparity(n, seed, lanes): what assert_gradients_agree takes in this test")


def pytest_report_header(config: pytest.Config) -> str:
    """Say which version asserts, and with what."""
    from gradparity import __version__

    given = "".join(f", {name} {value}" for name, value in _given(config).items())
    return f"gradparity: {__version__}{given}"


def _given(config: pytest.Config) -> dict[str, Any]:
    found = {name: config.getoption(f"--gradparity-{name}") for name in OPTIONS}
    return {name: value for name, value in found.items() if value is not None}


@pytest.fixture
def assert_gradients_agree(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return ``gradparity.testing.assert_gradients_agree``."""
    from gradparity import testing

    marker = request.node.get_closest_marker("gradparity")
    said = _given(request.config) | (marker.kwargs if marker else {})
    return partial(testing.assert_gradients_agree, **said) if said else testing.assert_gradients_agree


@pytest.fixture(scope="session")
def assert_code_gradients_agree() -> Callable[..., None]:
    """Return ``gradparity.testing.assert_code_gradients_agree``."""
    from gradparity import testing

    return testing.assert_code_gradients_agree
