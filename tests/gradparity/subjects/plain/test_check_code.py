"""check_code on functions that are there, cells of a notebook, and what cannot be checked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradparity
from gradparity import UsageError, __main__
from gradparity.subjects.plain import capture, check_cell, check_file

rng = np.random.default_rng(0)


def scale_forward(x, gain):  # type: ignore[no-untyped-def]
    out = x * gain
    return out, (x, gain)


def scale_backward(dout, cache):  # type: ignore[no-untyped-def]
    x, gain = cache
    dx = dout * gain
    dgain = (dout * x).sum(axis=0)
    return dx, dgain


def sigmoid(z):  # type: ignore[no-untyped-def]
    return 1 / (1 + np.exp(-z))


def loss_and_grads(w, b, X, y):  # type: ignore[no-untyped-def]
    p = sigmoid(X @ w + b)  # type: ignore[no-untyped-call]
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    dz = (p - y) / len(y)
    return loss, {"w": X.T @ dz, "b": dz.sum()}


def wrong_loss_and_grads(w, b, X):  # type: ignore[no-untyped-def]
    h = np.tanh(X @ w + b)
    loss = np.sum(h**2)
    dh = 2 * h
    dw = X.T @ dh
    db = dh.sum(axis=0)
    return loss, dw, db


LAYER = (rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(6, 3)))
DATA: tuple[Any, ...] = (rng.normal(size=3), 0.2, rng.normal(size=(6, 3)), np.array([0.0, 1, 1, 0, 1, 0]))


def test_a_function_is_followed_into_the_users_own_and_returned_gradients_are_judged() -> None:
    report = gradparity.check_code(loss_and_grads, *DATA)
    report.assert_ok()
    assert {row.name for row in report.rows} >= {"return[1]['w']", "return[1]['b']"}


def test_a_pair_is_checked_by_its_forward_function() -> None:
    gradparity.assert_code_gradients_agree(scale_forward, rng.normal(size=(4, 3)), rng.normal(size=3))


def test_a_missing_step_is_told_at_the_line_that_lacks_it() -> None:
    report = gradparity.check_code(wrong_loss_and_grads, *LAYER)
    (found,) = report.findings
    assert (found.name, found.diagnosis) == ("dh", "dh lacks the factor 1 - h**2")
    assert Path(__file__).name in found.place


def test_a_failing_assertion_shows_the_source_with_signs() -> None:
    with pytest.raises(AssertionError, match=r"✗ +\d+ +dh = 2 \* h"):
        gradparity.assert_code_gradients_agree(wrong_loss_and_grads, *LAYER)


def test_arguments_are_left_as_they_are() -> None:
    given = [np.array(a) for a in DATA]
    gradparity.check_code(loss_and_grads, *given)
    assert all(np.array_equal(a, b) for a, b in zip(given, DATA, strict=True))


def test_gradients_of_another_loss_say_how_many_times() -> None:
    def step(W, X, Y):  # type: ignore[no-untyped-def]
        z = X @ W
        loss = np.mean((z - Y) ** 2)
        dz = 2 * (z - Y) / len(X)
        dW = X.T @ dz
        return loss, dW

    report = gradparity.check_code(step, rng.normal(size=(3, 5)), rng.normal(size=(7, 3)), rng.normal(size=(7, 5)))
    assert "every gradient here is 5 times that of loss" in report.findings[0].diagnosis


def test_a_cell_is_checked_on_copies_of_a_notebooks_names() -> None:
    W = rng.normal(size=(3, 2))
    names, before = {"np": np, "W": W, "X": rng.normal(size=(4, 3))}, W.copy()
    report = check_cell("Z = X @ W\nloss = np.sum(Z ** 2)\ndZ = Z\ndW = X.T @ dZ\nW -= dW\n", names)
    assert [row.name for row in report.findings] == ["dZ"]
    assert np.array_equal(W, before)


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda w: w, "a lambda"),
        (3, "written with def"),
        (scale_backward, "check scale_forward"),
        (sigmoid, "no loss|nothing"),
    ],
)
def test_what_is_no_plain_code_is_refused_in_one_line(function: object, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        gradparity.check_code(function, *([1.0, ()] if function is scale_backward else [np.ones(3)]))
    assert "\n" not in str(refused.value)


STEP = """import numpy as np
def step(w):
    z = w * 2
    loss = np.sum(z**2)
    dz = 2 * z
    dw = 2 * dz
    return loss
"""


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize(
    ("text", "argument", "says"),
    [
        (STEP, ":stop", "no function 'stop'.*did you mean 'step'"),
        (STEP, "", "step is never called"),
        ("x = 3\n", "", "nothing in it is written as the gradient"),
        (STEP.replace("return", "yield"), ":step", "step yields"),
        (STEP + "while True:\n    pass\nstep(np.ones(3))\n", "", "ran for 0 s and did not come to step"),
        (STEP + "step(undefined)\n", "", r":8: raises NameError"),
        ("def f(:\n", ":f", "Python cannot read the file"),
        (
            STEP.replace("(w)", "(x)").replace("w * 2", "x * 2") + "import sys\nsys.exit(3)\n",
            "",
            "SystemExit: 3 before it comes to step",
        ),
        (STEP + "open('data.csv')\n", "", "FileNotFoundError.*paths start in the file's own folder"),
        (STEP + "step(np.ones(3) * np.nan)\n", "", "step: the loss, what is returned, is nan"),
        (
            "import time\n" + STEP.replace("* 2", "* time.perf_counter()") + "step(np.ones(3))\n",
            "",
            "another one in each run",
        ),
        (
            STEP.replace("loss =", "e =").replace("return loss", "return") + "step(np.ones(3))\n",
            "",
            "step: there is no loss",
        ),
    ],
)
def test_a_file_that_cannot_be_checked_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, argument: str, says: str
) -> None:
    monkeypatch.setattr(capture, "SECONDS", 0.2)
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says) as refused:
        check_file(f"{tmp_path / 'train.py'}{argument}")
    assert "\n" not in str(refused.value)


LOOPS = """import numpy as np
def batches(x, size):
    for i in range(0, len(x), size):
        yield x[i:i + size]
def first(values):
    for value in values:
        if value is not None:
            return value
w = first([None, np.array([0.5, -0.3])])
for x in batches(np.arange(12.0).reshape(6, 2), 3):
    z = x @ w
    loss = np.sum(z**2)
    dz = 2 * z
    dw = x.T @ dz
    w -= 0.01 * dw
"""


def test_a_loop_of_the_users_that_yields_or_returns_does_so(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(LOOPS, encoding="utf-8")
    check_file(str(tmp_path / "train.py")).assert_ok()


WEIGHTS = rng.normal(size=(3, 2))
DRAWS = np.random.default_rng(1)


def with_globals(X):  # type: ignore[no-untyped-def]
    mask = DRAWS.random((6, 2)) < 0.5
    z = X @ WEIGHTS * mask
    loss = np.sum(z**2)
    dz = 2 * z
    dWEIGHTS = X.T @ (dz * mask)
    return loss, dWEIGHTS


def test_global_weights_are_moved_and_a_global_generator_draws_the_same_in_each_run() -> None:
    report = gradparity.check_code(with_globals, LAYER[2])
    report.assert_ok()
    assert "dWEIGHTS" in {row.name for row in report.rows}


class Held:
    def __init__(self) -> None:
        self.w = rng.normal(size=(3, 2))

    def __call__(self, X):  # type: ignore[no-untyped-def]
        z = X @ self.w
        loss = np.sum(z**2)
        dz = 2 * z
        self.dw = X.T @ dz
        return loss

    @classmethod
    def of_class(cls, w, X):  # type: ignore[no-untyped-def]
        return wrong_loss_and_grads(w, np.zeros(2), X)  # type: ignore[no-untyped-call]


def test_objects_that_are_called_and_class_methods_are_checked_too() -> None:
    gradparity.check_code(Held(), LAYER[2]).assert_ok()
    assert gradparity.check_code(Held.of_class, LAYER[0], LAYER[2]).findings[0].name == "dh"


def test_whole_numbers_that_have_a_gradient_are_taken_as_real() -> None:
    gradparity.check_code(loss_and_grads, *DATA[:2], np.arange(18).reshape(6, 3), DATA[3]).assert_ok()
    report = gradparity.check_code(wrong_loss_and_grads, np.ones((3, 2), int), LAYER[1], LAYER[2])
    assert {row.name for row in report.rows} == {"dh", "dw", "db"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"names": "dz=zz"}, "no real array is called zz where dz is written; did you mean 'z'"),
        ({"names": ["dq=z"]}, "nothing is written to dq"),
        ({"loss": "'a'"}, "must be one number"),
    ],
)
def test_names_and_losses_that_are_not_there_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        gradparity.check_code(loss_and_grads, *DATA, **given)


def test_tensors_are_told_from_numpys_arrays() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(UsageError, match="w is a torch Tensor, and plain code is checked on NumPy's arrays"):
        gradparity.check_code(wrong_loss_and_grads, *map(torch.asarray, LAYER))


def test_example_inputs_stand_for_a_call(tmp_path: Path) -> None:
    text = f"{STEP}def example_inputs():\n    return (np.arange(3.0) + 1,)\n"
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    check_file(str(tmp_path / "train.py")).assert_ok()
    assert __main__.run(["check", str(tmp_path / "train.py")]) == 0


def test_the_command_shows_the_source_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, target, page = tmp_path / "train.py", tmp_path / "out.json", tmp_path / "out.html"
    file.write_text(STEP.replace("dw = 2 * dz", "dw = dz") + "step(np.arange(3.0) + 1)\n", encoding="utf-8")
    assert __main__.run(["check", str(file), "--json", str(target), "--report", str(page)]) == 1
    assert "✗ 6      dw = dz   ∂L/∂w" in capsys.readouterr().out
    (listing,) = json.loads(target.read_text(encoding="utf-8"))["listings"]
    assert [line["number"] for line in listing["lines"] if line["sign"] == "✗"] == [6]
    assert "dw = dz" in page.read_text(encoding="utf-8")


def test_a_model_takes_no_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.run(["check", "softmax_regression", "--loss", "x"]) == 2
    assert "plain code" in capsys.readouterr().err
