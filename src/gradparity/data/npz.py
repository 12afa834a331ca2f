"""A user's .npz file: arrays x and y, or x_train, y_train, x_test and y_test as Keras names them."""

import math
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from gradparity.data import requirements
from gradparity.data.dataset import Dataset
from gradparity.errors import UsageError
from gradparity.limits import require_memory
from gradparity.protocol import Examples

WHOLE = ("x", "y")
WIDEST = 8
"""Bytes of a number that whole numbers become: int64."""
PARTS = ("x_train", "y_train", "x_test", "y_test")


def load(path: Path, seed: int) -> Dataset:
    """Load x (n, features) or images (n, height, width), and y: integer labels (n,) or real targets (n, outputs).

    uint8 stays uint8, with divisor 255; other whole numbers, such as tokens, stay whole. Arrays x and y are shuffled by
    ``seed``, and one example in five is for testing. Pickled objects are never loaded.

    Raises UsageError for a damaged file, missing arrays, and for arrays that ``gradparity.data.requirements`` refuses.
    """
    arrays = _read(path)
    if len(arrays) == len(PARTS):
        train, image_shape = _examples(path, arrays, "x_train", "y_train")
        test, _ = _examples(path, arrays, "x_test", "y_test")
        requirements.require_alike(f"'{path}'", train, test)
        return Dataset(path.name, train, test, requirements.classes(train.y), image_shape)
    whole, image_shape = _examples(path, arrays, "x", "y")
    train, test = requirements.split(f"'{path}'", whole.x, whole.y, whole.divisor, seed)
    return Dataset(path.name, train, test, requirements.classes(whole.y), image_shape)


def _examples(
    path: Path, arrays: dict[str, Shaped[np.ndarray, "..."]], x_name: str, y_name: str
) -> tuple[Examples, tuple[int, int] | None]:
    x, image_shape = requirements.required_inputs(f"'{path}': {x_name}", arrays[x_name])
    y = requirements.targets(f"'{path}': {y_name}", arrays[y_name])
    requirements.require_same_length(f"'{path}': {x_name}", x, y_name, y)
    return Examples(x, y, 255.0 if x.dtype == np.uint8 else 1.0), image_shape


def _read(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Read the four arrays of PARTS, or else the two of WHOLE."""
    if not zipfile.is_zipfile(path):
        raise UsageError(f"'{path}' is no .npz file: write it with numpy.savez")
    try:
        _require_sizes(path)
        # Opened here, for numpy leaves a file that it cannot read open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            held = archive.files
            names = next((names for names in (PARTS, WHOLE) if set(names) <= set(held)), ())
            arrays = {name: archive[name] for name in names}
    except UsageError:
        raise
    except Exception as error:  # Over a damaged file numpy and zipfile raise more kinds than either documents.
        if "allow_pickle" in str(error):
            raise UsageError(
                f"'{path}' holds pickled objects, which are never loaded: save arrays of plain numbers"
            ) from None
        reason = " ".join(str(error).split())
        raise UsageError(f"'{path}' cannot be read, it may be damaged: {reason}") from None
    if not arrays:
        found = ", ".join(map(repr, held)) or "none"
        raise UsageError(f"'{path}' must hold the arrays {', '.join(WHOLE)} or {', '.join(PARTS)}, got {found}")
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise UsageError(f"'{path}': {name} is no array: write the file with numpy.savez")
    return arrays


def _require_sizes(path: Path) -> None:
    """Raise UsageError, before any array is read, where a header lies about its size or asks for too much memory."""
    needed = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name not in (*WHOLE, *PARTS):
                continue
            with archive.open(member) as file:
                if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
                    continue  # no array, which is told when it is read
                file.seek(0)
                header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = header[np.lib.format.read_magic(file)](file)
                held = member.file_size - file.tell()
            count = math.prod(shape)
            if count * dtype.itemsize != held and not dtype.hasobject:
                raise UsageError(
                    f"'{path}': the header of {name} says shape {shape} of {dtype}, and {held:,} bytes follow: "
                    "write the file anew with numpy.savez"
                )
            # As it lies in the file, as numbers that are computed with, and shuffled.
            needed += count * (dtype.itemsize + 2 * max(dtype.itemsize, WIDEST))
    require_memory(f"'{path}'", needed, "take fewer examples")
