"""The commands as a user types them: what they print, where, and their exit status."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gradparity import comparison, registry
from gradparity.parity.report import Report, Row
from gradparity.subjects import specs

MACHINE = [
    name
    for name in registry.names()
    if (found := registry.availability(name).backend) and found.differentiation == "machine"
]
NO_MACHINE = "neither JAX nor PyTorch is installed: pip install 'gradparity[all]'"
needs_machine = pytest.mark.skipif(not MACHINE, reason=NO_MACHINE)


def test_train_prints_a_line_an_epoch_and_the_test_accuracy(gradparity) -> None:  # type: ignore[no-untyped-def]
    status, out, err = gradparity("train", "--epochs", 3)
    assert (status, err) == (0, "")
    *epochs, last = out.splitlines()
    assert [line[:8] for line in epochs] == ["Epoch 01", "Epoch 02", "Epoch 03"]
    assert all(re.fullmatch(r"Epoch \d\d - Loss: \d\.\d{4}, Accuracy: [01]\.\d{4}", line) for line in epochs)
    assert re.fullmatch(r"Test Accuracy: \d\d\.\d\d%", last)


def test_train_writes_configuration_and_epochs_as_json(gradparity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "out.json"
    status, out, _ = gradparity("train", "mlp", "--set", "hidden=9,8", "--epochs", 2, "--json", target)
    assert status == 0
    written = json.loads(target.read_text())
    assert written["model"]["name"] == "mlp"
    assert written["model"]["widths"] == [64, 9, 8, 10]
    assert (written["backend"], written["data"]) == ("numpy", "digits")
    assert written["settings"] == {
        "epochs": 2, "batch_size": 64, "lr": 0.1, "optimizer": "sgd", "dtype": "float32", "seed": 42,
        "schedule": "constant",
    }  # fmt: skip
    assert [e["epoch"] for e in written["epochs"]] == [1, 2]
    assert all(e["seconds"] > 0 for e in written["epochs"])
    assert f"Test Accuracy: {written['test_accuracy'] * 100:.2f}%" in out


def test_squared_error_trains_on_one_hot_labels(gradparity) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = gradparity("train", "mlp", "--set", "loss=squared_error", "--epochs", 2)
    assert status == 0
    assert "Accuracy" in out


@needs_machine
def test_check_prints_a_row_a_line_and_exits_with_0(gradparity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "out.json"
    status, out, err = gradparity("check", "--backends", f"numpy,{MACHINE[0]}", "--json", target)
    assert (status, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines())
    assert re.search(r"All \d+ comparisons of numpy, \w+ agree\.", out)
    assert json.loads(target.read_text())["agrees"] is True


def test_check_shows_a_disagreement_in_words_and_exits_with_1(gradparity, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    wrong = Row("W", "gradient", "numpy", "jax", "float64", 10.0, 1e-10)
    right = Row("b", "gradient", "numpy", "jax", "float64", 1e-16, 1e-10)
    report = Report("softmax_regression", 11, 0, ("numpy",), ("jax",), (right, wrong))
    monkeypatch.setattr(specs, "check", lambda *_, **__: report)
    status, out, _ = gradparity("check")
    assert status == 1
    assert "d['W'] of numpy against jax in float64: relative error 1.0e+01" in out
    assert "1 of 2 comparisons disagree, in d['W']." in out


@needs_machine
@pytest.mark.usefixtures("quickly_timed")
def test_compare_checks_trains_and_times(gradparity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page, target = tmp_path / "out.html", tmp_path / "out.json"
    status, out, err = gradparity(
        "compare", "--backends", f"numpy,{MACHINE[0]}", "--epochs", 2, "--report", page, "--json", target
    )
    assert (status, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines() if str(tmp_path) not in line)
    assert page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    written = json.loads(target.read_text())
    assert [run["backend"] for run in written["runs"]] == ["numpy", MACHINE[0]]
    assert all(0 <= d < 1e-5 for run in written["runs"] for d in run["largest_parameter_differences"])
    assert all(len(own) > 0 for own in written["seconds_per_step"].values())


@pytest.mark.fault(kind="unruly")
@pytest.mark.parametrize("command", ["check", "explain"])
@pytest.mark.parametrize("place", ["forward(p, batch, c):", "backward(p, batch, c, d):"])
def test_a_users_code_cannot_end_a_command_as_if_all_were_well(  # type: ignore[no-untyped-def]
    gradparity, tmp_path: Path, command: str, place: str
) -> None:
    example = Path(__file__).parents[4] / "docs" / "examples" / "my_model.py"
    file = tmp_path / "mine.py"
    file.write_text(example.read_text().replace(place, f"{place}\n    raise SystemExit(0)\n"))
    status, out, err = gradparity(command, file)
    assert (status, out) == (2, "")
    line = file.read_text().splitlines().index("    raise SystemExit(0)") + 1
    assert err.startswith(f"gradparity: {file}:{line}: code that is checked must not end the process")
    assert err.count("\n") == 1


BAD = [
    (["check", "mlp", "--batch-size", "20000000000"], r"mlp on 20,000,000,000 examples needs .* GB of memory"),
    (["explain", "mlp", "--set", "widths=10000000,10000000,5"], r"mlp with \S+ parameters needs .* GB of memory"),
    (["train", "mlp", "--set", "hidden=99999999999999"], r"mlp with \S+ parameters needs .* GB of memory"),
    (["chek"], "No such command 'chek'"),
    (["train", "softmax"], "unknown model 'softmax'.*did you mean 'softmax_regression'"),
    (["train", "--backend", "nunpy"], "unknown backend 'nunpy'.*did you mean 'numpy'"),
    (["train", "--backend", "numpy,jax"], "train takes one backend, got 'numpy,jax'.*gradparity compare"),
    (["compare", "--backends", ","], "--backends needs at least one name"),
    (["train", "--data", "minst"], "unknown data set 'minst'.*did you mean 'mnist'"),
    (["train", "--data", "no/such.csv"], "there is no data file 'no/such.csv'"),
    (["train", "--dtype", "float16"], "unknown dtype 'float16'.*float32"),
    (["train", "--optimizer", "sdg"], "unknown optimizer 'sdg'.*did you mean 'sgd'"),
    (["train", "--epochs", "0"], "--epochs must be a whole number of at least 1, got 0"),
    (["train", "--epochs", "two"], "Invalid value for '--epochs': .*integer.*, got 'two'"),
    (["train", "--batch-size", "0"], "--batch-size must be a whole number of at least 1, got 0"),
    (["check", "--order", "3"], "order must be 1, or 2 for what is differentiated twice, got 3"),
    (
        ["check", "--order", "2", "--draws", "3"],
        "--order has no use in a sweep",
    ),
    (["check", "--batch-size", "0"], "--batch-size must be at least 1, got 0"),
    (["train", "--lr", "nan"], "--lr must be finite and above 0, got nan"),
    (["train", "--epoch", "3"], "No such option.*--epochs"),
    (["train", "mlp", "--set", "activation=rely"], "unknown mlp activation 'rely'.*did you mean 'relu'"),
    (["train", "mlp", "--set", "hidden=x"], r"widths\[1\] must be a whole number of at least 1, got 'x'"),
    (["check", "mlp", "--set", "widths=5"], "widths must name at least input and output size, got 5"),
    (["check", "--set", "classes=2.5"], "classes must be a whole number of at least 1, got 2.5"),
    (["check", "--set", "weight_decay=1e-44"], "weight_decay must be 0 or at least 1e-30, got 1e-44: .* float32"),
    (["train", "--set", "weight_decay=much"], "weight_decay must be finite and at least 0, got 'much'"),
    (["train", "--lr", "1e30", "--set", "weight_decay=1"], r"training diverged: the loss is \S+ at epoch 1, step \d+"),
    (["train", "--json", "no/such/folder/out.json"], "the folder of the output .* does not exist"),
]


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(("arguments", "says"), BAD, ids=lambda a: " ".join(a) if isinstance(a, list) else "")
def test_bad_input_is_one_line_on_standard_error_and_status_2(gradparity, arguments: list[str], says: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = gradparity(*arguments)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert re.match(f"gradparity: .*{says}", line), line


def test_the_process_ends_with_the_status_of_its_command(tmp_path: Path) -> None:
    done = _shell("gradparity train --epochs 0", tmp_path)
    said = "gradparity: --epochs must be a whole number of at least 1, got 0\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


@needs_machine
def test_a_terminal_shows_what_is_going_on() -> None:
    assert b"checking gradients" in _shown_on_a_terminal("compare", "--backends", "numpy", "--epochs", "1")


@needs_machine
def test_a_terminal_shows_that_a_file_is_read_before_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(
        "import sys\nsys.stderr.write('the file runs\\n')\nparam_shapes, input_shape, target_shape = {'w': 2}, 2, ()\n"
        "def forward(p, batch, c):\n    c['loss'] = ((batch.x @ p['w'] - batch.y) ** 2).sum()\n"
        "def backward(p, batch, c, d):\n    d['w'] = 2 * batch.x.T @ (batch.x @ p['w'] - batch.y)\n",
        encoding="utf-8",
    )
    shown = _shown_on_a_terminal("check", str(file), "--backends", "numpy")
    assert 0 <= shown.index(b"reading") < shown.index(b"the file runs") < shown.index(b"comparing")


def _shown_on_a_terminal(*arguments: str) -> bytes:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "gradparity", *arguments],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(terminal)
        shown = b""
        while chunk := _read(controller):
            shown += chunk
        process.communicate()
    os.close(controller)
    assert process.returncode == 0
    return shown


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 4096)
    except OSError:  # the terminal's other end is closed
        return b""


@pytest.mark.fault(kind="machine")
def test_an_interrupt_is_one_line_and_status_130(gradparity, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(specs, "check", interrupted)
    assert gradparity("check") == (130, "", "gradparity: interrupted\n")
    monkeypatch.setattr(os, "getcwd", interrupted)  # before there is a command
    assert gradparity("check") == (130, "", "gradparity: interrupted\n")


@pytest.mark.fault(kind="machine")
def test_where_standard_output_is_closed_the_exit_status_is_the_answer() -> None:
    for arguments, status in (("models", 0), ("check nothing", 2)):
        command = f"exec {sys.executable} -m gradparity {arguments} >&-"
        done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (status, status // 2)


@pytest.mark.fault(kind="machine")
@pytest.mark.parametrize("raised", [ValueError("a bug"), OSError(28, "No space left on device", "out.json")])
def test_what_is_not_the_users_mistake_has_a_status_of_its_own(gradparity, monkeypatch, raised: Exception) -> None:  # type: ignore[no-untyped-def]
    def fails(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(specs, "check", fails)
    status, out, err = gradparity("check")
    assert (status, out) == (3, "")
    bug = "gradparity: an error of gradparity's own, ValueError: please report the lines above"
    full = "gradparity: could not finish: No space left on device: 'out.json'"
    assert err.splitlines()[-1] == (bug if isinstance(raised, ValueError) else full)
    assert ("Traceback" in err) == isinstance(raised, ValueError)


def _shell(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    run = command.replace("gradparity", f"{sys.executable} -m gradparity")
    return subprocess.run(["bash", "-c", run], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.fault(kind="machine")
@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("gradparity check --help | head -1; exit ${PIPESTATUS[0]}", (0, 141), ""),
        ("gradparity models | true; exit ${PIPESTATUS[0]}", (141,), ""),
        ("gradparity models > /dev/full", (3,), "gradparity: could not finish: No space left on device\n"),
        (
            "mkdir gone; cd gone; rmdir ../gone; gradparity check",
            (3,),
            "gradparity: could not finish: the working folder is gone: go to one that is there\n",
        ),
    ],
)
def test_where_output_cannot_go_the_status_says_neither_right_nor_wrong(
    tmp_path: Path, command: str, status: tuple[int, ...], said: str
) -> None:
    done = _shell(command, tmp_path)
    assert done.returncode in status
    assert done.stderr == said


def test_json_to_standard_output_is_all_that_is_printed(tmp_path: Path) -> None:
    done = _shell("gradparity train --epochs 1 --json -", tmp_path)
    assert json.loads(done.stdout)["backend"] == "numpy"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(kind="unruly")
def test_a_users_chdir_moves_no_output(gradparity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    example = Path(__file__).parents[4] / "docs" / "examples" / "my_model.py"
    Path("elsewhere").mkdir()
    Path("mine.py").write_text(f"import os\nos.chdir('elsewhere')\n{example.read_text()}")
    assert gradparity("check", "mine.py", "--backends", "numpy", "--json", "out.json")[0] == 0
    assert (tmp_path / "out.json").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.fault(kind="options", cases=6)
def test_settings_of_training_are_refused_before_gradients_are_checked(gradparity, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def worked(*_: object, **__: object) -> None:
        pytest.fail("gradients were checked first")

    monkeypatch.setattr(specs, "check", worked)
    monkeypatch.setattr(comparison, "check", worked)
    for wrong in (("--lr", "nan"), ("--optimizer", "adam,beta1=2"), ("--schedule", "step,every=0")):
        for command in (("check", "--steps", 5), ("compare",)):
            status, out, err = gradparity(*command, *wrong)
            assert (status, out, err.count("\n")) == (2, "", 1)


@pytest.mark.fault(kind="output")
def test_an_output_that_is_the_checked_file_is_refused(gradparity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.py"
    file.write_text("mine")
    data, own = tmp_path / "d.csv", tmp_path / "X"
    data.write_text("1,2")
    for arguments in (
        ("check", f"{file}:Model", "--json", file),
        ("check", file, "--report", file),
        ("check", file, "--draws", 3, "--resume", file),
        ("check", "--replay", file, "--json", file),
        ("check", "--against", file, "--report", file),
        ("explain", file, "--html", file),
        ("trace", file, "--out", file),
        ("train", "--data", data, "--json", data),
        ("train", "--data", data, "--checkpoint", data),
        ("train", "--resume", file, "--json", file),
        ("compare", "--data", data, "--report", data),
        ("check", "--json", own, "--report", own),
        ("bench", "--resume", own, "--json", own),
        ("bench", file, "--json", file),
    ):
        status, out, err = gradparity(*arguments)
        assert (status, out) == (2, "")
        assert re.match("gradparity: (the output .* is the input|two outputs are one file)", err), (arguments, err)
    assert (file.read_text(), data.read_text(), own.exists()) == ("mine", "1,2", False)


@pytest.mark.parametrize(
    ("words", "offered"),
    [("check softm", "softmax_regression"), ("train --backend nump", "numpy"), ("train --data fash", "fashion_mnist")],
)
def test_a_shell_completes_names(words: str, offered: str) -> None:
    asked = {"_GRADPARITY_COMPLETE": "complete_bash", "COMP_WORDS": f"gradparity {words}"}
    asked["COMP_CWORD"] = str(len(words.split()))
    done = subprocess.run(
        [sys.executable, "-m", "gradparity"], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert offered in done.stdout.split()


@needs_machine
@pytest.mark.usefixtures("quickly_timed")
def test_a_model_file_is_trained_and_compared_as_a_model(gradparity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    example = Path(__file__).parents[4] / "docs" / "examples" / "my_model.py"
    target, kept = tmp_path / "out.json", tmp_path / "kept.safetensors"
    status, out, err = gradparity("train", example, "--epochs", 2, "--json", target, "--checkpoint", kept)
    assert (status, err) == (0, "")
    assert (json.loads(target.read_text())["model"]["name"], kept.exists()) == ("my_model", True)
    assert re.fullmatch(r"Epoch 01 - Loss: \d\.\d{4}\nEpoch 02 - Loss: \d\.\d{4}\n", out)
    status, out, err = gradparity("compare", example, "--epochs", 1, "--backends", f"numpy,{MACHINE[0]}")
    assert (status, err) == (0, "")
    assert "my_model on synthetic: 1 epochs" in out
    status, out, err = gradparity("train", example, "--data", "digits")
    assert (status, out) == (2, "")
    assert "my_model takes 6 features and 3 classes, the data set digits has 64 features and 10 classes" in err
