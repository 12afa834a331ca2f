from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity import data
from gradparity.data import text
from gradparity.errors import UsageError


@given(st.text(min_size=16).filter(lambda written: len(set(written)) > 1), st.integers(1, 3))
def test_every_label_is_the_character_after_its_token(written: str, window: int) -> None:
    found = text.windows("any", written, window)
    x = np.concatenate([found.train.x, found.test.x]).ravel()
    y = np.concatenate([found.train.y, found.test.y]).ravel()
    read = "".join(found.vocabulary[token] for token in x)
    assert written.startswith(read)
    assert written[1:].startswith("".join(found.vocabulary[token] for token in y))
    assert len(found.test) == (len(found.train) + len(found.test)) // 5
    assert found.classes == len(set(written)) == len(found.vocabulary)


def test_the_embedded_text_is_long_enough_to_learn_from() -> None:
    found = data.load("text")
    assert len(found.train) > 10_000
    assert (found.features, found.train.y.shape[1]) == (text.WINDOW, text.WINDOW)
    assert data.status("text").present


def test_a_users_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("grüße " * 100, encoding="utf-8")
    found = data.load(str(tmp_path / "own.txt"))
    assert found.vocabulary == " egrßü"
    assert found.name == "own.txt"


@pytest.mark.fault(kind="data")
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "must hold at least 2 different characters to predict, got 0"),
        (b"aaaa" * 100, "must hold at least 2 different characters to predict, got 1"),
        (b"\xff\xfe\x00" * 100, "is no text in UTF-8"),
        (b"ab\x00" * 100, "is no text: it holds a character NUL at 2"),
        (b"ab" * 80, "must hold 5 windows of 32 characters, .* got 160 characters: give at least 161"),
    ],
)
def test_what_is_no_text_to_learn_from_is_refused_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "own.txt").write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        data.load(str(tmp_path / "own.txt"))
    assert "\n" not in str(caught.value)
