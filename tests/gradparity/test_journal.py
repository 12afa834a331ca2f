import json
import subprocess
import sys
from dataclasses import asdict, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from zlib import crc32

import pytest

from gradparity import journal
from gradparity.errors import UsageError
from gradparity.output import STANDARD_OUTPUT
from gradparity.sweep.draws import DrawOutcome, SweepHeader

ABOUT = SweepHeader("mlp", 0, ("numpy",), ("float64",), "", {})
OTHER = replace(ABOUT, model="other")
LINES = [DrawOutcome(index, True, {"float64": 0.1}) for index in range(3)]
opened = partial(journal.opened, form=DrawOutcome, key=attrgetter("index"))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A journal of three lines."""
    path = tmp_path / "sweep.jsonl"
    with opened(path, ABOUT) as (done, add):
        assert done == []
        for line in LINES:
            add(line)
    return path


@pytest.mark.fault(kind="journal")
def test_what_was_added_comes_back_and_an_interrupted_line_does_not(kept: Path) -> None:
    whole = kept.read_bytes()
    kept.write_bytes(whole + b'{"line": {"index": 3, "agr')
    with opened(kept, ABOUT) as (done, _):
        assert done == LINES
    assert kept.read_bytes() == whole


@pytest.mark.fault(kind="journal")
@pytest.mark.parametrize("old", ["true", "0.1", '"index": 1'])
def test_a_changed_line_is_refused_by_its_number(kept: Path, old: str) -> None:
    lines = kept.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace(old, {"true": "false", "0.1": "0.2", '"index": 1': '"index": 7'}[old])
    kept.write_text("".join(lines))
    with pytest.raises(UsageError, match=r"sweep.jsonl:3: the line is damaged.*delete the line"):
        opened(kept, ABOUT).__enter__()
    assert kept.read_text() == "".join(lines)


@pytest.mark.fault(kind="journal")
@pytest.mark.parametrize("content", ["[" * 100_000, "{}", "[]", "null", "not JSON", '{"line": 3}', "\x00"])
def test_a_file_that_is_no_journal_stays_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"'.*notes.txt' is no journal of a sweep"):
        opened(path, ABOUT).__enter__()
    assert path.read_text() == content


@pytest.mark.fault(kind="journal")
@pytest.mark.parametrize("path", [Path("/dev/null"), Path("/tmp"), STANDARD_OUTPUT])
def test_what_is_no_file_keeps_no_journal(path: Path) -> None:
    with pytest.raises(UsageError, match="a journal must be a file"):
        opened(path, ABOUT).__enter__()


@pytest.mark.fault(kind="journal")
def test_a_sweep_that_ends_before_its_first_line_leaves_nothing_that_blocks_the_next(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    with pytest.raises(ZeroDivisionError), opened(path, ABOUT):
        raise ZeroDivisionError
    assert not path.exists()
    with opened(path, ABOUT) as (_, add):
        killed = path.read_bytes()
        add(LINES[0])
    path.write_bytes(killed)  # no line was done: nothing is lost
    with opened(path, OTHER) as (_, add):
        add(LINES[1])
    with opened(path, OTHER) as (done, _):
        assert done == LINES[1:2]


@pytest.mark.fault(kind="machine")
def test_a_full_disk_leaves_no_half_begun_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        opened(tmp_path / "sweep.jsonl", ABOUT).__enter__()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(kind="journal")
def test_another_process_is_refused_while_one_writes_and_not_after_it_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    held = f"""
from pathlib import Path
from gradparity import journal
from gradparity.sweep.draws import DrawOutcome, SweepHeader
with journal.opened(Path({str(path)!r}), {ABOUT!r}, DrawOutcome, repr) as (_, add):
    add({LINES[0]!r})
    print("ready", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(UsageError, match=r"another sweep is writing to .*: wait until it ends, or name another"):
            opened(path, ABOUT).__enter__()
        journal.discard(path, 5)
        assert path.exists(), "it is another's"
        process.kill()
    with opened(path, ABOUT) as (done, _):
        assert done == LINES[:1]


@pytest.mark.fault(kind="journal")
@pytest.mark.parametrize(("asked", "stays"), [(2, True), (3, False), (4, False)])
def test_a_finished_sweep_deletes_no_journal_that_holds_more_than_it_was_asked(
    kept: Path, asked: int, stays: bool
) -> None:
    journal.discard(kept, asked)
    assert kept.exists() == stays


def test_every_line_is_json_with_a_checksum(kept: Path) -> None:
    header, *lines = map(json.loads, kept.read_text().splitlines())
    assert header["line"] == json.loads(json.dumps(asdict(ABOUT)))
    assert all(set(line) == {"line", "crc32"} for line in lines)


@pytest.mark.fault(kind="journal")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"index": -1, "agrees": true, "worst": {}}', ", field index: expected `int` >= 0"),
        ('{"index": 1, "agrees": true}', ": object missing required field `worst`"),
        ('{"index": 1, "agrees": true, "worst": {}, "x": 1}', ", field x: there is no such field"),
        ("[" * 100_000, ""),
    ],
)
def test_a_line_that_is_no_draw_is_refused_with_its_field_though_its_checksum_fits(
    tmp_path: Path, line: str, said: str
) -> None:
    path = tmp_path / "sweep.jsonl"
    content = f'{{"line":{line},"crc32":{crc32(line.encode())}}}\n'
    path.write_bytes(journal.packed(ABOUT) + content.encode())
    expected = rf"sweep.jsonl:2: the line is damaged{said}.*: delete the line, and what it held is done again"
    with pytest.raises(UsageError, match=expected):
        opened(path, ABOUT).__enter__()


@pytest.mark.fault(kind="journal")
def test_a_draw_that_is_told_twice_is_refused(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes() + journal.packed(LINES[1]))
    with pytest.raises(UsageError, match=r"sweep.jsonl:5: the line is about the same as line 3: delete the line"):
        opened(kept, ABOUT).__enter__()
