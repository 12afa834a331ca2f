from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from tests import plugins

from gradparity import registry
from gradparity.errors import UsageError


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def add(name: str, value: str) -> None:
        own = EntryPoint(name, value, registry.GROUP)
        monkeypatch.setattr(registry, "_registered", lambda: {name: [own]})

    return add


def test_the_whole_grid_is_registered_and_the_default_backends_come_first() -> None:
    assert registry.names()[:3] == ["numpy", "jax", "torch"]
    assert {"jax-manual", "torch-manual", "numpy-autograd", "torch-compile"} <= set(registry.names())


@pytest.mark.parametrize("name", registry.names())
def test_what_a_package_says_of_its_backend_beforehand_is_so(name: str) -> None:
    said, loaded = registry.listed(name).listed, registry.availability(name).listed
    assert said is not None
    assert loaded is not None
    assert said[:2] == loaded[:2]


def test_an_unknown_backend_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"unknown backend 'nunpy'.*did you mean 'numpy'"):
        registry.backend("nunpy")


def test_a_third_party_backend_is_found_by_its_entry_point(register) -> None:  # type: ignore[no-untyped-def]
    register("numpy", "gradparity_manual:backend")
    assert registry.names() == ["numpy"]
    assert registry.backend("numpy").library == "numpy"


def test_a_missing_library_is_named_with_the_command_that_installs_it(register) -> None:  # type: ignore[no-untyped-def]
    register("mine", "no_such_library.module:backend")
    with pytest.raises(UsageError, match=r"'no_such_library' is not installed: run  .* -m pip install no_such_library"):
        registry.backend("mine")


@pytest.mark.fault(kind="backend")
def test_a_backend_that_raises_on_loading_is_refused_and_hides_nothing(register) -> None:  # type: ignore[no-untyped-def]
    register("mine", "gradparity_manual:no_such_name")
    found = registry.availability("mine")
    assert found.backend is None
    assert "AttributeError" in found.problem
    with pytest.raises(UsageError, match="cannot be used, loading"):
        registry.backend("mine")


@pytest.mark.fault(kind="backend")
def test_a_backend_that_ends_the_process_on_loading_costs_its_own_row(register, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "ends_the_process.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(str(tmp_path))
    register("mine", "ends_the_process:backend")
    assert "raised SystemExit: 0" in registry.availability("mine").problem


@pytest.mark.fault(kind="backend")
def test_two_packages_that_register_one_name_are_refused_under_it_and_the_others_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins.register(tmp_path, "zz", "gradparity.backends", numpy="gradparity_torch:backend")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="'numpy' cannot be used, zz and gradparity both register it: uninstall one"):
        registry.backend("numpy")
    assert registry.backend("torch").library == "torch"


def test_what_is_registered_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.names()
    monkeypatch.setattr(registry, "entry_points", None)
    assert "numpy" in registry.names()
