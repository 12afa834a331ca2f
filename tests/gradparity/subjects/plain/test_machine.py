"""Plain code runs on the arrays of PyTorch and JAX as it stands, and is then judged by their gradients, too."""

import base64
import math
import zlib
from pathlib import Path

import numpy as np
import pytest

from gradparity.__main__ import main
from gradparity.drawing.heatmap import MOST, heatmap
from gradparity.subjects.plain import check, check_code, truths
from gradparity.subjects.plain.standin import StandIn, made_by

rng = np.random.default_rng(0)
STEP = """
import numpy as np
rng = np.random.default_rng(0)
def step(x, W):
    z = x @ W
    h = np.zeros(z.shape)
    for i in range(len(z)):
        h[i] = np.where(z[i] > 0, z[i], 0)
    loss = np.sum(h**2)
    dh = 2 * h
    dz = dh * (z > 0)
    dW = x.T @ dz
    return loss, dW
step(rng.normal(size=(5, 4)), rng.normal(size=(4, 3)))
"""


def large(x: np.ndarray, W: np.ndarray) -> float:
    z = np.tanh(x @ W)
    loss = float(np.mean(z**2))
    dz = 2 * z / z.size
    dW = x.T @ (dz * (1 - z**2))
    return loss + 0 * float(dW.sum())


def leaves_the_arrays(w: np.ndarray) -> float:
    loss = math.exp(np.sum(w))
    dw = np.exp(np.sum(w)) * np.ones(w.shape)
    return loss + 0 * float(dw.sum())


def test_large_arrays_are_judged_by_a_machine_and_without() -> None:
    report = check_code(large, rng.normal(size=(64, 300)), rng.normal(size=(300, 40)) / 10)
    report.assert_ok()
    assert report.witnesses == ("torch", "differences")
    assert {row.witness for row in report.rows if row.name == "dW"} == {"torch", "differences"}


def test_code_that_no_machine_runs_is_judged_by_differences_alone() -> None:
    report = check_code(leaves_the_arrays, rng.normal(size=3))
    report.assert_ok()
    assert report.witnesses == ("differences",)


def test_without_a_machine_a_large_array_is_judged_along_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "machine_of", lambda _: None)
    monkeypatch.setattr(truths, "PATIENCE", 1e-3)
    report = check_code(large, rng.normal(size=(64, 300)), rng.normal(size=(300, 40)) / 10)
    report.assert_ok()
    assert "along random directions" in " ".join(report.remarks)


def test_without_a_machine_the_same_line_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "machine_of", lambda _: None)

    def step(x: np.ndarray, W: np.ndarray) -> float:
        z = x @ W
        loss = float(np.sum(z**2))
        dz = z
        dW = x.T @ dz
        return loss + 0 * float(dW.sum())

    report = check_code(step, rng.normal(size=(5, 4)), rng.normal(size=(4, 3)))
    assert (report.witnesses, [row.name for row in report.findings]) == (("differences",), ["dz"])


def test_explain_puts_the_machines_operations_below_the_users_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "step.py").write_text(STEP, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["gradparity", "explain", str(tmp_path / "step.py")])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "z:f64[5,3] = dot_general" in shown
    assert "MmBackward0 → AccumulateGrad receives it" in shown


def native(library: str, array: np.ndarray) -> object:
    module = pytest.importorskip("torch" if library == "torch" else "jax.numpy")
    return module.asarray(array)


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_a_stand_in_behaves_as_numpys_array(library: str) -> None:
    a = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    x = StandIn(native(library, a))
    y = x * 2.0
    y[0, [0, 2]] = 7.0
    y += x
    assert (x.shape, x.ndim) == ((2, 3), 2)
    assert x.dtype == a.dtype
    assert np.allclose(native_of(y), [[7, 3, 9], [9, 12, 15]])
    assert np.allclose(native_of(made_by(np.array, x.native)([x[0], x[1]])), a)
    assert np.allclose(native_of(np.maximum(x, 2.0).sum(axis=0)), np.maximum(a, 2).sum(axis=0))
    assert isinstance(x > 2, np.ndarray)
    assert (x > 2).tolist() == (a > 2).tolist()
    made = made_by(np.zeros, x.native)((2, 3))
    made[1] = x[0]
    assert np.allclose(native_of(made), [[0, 0, 0], a[0]])


def native_of(x: StandIn) -> np.ndarray:
    return np.asarray(x.native)


@pytest.mark.parametrize("library", ["jax", "torch"])
@pytest.mark.parametrize("lose", [float, bool, np.linalg.matrix_rank, lambda x: np.ones(3).__setitem__(0, x[0])])
def test_nothing_becomes_numpys_unnoticed(library: str, lose: object) -> None:
    assert callable(lose)
    with pytest.raises((TypeError, ValueError, AttributeError)):
        lose(StandIn(native(library, np.ones(3)))).native  # noqa: B018


def test_a_heatmap_has_a_pixel_per_entry_and_the_largest_of_each_block() -> None:
    small = _pixels(heatmap(np.array([[0.0, 1.0, -1.0], [np.nan, 0.5, 0.0]]), 1.0), 3)
    assert small[0] == [(255, 255, 255), (178, 24, 43), (33, 102, 172)]
    assert small[1][0] == (0, 0, 0)
    spike = np.zeros((2 * MOST, 3))
    spike[5, 1] = -1.0
    assert _pixels(heatmap(spike, 1.0), 3)[2] == [(255, 255, 255), (33, 102, 172), (255, 255, 255)]


def _pixels(address: str, width: int) -> list[list[tuple[int, ...]]]:
    file = base64.b64decode(address.partition(",")[2])
    start = file.index(b"IDAT")
    size = int.from_bytes(file[start - 4 : start], "big")
    data = zlib.decompress(file[start + 4 : start + 4 + size])
    rows = [data[i + 1 : i + 1 + 3 * width] for i in range(0, len(data), 1 + 3 * width)]
    return [[tuple(row[3 * j : 3 * j + 3]) for j in range(width)] for row in rows]
