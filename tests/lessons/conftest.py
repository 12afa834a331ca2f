"""The script that makes the lessons' pages, which stands beside them and is in no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def export() -> ModuleType:
    """The script that ``make lessons`` runs."""
    found = importlib.util.spec_from_file_location("export", Path(__file__).parents[2] / "lessons" / "export.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
