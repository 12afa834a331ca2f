"""Data sets are chosen by name or path, listed without being read, and imported only when used."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity import data
from gradparity.data import mnist
from gradparity.errors import UsageError


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, gradparity.data; print(*sorted(m.partition('.')[0] for m in sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "gradparity" in modules
    assert not {"sklearn", "scipy", "pooch", "requests", "rich", "jax", "torch", "matplotlib"} & set(modules)


@pytest.mark.usefixtures("cache")
def test_every_name_has_a_description_and_a_status() -> None:
    assert set(data.DATASETS) == {"digits", "mnist", "fashion_mnist", "text", "synthetic"}
    for name, description in data.DATASETS.items():
        assert description
        assert data.status(name).where


def test_the_embedded_sets_load_by_name() -> None:
    assert (data.load("digits").features, data.load("digits").outputs) == (64, 10)
    shape = data.SyntheticShape(n=15, features=3, outputs=2)
    assert data.load("synthetic", synthetic_shape=shape, seed=1).train.x.shape == (12, 3)
    assert data.load("synthetic").classes == data.SyntheticShape().outputs


@pytest.mark.usefixtures("cache")
def test_idx_sets_load_by_name(tmp_path: Path, published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    published.write(tmp_path)
    monkeypatch.setitem(mnist.SOURCES, "mnist", published.source)
    assert data.load("mnist", data_dir=tmp_path).image_shape == (3, 4)


def test_files_load_by_path_with_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", x=np.ones((10, 2)), y=np.arange(10))
    Path("mine.CSV").write_text("\n".join(f"1,{i}" for i in range(10)))
    for name in ("mine.npz", "mine.CSV", str(tmp_path / "mine.npz")):
        first, other = data.load(name, seed=0), data.load(name, seed=1)
        assert first.classes == 10
        assert not np.array_equal(first.test.y, other.test.y)


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnits", r"unknown data set 'mnits': there is .*did you mean 'mnist'\?"),
        ("", "unknown data set ''"),
        ("absent.npz", "there is no data file 'absent.npz': check the path"),
        (os.path.join("absent", "mnist"), "there is no data file"),
        (".", "unknown data set"),
        ("notes.md", r"a data file must be \.npz, \.csv, \.txt, got 'notes\.md'"),
    ],
)
def test_what_is_neither_name_nor_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.md").write_text("no data")
    with pytest.raises(UsageError, match=message):
        data.load(name)


@pytest.mark.fault(kind="options")
def test_options_that_do_not_apply_are_refused() -> None:
    with pytest.raises(UsageError, match="seed must be a whole number of at least 0, got -1"):
        data.load("synthetic", seed=-1)
    with pytest.raises(UsageError, match="goes with the data set 'synthetic', got 'digits'"):
        data.load("digits", synthetic_shape=data.SyntheticShape())


def test_status_tells_embedded_found_cached_and_missing_apart(
    tmp_path: Path, cache: Path, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(mnist.SOURCES, "mnist", published.source)
    assert data.status("digits") == data.Status(True, "embedded", None)
    missing = data.status("mnist")
    assert (missing.present, missing.where) == (False, "would be downloaded: 4.0 MB")
    assert missing.command is not None
    assert missing.command.endswith("""-c "from gradparity import data; data.load('mnist')\"""")
    published.write(cache / "small")
    assert data.status("mnist") == data.Status(True, f"found in {cache / 'small'}", None)
    published.write(tmp_path / "mine" / "small")
    assert data.status("mnist", tmp_path / "mine").where == f"found in {tmp_path / 'mine' / 'small'}"
    (cache / "small" / "train-images-idx3-ubyte.gz").unlink()
    assert data.status("mnist").where == "would be downloaded: 1.0 MB"
    wrong = data.status("mnist", tmp_path / "absent")
    assert not wrong.present
    assert "is no folder" in wrong.where


def test_status_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown data set 'moon'"):
        data.status("moon")
