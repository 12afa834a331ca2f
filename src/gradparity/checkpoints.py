"""Checkpoints: a training run after an epoch, in one safetensors file that every backend continues from.

A parameter and a statistic lie under their own names, so that anything which reads safetensors finds the weights; what
the optimiser remembers of W lies under "optimizer/velocity.W". The metadata says of which training it is.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gradparity import tensors
from gradparity.errors import UsageError

FORMAT = "gradparity-checkpoint/1"
REMEMBERED = "optimizer/"


class Checkpoint(NamedTuple):
    """What training goes on from."""

    params: dict[str, np.ndarray]
    """Parameters, and statistics beside them."""
    remembered: dict[str, np.ndarray]
    """What the optimiser remembers: "velocity.W", of W's shape."""
    epoch: int
    """Epochs that were finished."""
    steps: int
    """Steps that were taken."""

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Every array under its name in the file."""
        return {**self.params, **{REMEMBERED + name: value for name, value in self.remembered.items()}}


def write(path: Path, checkpoint: Checkpoint, training: Mapping[str, Any]) -> None:
    """Write a checkpoint whole or not at all. ``training`` is plain data that a run must share to go on from it."""
    metadata = {
        "format": FORMAT,
        "training": json.dumps(training, sort_keys=True),
        "epoch": str(checkpoint.epoch),
        "steps": str(checkpoint.steps),
    }
    tensors.write(path, checkpoint.arrays, metadata)


def read(path: Path, training: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> Checkpoint:
    """Read what ``write`` wrote of the same training, whose arrays in the file have these names and ``shapes``.

    Raises UsageError for a file that is no checkpoint, is cut short, is of another training, or whose arrays differ.
    """
    arrays, metadata = tensors.read(path, "checkpoint", "train with --checkpoint to write one")
    if metadata.get("format") != FORMAT:
        raise UsageError(
            f"'{path}' is no checkpoint of this version: its format must be {FORMAT}, got "
            f"{metadata.get('format', 'none')}"
        )
    _require_same_training(path, metadata, training)
    _require_shapes(path, {name: array.shape for name, array in arrays.items()}, shapes)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise UsageError(f"checkpoint '{path}': '{name}' must be finite, got NaN or infinity")
    return Checkpoint(
        {name: array for name, array in arrays.items() if not name.startswith(REMEMBERED)},
        {name.removeprefix(REMEMBERED): array for name, array in arrays.items() if name.startswith(REMEMBERED)},
        _count(path, metadata, "epoch"),
        _count(path, metadata, "steps"),
    )


def _require_same_training(path: Path, metadata: Mapping[str, str], training: Mapping[str, Any]) -> None:
    try:
        trained = dict(json.loads(metadata["training"]))
    except (KeyError, ValueError, TypeError, RecursionError):
        raise UsageError(f"checkpoint '{path}': its metadata does not say of which training it is") from None
    wanted, found = _settings(training), _settings(trained)
    for name in {**wanted, **found}:
        if wanted.get(name) != found.get(name):
            raise UsageError(
                f"checkpoint '{path}' is of another training: {name} was {found.get(name)!r}, got "
                f"{wanted.get(name)!r}: resume with what it was trained with"
            )


def _settings(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting by itself, those of the model after its name."""
    model = training.get("model")
    of_model = model if isinstance(model, dict) else {"name": model}
    return {
        "model": of_model.get("name"),
        **{f"model {name}": value for name, value in of_model.items()},
        **{name: value for name, value in training.items() if name != "model"},
    }


def _require_shapes(path: Path, found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> None:
    for name in wanted:
        if name not in found:
            raise UsageError(f"checkpoint '{path}' lacks '{name}'")
        if found[name] != wanted[name]:
            raise UsageError(f"checkpoint '{path}': '{name}' must have shape {wanted[name]}, got {found[name]}")
    extra = [name for name in found if name not in wanted]
    if extra:
        raise UsageError(f"checkpoint '{path}' holds what this training has not: '{extra[0]}'")


def _count(path: Path, metadata: Mapping[str, str], name: str) -> int:
    text = metadata.get(name, "nothing")
    if not (text.isdecimal() and len(text) < 16):
        raise UsageError(f"checkpoint '{path}': {name} must be a whole number of at least 0, got {text}")
    return int(text)
