"""The check as users call it: of a spec, a built-in model's name, a file, or whatever declares a model of one's own."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from gradparity import parity, registry
from gradparity.errors import UsageError
from gradparity.protocol import Batch, Dtype, ModelSpec
from gradparity.subjects.model_file import UserModel, adopt, explaining_autograd, is_file, load


def check(
    model: Any,
    *,
    backends: Sequence[str] | None = None,
    batch: Batch | None = None,
    n: int = 11,
    seed: int = 0,
    lanes: Sequence[Dtype] = parity.LANES,
) -> parity.Report:
    """Compare every named value and gradient of a model, derived by hand and by machine, at random parameters.

    ``model`` is a spec, the name of a built-in model, a file (``my_model.py`` or ``my_model.py:Name``), or a module,
    class, instance or dict that declares a model as docs/your-own-model.md says. ``backends`` are by default NumPy and
    those of JAX and PyTorch that are installed. Without a ``batch``, n random examples are drawn.
    Raises UsageError for a model that cannot be checked, and where no installed backend differentiates by machine.
    """
    spec = spec_of(model)
    batch = None if batch is None else Batch(*batch).map(np.asarray)
    names = installed() if backends is None else backends
    of_user = explaining_autograd(spec.hand.forward) if isinstance(spec, UserModel) else nullcontext()
    with of_user:
        return parity.check(spec, backends=names, batch=batch, n=n, seed=seed, lanes=lanes)


def spec_of(model: Any, settings: Sequence[str] = ()) -> ModelSpec:
    """Return the spec of anything that ``check`` takes. ``settings``, name=value each, are for built-in models only."""
    if isinstance(model, str | Path) and not is_file(str(model)):
        from gradparity.models import default_spec

        return default_spec(str(model), settings)
    if settings:
        raise UsageError(f"settings are for built-in models, got {settings[0]} for '{model}': set it in the file")
    if isinstance(model, str | Path):
        return load(str(model))
    if isinstance(model, ModelSpec):
        return model() if isinstance(model, type) else model
    return adopt(model)


def installed() -> list[str]:
    """Return those of the default backends that can be used here, NumPy first."""
    return [name for name in registry.DEFAULT if registry.availability(name).backend is not None]
