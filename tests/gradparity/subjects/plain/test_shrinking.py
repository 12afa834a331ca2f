"""A wrong line of plain code comes with the smallest numbers at which it is wrong: the code is run on them."""

from pathlib import Path

import numpy as np

from gradparity.subjects.plain import check_code, check_file

SHARED = """
import numpy as np
rng = np.random.default_rng(0)
x, t, p = rng.normal(size=(6, 4)), rng.integers(3, size=6), {"W": rng.normal(size=(4, 3))}
def step(x, t, p):
    z = x @ p["W"]
    e = np.exp(z - z.max(1, keepdims=True))
    q = e / e.sum(1, keepdims=True)
    loss = -np.mean(np.log(q[np.arange(len(t)), t]))
    dz = q.copy()
    dz[np.arange(len(t)), t] -= 1
    g = {"W": x.T @ dz}
    return loss, g
loss, g = step(x, t, p)
"""


def squared(x: np.ndarray, w: np.ndarray) -> float:
    z = x @ w
    loss = 0.5 * float(np.sum(z**2))
    dz = 2 * z
    return loss + 0 * float(dz.sum())


def test_the_case_is_small_enough_for_a_pencil() -> None:
    rng = np.random.default_rng(0)
    (row,) = check_code(squared, rng.normal(size=(5, 4)), rng.normal(size=(4, 3))).findings
    assert row.example == "at x = [[1]], w = [[1]]: dz is [[2]], should be [[1]]"


def test_labels_and_arrays_with_two_names_shrink_together(tmp_path: Path) -> None:
    path = tmp_path / "step.py"
    path.write_text(SHARED, encoding="utf-8")
    examples = [row.example for row in check_file(str(path)).findings]
    assert examples
    assert all("should be" in example and "shapes" not in example for example in examples)


def fixed(x: np.ndarray, w: np.ndarray) -> float:
    z = x.reshape(5, 4) @ w
    loss = 0.5 * float(np.sum(z**2))
    dz = 2 * z
    return loss + 0 * float(dz.sum())


def test_sizes_that_the_code_fixes_stay() -> None:
    rng = np.random.default_rng(0)
    (row,) = check_code(fixed, rng.normal(size=(5, 4)), rng.normal(size=(4, 1))).findings
    assert "x = [[1, 1, 1, 1], [1, 1, 1, 1]," in row.example
