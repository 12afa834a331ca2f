from importlib.metadata import EntryPoint

import pytest

from gradparity import registry
from gradparity.errors import UsageError


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def add(name: str, value: str) -> None:
        own = EntryPoint(name, value, registry.GROUP)
        monkeypatch.setattr(registry, "entry_points", lambda group: [own] if group == registry.GROUP else [])

    return add


def test_the_whole_grid_is_registered_and_the_default_backends_come_first() -> None:
    assert registry.names()[:3] == ["numpy", "jax", "torch"]
    assert {"jax-manual", "torch-manual", "numpy-autograd", "torch-compile"} <= set(registry.names())


def test_an_unknown_backend_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"unknown backend 'nunpy'.*did you mean 'numpy'"):
        registry.backend("nunpy")


def test_a_third_party_backend_is_found_by_its_entry_point(register) -> None:  # type: ignore[no-untyped-def]
    register("mine", "gradparity_manual:backend")
    assert registry.names() == ["mine"]
    assert registry.backend("mine").library == "numpy"


def test_a_missing_library_is_named_with_the_command_that_installs_it(register) -> None:  # type: ignore[no-untyped-def]
    register("mine", "no_such_library.module:backend")
    with pytest.raises(UsageError, match=r"'no_such_library' is not installed: run  .* -m pip install no_such_library"):
        registry.backend("mine")


def test_a_backend_that_raises_on_loading_is_refused_and_hides_nothing(register) -> None:  # type: ignore[no-untyped-def]
    register("mine", "gradparity_manual:no_such_name")
    found = registry.availability("mine")
    assert found.backend is None
    assert "AttributeError" in found.problem
    with pytest.raises(UsageError, match="cannot be used, loading"):
        registry.backend("mine")
