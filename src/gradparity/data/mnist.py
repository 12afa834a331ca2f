"""MNIST and Fashion-MNIST: four IDX files each, found in a folder, else in the cache, else downloaded.

What is checked, wherever a file comes from, is the SHA-256 of its *decompressed* content, so plain and recompressed
copies are as good as the published ones.

Sources: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition"
(1998); H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST" (2017), arXiv:1708.07747.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gradparity.data import idx
from gradparity.data.dataset import Dataset
from gradparity.data.download import fetch
from gradparity.errors import UsageError
from gradparity.protocol import Examples

VARIABLE = "GRADPARITY_DATA"
"""The environment variable that names the folder to look in."""


@dataclass(frozen=True)
class IdxFile:
    """One published file."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    """Of the decompressed content."""
    bytes: int
    """Size of the published .gz."""


@dataclass(frozen=True)
class MnistFiles:
    """Where a data set of four IDX files is published."""

    name: str
    mirrors: tuple[str, ...]
    train: tuple[IdxFile, IdxFile]
    """Images, labels."""
    test: tuple[IdxFile, IdxFile]
    classes: int = 10


MNIST = MnistFiles(
    "mnist",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    (
        IdxFile(
            "train-images-idx3-ubyte",
            (60_000, 28, 28),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            9_912_422,
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            (60_000,),
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            28_881,
        ),
    ),
    (
        IdxFile(
            "t10k-images-idx3-ubyte",
            (10_000, 28, 28),
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            1_648_877,
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            (10_000,),
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            4_542,
        ),
    ),
)
FASHION_MNIST = MnistFiles(
    "fashion_mnist",
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    (
        IdxFile(
            "train-images-idx3-ubyte",
            (60_000, 28, 28),
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            26_421_880,
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            (60_000,),
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            29_515,
        ),
    ),
    (
        IdxFile(
            "t10k-images-idx3-ubyte",
            (10_000, 28, 28),
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            4_422_102,
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            (10_000,),
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            5_148,
        ),
    ),
)
SOURCES = {source.name: source for source in (MNIST, FASHION_MNIST)}


def load(source: MnistFiles, data_dir: Path | None) -> Dataset:
    """Load the images as uint8 (n, height · width), divisor 255, and the labels as int64 (n,).

    Each file is looked for in ``data_dir`` (or the folder that GRADPARITY_DATA names), in its subfolder of the data
    set's name first, then in the cache; else it is downloaded. A file in the user's folder with the wrong content is
    an error; one in the cache is downloaded again.

    Raises UsageError for a missing folder, a damaged or wrong file, and when no mirror gives the right one.
    """
    folder = data_folder(data_dir)

    def examples(files: tuple[IdxFile, IdxFile]) -> Examples:
        images, labels = (_array(source, file, folder) for file in files)
        return Examples(images.reshape(len(images), -1), labels.astype(np.int64), 255.0)

    _, height, width = source.train[0].shape
    return Dataset(source.name, examples(source.train), examples(source.test), source.classes, (height, width))


def locate(source: MnistFiles, data_dir: Path | None) -> dict[IdxFile, Path | None]:
    """Say where each file lies, in the user's folder or the cache, without reading it; None where it must be fetched.

    Raises UsageError for a missing folder.
    """
    folder = data_folder(data_dir)
    return {file: _find(source, file, folder) or _cached(source, file) for file in (*source.train, *source.test)}


def data_folder(data_dir: Path | None) -> Path | None:
    """Return the folder to look in: ``data_dir``, else what GRADPARITY_DATA names. Raises UsageError if it is none."""
    named = data_dir or os.environ.get(VARIABLE)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        origin = "the data folder" if data_dir else f"{VARIABLE} names"
        raise UsageError(f"{origin} '{folder}' is no folder: correct the path, or leave it out")
    return folder


def cache_folder(source: MnistFiles) -> Path:
    """Return the user's cache for this data set; it may not exist yet."""
    import pooch

    return Path(pooch.os_cache("gradparity")) / source.name


def _array(source: MnistFiles, file: IdxFile, folder: Path | None) -> UInt8[np.ndarray, "..."]:
    found = _find(source, file, folder)
    if found is not None:
        return _verified(found, file)
    cached = _cached(source, file)
    if cached is not None:
        with suppress(UsageError):
            return _verified(cached, file)
    name = f"{file.name}.gz"
    try:
        return fetch(
            [mirror + name for mirror in source.mirrors],
            cache_folder(source) / name,
            lambda path: _verified(path, file),
            file.bytes,
        )
    except UsageError as error:
        places = " or ".join(f"'{place}'" for place in (folder, cache_folder(source)) if place)
        raise UsageError(
            f"{source.name}: there is no intact {file.name} in {places}, and {error}: "
            f"connect to the network, or put the four IDX files in a folder and set {VARIABLE} to it"
        ) from None


def _find(source: MnistFiles, file: IdxFile, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    # The subfolder first: MNIST and Fashion-MNIST give their files the same names.
    return _first(file, folder / source.name) or _first(file, folder)


def _cached(source: MnistFiles, file: IdxFile) -> Path | None:
    return _first(file, cache_folder(source))


def _first(file: IdxFile, folder: Path) -> Path | None:
    candidates = (folder / f"{file.name}.gz", folder / file.name)
    return next((path for path in candidates if path.is_file()), None)


def _verified(path: Path, file: IdxFile) -> UInt8[np.ndarray, "..."]:
    content = idx.read(path, file.shape)
    if content.sha256 == file.sha256:
        return content.array
    others = {f.sha256: source.name for source in SOURCES.values() for f in (*source.train, *source.test)}
    fix = (
        f"that is a file of {others[content.sha256]}, move it to a subfolder '{others[content.sha256]}'"
        if content.sha256 in others
        else "delete it to have it downloaded, or replace it by an unaltered copy"
    )
    raise UsageError(
        f"'{path}': the SHA-256 of its decompressed content must be {file.sha256}, got {content.sha256}: {fix}"
    )
