"""An Otter-Grader test file: a point for each line of softmax_regression.py that is right."""

import secrets
from pathlib import Path

from otter.test_files import test_case

OK_FORMAT = False
name = "q1"
points = 3


def right_lines():
    """The lines that are right, up to the first wrong one, on numbers that nobody has seen."""
    from gradparity.exercise import judge_file

    return judge_file(Path("softmax_regression.py"), seed=secrets.randbits(32)).right


@test_case(points=1)
def test_logits():
    """The gradient of the logits."""
    assert "logits" in right_lines()


@test_case(points=1)
def test_weights():
    """The gradient of the weights."""
    assert "W" in right_lines()


@test_case(points=1)
def test_bias():
    """The gradient of the bias."""
    assert "b" in right_lines()
