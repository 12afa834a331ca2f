"""Checkpoints: any backend goes on from one, and what is not one is refused in one line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gradparity import SoftmaxRegression, checkpoints, registry, training
from gradparity.checkpoints import Checkpoint
from gradparity.data import load
from gradparity.errors import UsageError
from gradparity.models import default_spec
from gradparity.training import Settings

SPEC = SoftmaxRegression(64, 10)
SETTINGS = Settings(epochs=3, batch_size=256, optimizer="adam", lr=0.01, schedule="cosine,warmup=3")


def _last(backend: str, resumed: Checkpoint | None = None, stop: int = 3) -> training.Epoch:
    for epoch in training.train(registry.backend(backend), SPEC, load("digits"), SETTINGS, resumed):
        last = replace(epoch, remembered=epoch.remembered().copy)
        if epoch.number == stop:
            break
    return last


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "second.safetensors"
    epoch = _last("numpy", stop=2)
    kept = Checkpoint(epoch.params, epoch.remembered(), epoch.number, epoch.steps)
    checkpoints.write(path, kept, training.identity(SPEC, load("digits"), SETTINGS))
    return path


def _resume(path: Path, settings: Settings = SETTINGS) -> Checkpoint:
    return training.resume(path, registry.backend("numpy"), SPEC, load("digits"), settings)


def test_a_resumed_run_ends_in_the_same_bits(written: Path) -> None:
    whole, resumed = _last("numpy"), _last("numpy", _resume(written))
    assert whole.loss == resumed.loss
    for name, value in whole.params.items():
        np.testing.assert_array_equal(value, resumed.params[name])


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_goes_on_from_it(written: Path, backend: str) -> None:
    by_numpy, by_other = _last("numpy"), _last(backend, _resume(written))
    for name, value in by_numpy.params.items():
        np.testing.assert_allclose(by_other.params[name], value, rtol=0, atol=1e-5)


def test_the_weights_lie_under_their_own_names(written: Path) -> None:
    assert {"W", "b", "optimizer/m.W", "optimizer/v.b"} < set(load_file(written))


def _changed(written: Path, path: Path, **changes: str) -> Path:
    metadata = {
        "format": checkpoints.FORMAT,
        "training": json.dumps(training.identity(SPEC, load("digits"), SETTINGS)),
        "epoch": "2",
        "steps": "12",
    }
    save_file(load_file(written), path, {**metadata, **changes})
    return path


@pytest.mark.fault(kind="format")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"format": "gradparity-checkpoint/0"},
            "must be gradparity-checkpoint/1, got gradparity-checkpoint/0",
        ),
        ({"training": "[["}, "its metadata does not say of which training it is"),
        ({"epoch": "-1"}, "epoch must be a whole number of at least 0, got -1"),
        ({"steps": "9" * 99}, "steps must be a whole number of at least 0, got 999"),
        ({"epoch": "3"}, "has all of its 3 epochs: ask for more with --epochs"),
    ],
)
def test_metadata_that_is_wrong_is_refused(written: Path, tmp_path: Path, change: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError) as raised:
        _resume(_changed(written, tmp_path / "changed.safetensors", **change))
    assert says in str(raised.value)


@pytest.mark.fault(kind="format")
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (replace(SETTINGS, lr=0.02), "is of another training: lr was 0.01, got 0.02"),
        (replace(SETTINGS, optimizer="sgd"), "lacks|another training: optimizer was 'adam', got 'sgd'"),
        (replace(SETTINGS, epochs=4), "another training: epochs was 3, got 4"),
        (replace(SETTINGS, dtype="float64"), "another training: dtype was 'float32', got 'float64'"),
    ],
)
def test_another_training_is_refused(written: Path, settings: Settings, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        _resume(written, settings)


@pytest.mark.fault(kind="format")
def test_arrays_that_differ_are_refused(written: Path, tmp_path: Path) -> None:
    arrays = load_file(written)
    bad = tmp_path / "bad.safetensors"
    metadata = {
        "format": checkpoints.FORMAT,
        "training": json.dumps(training.identity(SPEC, load("digits"), SETTINGS)),
        "epoch": "2",
        "steps": "12",
    }
    for changed, says in (
        ({name: a for name, a in arrays.items() if name != "b"}, "lacks 'b'"),
        ({**arrays, "W": arrays["W"].T.copy()}, "'W' must have shape (64, 10), got (10, 64)"),
        ({**arrays, "c": arrays["b"]}, "holds what this training has not: 'c'"),
        ({**arrays, "b": np.full_like(arrays["b"], np.nan)}, "'b' must be finite, got NaN or infinity"),
    ):
        save_file(changed, bad, metadata)
        with pytest.raises(UsageError) as raised:
            _resume(bad)
        assert says in str(raised.value)


@pytest.mark.fault(kind="format")
@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_file_that_is_cut_short_is_refused(written: Path, tmp_path: Path, kept: int) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(written.read_bytes()[:kept])
    with pytest.raises(UsageError, match="is not a whole safetensors file"):
        _resume(cut)


@pytest.mark.fault(kind="format")
def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist: train with --checkpoint to write one"):
        _resume(tmp_path / "none.safetensors")


def test_a_model_that_differs_is_told_by_the_setting_that_does(written: Path) -> None:
    data = load("digits")
    for other, says in (
        (default_spec("mlp"), f"model was '{SPEC.name}', got 'mlp'"),
        (replace(SPEC, init_std=0.5), "model init_std was .*, got 0.5"),
    ):
        with pytest.raises(UsageError, match=says):
            checkpoints.read(written, training.identity(other, data, SETTINGS), {})
