"""What is not told yet of strangers' code: ``gaps.txt`` names each question, and a gap that closes must go."""

from pathlib import Path

import pytest

GAPS = frozenset(Path(__file__).with_name("gaps.txt").read_text(encoding="utf-8").splitlines())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name == "test_pieces.py" and item.name in GAPS:
            item.add_marker(pytest.mark.xfail(strict=True, reason="not done yet, see gaps.txt"))
