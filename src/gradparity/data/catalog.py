"""The data sets by name: what there is, whether it is here, and how it is loaded."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from gradparity.data import csv_file, digits, mnist, npz, synthetic, text
from gradparity.data.dataset import Dataset
from gradparity.data.synthetic import SyntheticShape
from gradparity.errors import UsageError, unknown
from gradparity.inputs import require_whole

DATASETS = {
    "digits": "1,797 handwritten digits of 8×8 pixels, 10 classes",
    "mnist": "70,000 handwritten digits of 28×28 pixels, 10 classes",
    "fashion_mnist": "70,000 photographs of clothing of 28×28 pixels, 10 classes",
    "text": "Python's own help texts, 465,000 characters in windows of 32, of which each next one is the label",
    "synthetic": "Gaussian clusters of any shape, drawn from the seed",
}
"""Name -> one-line description."""

FILES = {".npz": npz.load, ".csv": csv_file.load, ".txt": text.load}
"""Suffix of a user's file -> loader."""


@dataclass(frozen=True)
class Status:
    """Whether a data set is here."""

    present: bool
    where: str
    """Where it is, or how much would be downloaded, or what is wrong."""
    command: str | None
    """The command that downloads it, where that is what is missing."""


def load(
    name: str, *, data_dir: Path | None = None, seed: int = 0, synthetic_shape: SyntheticShape | None = None
) -> Dataset:
    """Load a data set by its name in DATASETS, or a user's .npz, .csv or .txt file by its path.

    ``data_dir`` is where MNIST and Fashion-MNIST are looked for first (else the folder that the environment variable
    GRADPARITY_DATA names). ``seed`` draws synthetic data and splits files that are not yet split; the published data
    sets have one split. ``synthetic_shape`` belongs to ``synthetic``.

    Raises UsageError for an unknown name, a missing file, data that breaks a rule, and a download that fails.
    """
    if not isinstance(name, str):
        raise unknown("data set", name, DATASETS)
    require_whole("seed", seed, 0)
    if synthetic_shape is not None and name != "synthetic":
        raise UsageError(f"a synthetic shape goes with the data set 'synthetic', got '{name}'")
    if name == "digits":
        return digits.load()
    if name == "text":
        return text.windows(name, text.embedded())
    if name == "synthetic":
        return synthetic.load(synthetic_shape or SyntheticShape(), seed)
    if name in mnist.SOURCES:
        return mnist.load(mnist.SOURCES[name], data_dir)
    return _load_file(name, seed)


def status(name: str, data_dir: Path | None = None) -> Status:
    """Say whether a named data set is here. Files are looked for, not read: their content is checked on loading.

    Raises UsageError for an unknown name.
    """
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    if name not in mnist.SOURCES:
        return Status(True, "drawn when used" if name == "synthetic" else "embedded", None)
    try:
        located = mnist.locate(mnist.SOURCES[name], data_dir)
    except UsageError as error:
        return Status(False, str(error), None)
    missing = sum(file.bytes for file, path in located.items() if path is None)
    if missing:
        command = f"{sys.executable} -c \"from gradparity import data; data.load('{name}')\""
        return Status(False, f"would be downloaded: {missing / 1e6:.1f} MB", command)
    folders = sorted({str(path.parent) for path in located.values() if path is not None})
    return Status(True, f"found in {', '.join(folders)}", None)


def _load_file(name: str, seed: int) -> Dataset:
    path = Path(name).expanduser()
    if not path.suffix and "/" not in name and os.sep not in name:
        raise unknown("data set", name, DATASETS)
    if not path.is_file():
        raise UsageError(f"there is no data file '{name}': check the path, or choose from {', '.join(DATASETS)}")
    if path.suffix.lower() not in FILES:
        raise UsageError(f"a data file must be {', '.join(FILES)}, got '{name}'")
    return FILES[path.suffix.lower()](path, seed)
