"""A download comes from the first good mirror, and leaves the right file or none."""

import sys
from pathlib import Path
from typing import Any

import pytest

from gradparity.data.download import fetch
from gradparity.errors import UsageError


def check(path: Path) -> str:
    text = path.read_text()
    if text != "right":
        raise UsageError("wrong")
    return text.upper()


@pytest.mark.fault(kind="download")
@pytest.mark.parametrize("first", [None, b"corrupt"])
def test_the_second_mirror_is_used_when_the_first_has_no_file_or_a_wrong_one(
    tmp_path: Path, server: Any, first: bytes | None
) -> None:
    server.answers = {"/b/file": b"right"} | ({"/a/file": first} if first else {})
    destination = tmp_path / "cache" / "file"
    assert fetch([server.url + "a/file", server.url + "b/file"], destination, check, 7) == "RIGHT"
    assert server.asked == ["/a/file", "/b/file"]
    assert [path.name for path in destination.parent.iterdir()] == ["file"]
    assert destination.read_bytes() == b"right"


def test_a_good_first_mirror_is_the_only_one_asked(tmp_path: Path, server: Any) -> None:
    server.answers = {"/a/file": b"right", "/b/file": b"right"}
    fetch([server.url + "a/file", server.url + "b/file"], tmp_path / "file", check, 7)
    assert server.asked == ["/a/file"]


@pytest.mark.fault(kind="download")
def test_when_every_mirror_fails_each_answer_is_told_and_nothing_is_left(tmp_path: Path, server: Any) -> None:
    server.answers = {"/b/file": b"corrupt"}
    closed = "http://127.0.0.1:9/file"
    with pytest.raises(UsageError) as raised:
        fetch([server.url + "a/file", server.url + "b/file", closed], tmp_path / "cache" / "file", check, 7)
    host = server.url.removeprefix("http://").removesuffix("/")
    assert str(raised.value) == (
        f"no mirror gave 'file' ({host}: 404 Client Error: Not Found; {host}: wrong content; "
        "127.0.0.1:9: no connection)"
    )
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.fault(kind="download")
def test_an_answer_cut_short_is_no_answer(tmp_path: Path, server: Any) -> None:
    server.answers = {"/file": b"right"}
    server.cut_short = True
    with pytest.raises(UsageError, match="broken answer"):
        fetch([server.url + "file"], tmp_path / "file", check, 7)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(kind="download")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, server: Any) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(UsageError, match=r"taken.* cannot be written"):
        fetch([server.url + "file"], tmp_path / "taken" / "file", check, 7)
    assert server.asked == []


def test_nothing_is_printed_in_a_pipe_and_no_bar_drawn(
    tmp_path: Path, server: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    server.answers = {"/file": b"right"}
    fetch([server.url + "missing", server.url + "file"], tmp_path / "file", check, 7)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_terminal_sees_a_bar(
    tmp_path: Path, server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    server.answers = {"/file": b"right"}
    fetch([server.url + "missing", server.url + "file"], tmp_path / "file", check, 7)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "downloading file" in captured.err


@pytest.mark.fault(kind="download")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"12345678", "more than the 7 bytes of the file"),
        ("banana", "broken answer|wrong content"),
        ("away", "no https"),
    ],
)
def test_an_answer_that_is_too_large_is_no_header_or_leads_to_plain_http_is_no_answer(
    tmp_path: Path, server: Any, answer: bytes | str, said: str
) -> None:
    server.answers = {"/file": answer if isinstance(answer, bytes) else b"wrong"}
    server.headers = {"banana": {"Content-Length": "banana"}, "away": {"Location": "http://example.com/"}}.get(
        str(answer), {}
    )
    with pytest.raises(UsageError, match=said):
        fetch([server.url + "file"], tmp_path / "file", check, 7)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(kind="download")
def test_a_download_that_never_ends_is_ended(tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = {"/file": b"right"}
    monkeypatch.setattr("gradparity.data.download.DEADLINE", -1)
    with pytest.raises(UsageError, match="not finished within -1 s"):
        fetch([server.url + "file"], tmp_path / "file", check, 7)


@pytest.mark.fault(kind="download")
def test_plain_http_from_elsewhere_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no mirror gave 'file' \(example.com: no https\)"):
        fetch(["http://example.com/file"], tmp_path / "file", check, 7)
