"""Plain code as strangers write it: right code agrees, and of wrong code the line is named."""

from pathlib import Path

import pytest
from tests.foreign.plain_catalogue import RIGHT, WRONG, PlainPiece, checked, names_of

QUICK = {
    "logistic_course",
    "linear_regression",
    "glove",
    "lambda_logistic",
    "poisson_glm",
    "layer_stack",
    "triplet_loss",
    "script_deltas",
    "unrolled_theta",
}
UNTOLD = {
    "batchnorm_steps, dx = dx1 + dx2": "dx1 is blamed, which would be right with dx2 in it",
    "min_char_rnn, dhnext = np.dot(Whh.T, dhraw)": "dhnext is the gradient of one use of h, and dh is blamed",
    "discriminator_step, grad_f_logit = grad_fake_out * f_out * (": "the line before it is blamed as well",
}


def marked(pieces: list[PlainPiece]) -> list[object]:
    """The quick ones run in make test, all of them in make check-all."""
    return [pytest.param(p, marks=() if p.file in QUICK else pytest.mark.slow, id=str(p)) for p in pieces]


@pytest.mark.parametrize("piece", marked(RIGHT))
def test_right_plain_code_agrees(piece: PlainPiece, tmp_path: Path) -> None:
    checked(piece, tmp_path).assert_ok()


@pytest.mark.parametrize("piece", marked(WRONG))
def test_the_wrong_line_of_plain_code_is_named_and_no_other(
    piece: PlainPiece, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert piece.mistake is not None
    report = checked(piece, tmp_path)
    assert not report.agrees
    if str(piece) in UNTOLD:
        request.node.add_marker(pytest.mark.xfail(strict=True, reason=UNTOLD[str(piece)]))
    assert names_of(report) == {piece.mistake.name}


def test_at_least_forty_pieces_are_tried() -> None:
    assert len(RIGHT) + len(WRONG) >= 40
