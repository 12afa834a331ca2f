"""The pytest plugin: a fixture that asserts gradients. Nothing is imported until a test asks for it."""

from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def assert_gradients_agree() -> Callable[..., None]:
    """Return ``gradparity.testing.assert_gradients_agree``."""
    from gradparity import testing

    return testing.assert_gradients_agree
