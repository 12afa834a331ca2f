"""The ladder, one rung at a time for one line of one file; and what has been right once stays so."""

import json
from pathlib import Path

import pooch
import pytest

from gradparity.errors import UsageError
from gradparity.exercise import progress

ONE, OTHER = Path("one.py"), Path("other.py")


def test_each_hint_is_one_rung_further_up_to_the_top() -> None:
    assert [progress.climb(ONE, "W", 3) for _ in range(5)] == [1, 2, 3, 3, 3]


def test_each_file_and_each_line_has_a_ladder_of_its_own() -> None:
    assert [progress.climb(ONE, "W", 3), progress.climb(ONE, "W", 3)] == [1, 2]
    assert progress.climb(OTHER, "W", 3) == 1
    assert progress.climb(ONE, "b", 3) == 1
    assert progress.climb(OTHER, "W", 3) == 2
    assert progress.climb(ONE, "W", 3) == 1


def test_a_file_that_is_forgotten_begins_again() -> None:
    progress.climb(ONE, "W", 3)
    progress.climb(OTHER, "W", 3)
    progress.forget(ONE)
    progress.forget(ONE)
    assert (progress.climb(ONE, "W", 3), progress.climb(OTHER, "W", 3)) == (1, 2)


ZEROTH = '{"rungs": {"x": ["W", 0]}, "format": "gradparity-progress/1"}'


@pytest.mark.fault(kind="format")
@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"x": 3}', ZEROTH])
def test_a_damaged_memory_is_refused_with_what_to_do(damage: str) -> None:
    progress.climb(ONE, "W", 3)
    (Path(pooch.os_cache("gradparity")) / "exercises.json").write_text(damage, encoding="utf-8")
    with pytest.raises(UsageError, match=r"exercises\.json:1: is not the state of exercises.*: delete the file, and"):
        progress.climb(ONE, "W", 3)


@pytest.mark.fault(kind="machine")
def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder belongs")
    with pytest.raises(UsageError, match=r"progress is kept in .*exercises\.json', which cannot be written"):
        progress.climb(ONE, "W", 3)


def test_what_was_right_once_stays_and_hints_are_kept_beside_it() -> None:
    progress.climb(ONE, "W", 3)
    assert progress.reached_in("two-layers") == 0
    for right in (2, 1):
        progress.reached("two-layers", right)
    assert progress.reached_in("two-layers") == 2
    assert progress.rung_of(ONE, "W") == 1
    assert progress.rung_of(ONE, "b") == 0


def test_what_was_kept_before_the_file_named_its_format_is_taken_over() -> None:
    kept = Path(pooch.os_cache("gradparity")) / "exercises.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    before = {"hints": {str(ONE.resolve()): ["W", 2]}, "right": {"two-layers": 3}}
    for parts in (("hints",), ("right",), ("hints", "right")):
        kept.write_text(json.dumps({part: before[part] for part in parts}), encoding="utf-8")
        assert progress.rung_of(ONE, "W") == (2 if "hints" in parts else 0)
        assert progress.reached_in("two-layers") == (3 if "right" in parts else 0)
    assert progress.climb(ONE, "W", 3) == 3
    assert progress.reached_in("two-layers") == 3
    assert json.loads(kept.read_text(encoding="utf-8"))["format"] == "gradparity-progress/1"
