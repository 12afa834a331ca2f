"""The pytest plugin: fixtures that assert gradients. Nothing is imported until a test asks for it."""

from collections.abc import Callable

import pytest

pytest.register_assert_rewrite("gradparity.testing")


@pytest.fixture(scope="session")
def assert_gradients_agree() -> Callable[..., None]:
    """Return ``gradparity.testing.assert_gradients_agree``."""
    from gradparity import testing

    return testing.assert_gradients_agree


@pytest.fixture(scope="session")
def assert_code_gradients_agree() -> Callable[..., None]:
    """Return ``gradparity.testing.assert_code_gradients_agree``."""
    from gradparity import testing

    return testing.assert_code_gradients_agree
