import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradparity.errors import UsageError
from gradparity.output import require_writable, scratch, write_json, write_text


def test_a_file_is_written_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    write_text(target, "new é")
    assert target.read_text(encoding="utf-8") == "new é"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.fault(kind="output")
def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "out.txt", "\ud800")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(kind="output")
def test_json_has_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "out.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(kind="output")
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "an output must be a file, got the folder"),
        ("no/such/out.json", "the folder of the output .* does not exist"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, path: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        require_writable(tmp_path / path)


@pytest.mark.fault(kind="output")
def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="does not exist"):
        require_writable(tmp_path / "file" / "out.json")


@pytest.mark.fault(kind="machine")
def test_a_scratch_folder_of_a_killed_process_is_deleted_and_one_in_use_is_not(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from gradparity.output import scratch
with scratch(Path({str(tmp_path)!r})):
    print("ready", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (left,) = tmp_path.iterdir()
        os.utime(left, (0, 0))
        with scratch(tmp_path) as own:
            assert set(tmp_path.iterdir()) == {left, own}, "it is in use"
        process.kill()
    with scratch(tmp_path) as own:
        assert list(tmp_path.iterdir()) == [own]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(kind="output")
def test_a_link_stays_and_a_device_is_written_to(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    write_text(Path(os.devnull), "nothing")
    assert not Path(os.devnull).is_file()


@pytest.mark.fault(kind="output")
@pytest.mark.parametrize("spelling", ["m.py", "./m.py", "folder/../m.py", "link", "hard"])
def test_an_output_is_never_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("m.py").write_text("mine")
    Path("link").symlink_to("m.py")
    Path("hard").hardlink_to("m.py")
    require_writable(Path("out.json"), inputs=("m.py", "digits", None))
    with pytest.raises(UsageError, match=r"the output '.*' is the input '.*m.py' and would replace it: name another"):
        require_writable(Path("out.json"), Path(spelling), inputs=(None, "digits", tmp_path / "m.py"))


@pytest.mark.fault(kind="output")
def test_two_outputs_are_two_files_or_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("new.html")
    require_writable(Path(os.devnull), Path(os.devnull), Path("new.html"), None)
    for again in (Path("new.html"), tmp_path / "new.html", Path("link")):
        with pytest.raises(UsageError, match=r"two outputs are one file, got 'new.html' and '.*': name two"):
            require_writable(Path("new.html"), again)


@pytest.mark.fault(kind="output")
@pytest.mark.parametrize(("target", "says"), [("x" * 256, "name too long"), ("loop", "(L|l)oop|levels of symbolic")])
def test_a_name_that_no_file_can_have_is_refused_before_any_work(tmp_path: Path, target: str, says: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match=f"cannot be written: .*(?i:{says})"):
        require_writable(tmp_path / target)


def test_the_longest_name_is_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("x" * 255), "content")


@pytest.mark.fault(kind="output")
def test_a_link_into_a_folder_that_is_not_there_is_refused_before_any_work(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "nowhere" / "target.json")
    with pytest.raises(UsageError, match=r"the folder of the output .* does not exist"):
        require_writable(link)


@pytest.mark.fault(kind="output")
def test_a_link_to_nothing_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "gone.json")
    with pytest.raises(UsageError, match=r"link.json' is a link to nothing, '.*gone.json': name the file itself"):
        require_writable(tmp_path / "link.json")
