"""Code in the styles that strangers write: right code agrees; of wrong code the line and the cause are told, once."""

import re
from pathlib import Path

import pytest
from tests.foreign.catalogue import PIECES, UNJUDGED
from tests.foreign.piece import Mistake, Piece, cause_told, checked, lines_found

import gradparity
from gradparity.parity.report import Report

pytestmark = pytest.mark.slow
LIBRARY = {"autograd_function": "torch", "custom_vjp": "jax"}
WRONG = [piece for piece in PIECES if not piece.right]


def report_on(piece: Piece, folder: Path) -> Report:
    if piece.way in LIBRARY:
        pytest.importorskip(LIBRARY[piece.way])
    return checked(piece, folder)


@pytest.mark.parametrize("piece", [piece for piece in PIECES if piece.right], ids=str)
def test_a_right_piece_agrees(piece: Piece, tmp_path: Path) -> None:
    report = report_on(piece, tmp_path)
    report.assert_ok()
    assert report.rows
    assert any(re.search(piece.remark, remark) for remark in ("", *report.remarks)), report.remarks


@pytest.fixture(scope="module", params=WRONG, ids=str)
def wrong(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Piece, Mistake, Report]:
    """One check serves every question about it."""
    piece: Piece = request.param
    assert piece.mistake is not None
    return piece, piece.mistake, report_on(piece, tmp_path_factory.mktemp("foreign"))


def test_a_wrong_piece_disagrees(wrong: tuple[Piece, Mistake, Report]) -> None:
    assert not wrong[-1].agrees


def test_the_wrong_lines_are_named_and_no_other(wrong: tuple[Piece, Mistake, Report]) -> None:
    _, mistake, report = wrong
    assert lines_found(report) == set(mistake.lines)


def test_the_cause_is_told(wrong: tuple[Piece, Mistake, Report]) -> None:
    _, mistake, report = wrong
    assert cause_told(mistake, report), [row.diagnosis or row.note for row in report.findings]


def test_each_wrong_line_is_told_once(wrong: tuple[Piece, Mistake, Report]) -> None:
    lines = [row.line for row in wrong[-1].findings]
    assert sorted(lines) == sorted(set(lines))


@pytest.mark.parametrize("wrong", [piece for piece in WRONG if piece.way == "model_file"], ids=str, indirect=True)
def test_a_wrong_line_of_a_model_is_told_with_its_place(wrong: tuple[Piece, Mistake, Report]) -> None:
    piece, _, report = wrong
    with pytest.raises(AssertionError, match=rf"{piece.file.rpartition('/')[2]}\.py:\d+"):
        report.assert_ok()


@pytest.mark.parametrize(("piece", "says"), UNJUDGED, ids=str)
def test_what_cannot_be_judged_does_not_agree(piece: Piece, says: str, tmp_path: Path) -> None:
    with pytest.raises((gradparity.UsageError, AssertionError), match=says):
        report_on(piece, tmp_path).assert_ok()
