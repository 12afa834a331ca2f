"""Where a line is a sum and one of its terms is wrong, the sentence names the term and its factor."""

import re

import numpy as np
import pytest

from gradparity.subjects.plain import check_code


def penalised(x: np.ndarray, w: np.ndarray, share: float, other: float) -> float:
    h = np.tanh(x @ w)
    loss = 0.5 * np.sum(h**2) + np.sum(np.exp(w))
    da = h * (1 - h**2)
    dw = share * (x.T @ da) - other * -np.exp(w)
    return float(loss + 0 * dw.sum())


@pytest.mark.parametrize(
    ("share", "other", "said"),
    [
        (3.0, 1.0, r"in dw, the term `share \* \(x.T @ da\)` is 3 times too large"),
        (1.0, 0.25, r"in dw, the term `other \* -np.exp\(w\)` is 4 times too small"),
    ],
)
def test_the_wrong_term_of_a_sum_is_named(share: float, other: float, said: str) -> None:
    rng = np.random.default_rng(3)
    report = check_code(penalised, rng.normal(size=(5, 3)), rng.normal(size=(3, 2)), share, other)
    (row,) = report.findings
    assert row.line == "dw"
    assert re.search(said, row.diagnosis), row.diagnosis
