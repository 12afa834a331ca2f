"""Named arrays in a safetensors file, which programs in any language read; checkpoints and traces are such files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gradparity.errors import UsageError
from gradparity.output import write_bytes


def write(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write the arrays whole or not at all. Raises UsageError for a path that cannot be written."""
    # Not ascontiguousarray, which gives a number alone an axis.
    own = {name: np.array(array, order="C") for name, array in arrays.items()}
    write_bytes(path, save(own, dict(metadata)))


def read(path: Path, what: str, made_by: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays of a file, and its metadata.

    Raises UsageError where it is not there, saying what is ``made_by`` which command, and where it is cut short.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
            return arrays, file.metadata() or {}
    except FileNotFoundError:
        raise UsageError(f"the {what} '{path}' does not exist: {made_by}") from None
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"'{path}' is not a whole safetensors file: {error}") from None
