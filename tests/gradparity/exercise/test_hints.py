"""The ladder: one rung at a time, for one line of one file."""

from pathlib import Path

import pooch
import pytest

from gradparity.errors import UsageError
from gradparity.exercise import hints

ONE, OTHER = Path("one.py"), Path("other.py")


def test_each_hint_is_one_rung_further_up_to_the_top() -> None:
    assert [hints.climb(ONE, "W", 3) for _ in range(5)] == [1, 2, 3, 3, 3]


def test_each_file_and_each_line_has_a_ladder_of_its_own() -> None:
    assert [hints.climb(ONE, "W", 3), hints.climb(ONE, "W", 3)] == [1, 2]
    assert hints.climb(OTHER, "W", 3) == 1
    assert hints.climb(ONE, "b", 3) == 1
    assert hints.climb(OTHER, "W", 3) == 2
    assert hints.climb(ONE, "W", 3) == 1


def test_a_file_that_is_forgotten_begins_again() -> None:
    hints.climb(ONE, "W", 3)
    hints.climb(OTHER, "W", 3)
    hints.forget(ONE)
    hints.forget(ONE)
    assert (hints.climb(ONE, "W", 3), hints.climb(OTHER, "W", 3)) == (1, 2)


ZEROTH = '{"rungs": {"x": ["W", 0]}, "format": "gradparity-hints/1"}'


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"x": 3}', ZEROTH])
def test_a_damaged_memory_is_refused_with_what_to_do(damage: str) -> None:
    hints.climb(ONE, "W", 3)
    (Path(pooch.os_cache("gradparity")) / "hints.json").write_text(damage, encoding="utf-8")
    with pytest.raises(UsageError, match=r"hints\.json:1: is not the state of exercises.*: delete the file, and hints"):
        hints.climb(ONE, "W", 3)


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder belongs")
    with pytest.raises(UsageError, match=r"hints are remembered in .*hints\.json', which cannot be written"):
        hints.climb(ONE, "W", 3)
