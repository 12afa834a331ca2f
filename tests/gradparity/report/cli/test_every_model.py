"""Every model on every backend through every command: some minutes, so these are slow."""

import json
import math
import pydoc_data.topics
from pathlib import Path

import pytest

from gradparity import __main__, registry
from gradparity.models import data_of, names

BACKENDS = [name for name in registry.names() if registry.availability(name).backend]
RECURRENT = ("rnn", "gru", "lstm")
COMPILES_EVERY_STEP = "torch-compile"
"""PyTorch's compiler writes a loop over 32 characters out, and takes a minute or more for it: check has three."""
SMALL = {
    "convnet": ("channels=3", "hidden=5"),
    "transformer": ("width=8", "heads=2", "inner=12", "blocks=1"),
    **dict.fromkeys(RECURRENT, ("width=6", "hidden=8")),
}
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("model", names())]


def settings(model: str) -> list[str]:
    return [word for setting in SMALL.get(model, ()) for word in ("--set", setting)]


@pytest.fixture
def data(model: str, tmp_path: Path) -> tuple[str, str]:
    """Digits, or some pages of Python's help texts."""
    if data_of(model) != "text":
        return "--data", "digits"
    path = tmp_path / "some.txt"
    path.write_text("".join(pydoc_data.topics.topics.values())[:6000])
    return "--data", str(path)


def run(*arguments: str) -> None:
    assert __main__.run(list(arguments)) == 0


def trained(model: str) -> list[str]:
    return [name for name in BACKENDS if model not in RECURRENT or name != COMPILES_EVERY_STEP]


def test_check_holds_every_backend_to_the_witnesses(model: str, tmp_path: Path) -> None:
    run("check", model, "--backends", ",".join(BACKENDS), "--json", str(tmp_path / "out.json"))
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert {row["backend"] for row in rows} >= set(BACKENDS)


def test_compare_checks_trains_and_times_every_backend(model: str, data: tuple[str, str], tmp_path: Path) -> None:
    page, backends = tmp_path / "out.html", trained(model)
    run(
        "compare",
        model,
        "--backends",
        ",".join(backends),
        *settings(model),
        *data,
        "--epochs",
        "1",
        "--report",
        str(page),
    )
    assert all(name in page.read_text() for name in backends)


def test_train_lowers_the_loss_on_every_backend(model: str, data: tuple[str, str], tmp_path: Path) -> None:
    written = tmp_path / "out.json"
    usual = (*settings(model), *data, "--epochs", "2", "--lr", "0.05", "--json", str(written))
    for backend in trained(model):
        run("train", model, "--backend", backend, *usual)
        first, second = (epoch["loss"] for epoch in json.loads(written.read_text())["epochs"])
        assert math.isfinite(first), backend
        assert second < first, backend


def test_explain_has_the_derivation_beside_both_machines(model: str, tmp_path: Path) -> None:
    run("explain", model, "--html", str(tmp_path / "out.html"), "--json", str(tmp_path / "out.json"))


def test_bench_times_every_backend(model: str, tmp_path: Path) -> None:
    run(
        "bench", model, "--backends", ",".join(trained(model)), *settings(model), "--rounds", "3", "--processes", "1",
        "--json", str(tmp_path / "out.json"),
    )  # fmt: skip
