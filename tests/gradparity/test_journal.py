import json
import subprocess
import sys
from pathlib import Path

import pytest

from gradparity import journal
from gradparity.errors import UsageError
from gradparity.output import STANDARD_OUTPUT

ABOUT = {"model": "mlp", "seed": 0}
LINES = [{"index": index, "agrees": True, "worst": {"float64": 0.1}} for index in range(3)]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A journal of three lines."""
    path = tmp_path / "sweep.jsonl"
    with journal.opened(path, ABOUT) as (done, add):
        assert done == []
        for line in LINES:
            add(line)
    return path


def test_what_was_added_comes_back_and_an_interrupted_line_does_not(kept: Path) -> None:
    whole = kept.read_bytes()
    kept.write_bytes(whole + b'{"line": {"index": 3, "agr')
    with journal.opened(kept, ABOUT) as (done, _):
        assert done == LINES
    assert kept.read_bytes() == whole


@pytest.mark.parametrize("old", ["true", "0.1", '"index": 1'])
def test_a_changed_line_is_refused_by_its_number(kept: Path, old: str) -> None:
    lines = kept.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace(old, {"true": "false", "0.1": "0.2", '"index": 1': '"index": 7'}[old])
    kept.write_text("".join(lines))
    with pytest.raises(UsageError, match=r"sweep.jsonl:3: the line is damaged.*delete the line"):
        journal.opened(kept, ABOUT).__enter__()
    assert kept.read_text() == "".join(lines)


@pytest.mark.parametrize("content", ["[" * 100_000, "{}", "[]", "null", "not JSON", '{"line": 3}', "\x00"])
def test_a_file_that_is_no_journal_stays_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"'.*notes.txt' is no journal of a sweep"):
        journal.opened(path, ABOUT).__enter__()
    assert path.read_text() == content


@pytest.mark.parametrize("path", [Path("/dev/null"), Path("/tmp"), STANDARD_OUTPUT])
def test_what_is_no_file_keeps_no_journal(path: Path) -> None:
    with pytest.raises(UsageError, match="a journal must be a file"):
        journal.opened(path, ABOUT).__enter__()


def test_a_sweep_that_ends_before_its_first_line_leaves_nothing_that_blocks_the_next(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    with pytest.raises(ZeroDivisionError), journal.opened(path, ABOUT):
        raise ZeroDivisionError
    assert not path.exists()
    with journal.opened(path, ABOUT) as (_, add):
        killed = path.read_bytes()
        add(LINES[0])
    path.write_bytes(killed)  # no line was done: nothing is lost
    with journal.opened(path, {"model": "other"}) as (_, add):
        add(LINES[1])
    with journal.opened(path, {"model": "other"}) as (done, _):
        assert done == LINES[1:2]


def test_a_full_disk_leaves_no_half_begun_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        journal.opened(tmp_path / "sweep.jsonl", ABOUT).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_another_process_is_refused_while_one_writes_and_not_after_it_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    held = f"""
from pathlib import Path
from gradparity import journal
with journal.opened(Path({str(path)!r}), {ABOUT!r}) as (_, add):
    add({LINES[0]!r})
    print("ready", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(UsageError, match=r"another sweep is writing to .*: wait until it ends, or name another"):
            journal.opened(path, ABOUT).__enter__()
        journal.discard(path, 5)
        assert path.exists(), "it is another's"
        process.kill()
    with journal.opened(path, ABOUT) as (done, _):
        assert done == LINES[:1]


@pytest.mark.parametrize(("asked", "stays"), [(2, True), (3, False), (4, False)])
def test_a_finished_sweep_deletes_no_journal_that_holds_more_than_it_was_asked(
    kept: Path, asked: int, stays: bool
) -> None:
    journal.discard(kept, asked)
    assert kept.exists() == stays


def test_every_line_is_json_with_a_checksum(kept: Path) -> None:
    header, *lines = map(json.loads, kept.read_text().splitlines())
    assert header["line"] == {"format": "gradparity-journal/2", **ABOUT}
    assert all(set(line) == {"line", "crc32"} for line in lines)
