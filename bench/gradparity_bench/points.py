"""Points: where every backend is measured, one by one or as a grid over sizes."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from gradparity.errors import UsageError, did_you_mean
from gradparity.models import Sizes, spec_for_data
from gradparity.protocol import Dtype, ModelSpec
from gradparity.subjects.model_file import file_of, is_file
from gradparity.subjects.specs import spec_of
from gradparity_bench.standings import Point

RUN = ("batch_size", "dtype", "threads")
"""The axes of a point that are not the model's."""
SHAPE = ("width", "depth")
"""Of a model with ``widths``: the size of every hidden layer, and the number of affine maps."""


def points(
    model: str,
    settings: Sequence[str] = (),
    /,
    *,
    data: Sizes | None = None,
    batch_size: Sequence[int] = (64,),
    dtype: Sequence[Dtype] = ("float32",),
    threads: Sequence[int] = (1,),
    **sizes: Sequence[Any],
) -> list[Point]:
    """Return every combination, the last axis fastest.

    ``model`` and ``settings`` (name=value each) are as ``gradparity check`` takes them; what they leave open is fitted
    to ``data``, where that is given. ``sizes`` are fields of the model's spec, each with its values, and ``width`` and
    ``depth`` for a model with ``widths``. Raises UsageError for a size that the model does not have, and for values
    that it refuses.
    """
    spec = spec_of(model, settings) if settings else _spec(model, _changed(model))
    if data is not None:
        set_by_hand = {setting.partition("=")[0] for setting in settings}
        spec = replace(spec_for_data(model, data), **{name: getattr(spec, name) for name in set_by_hand})
    own = is_dataclass(spec) and not is_file(model)
    known = [field.name for field in fields(spec)] if own and is_dataclass(spec) else []
    known += list(SHAPE) if "widths" in known else []
    named = [*RUN, *known]
    for name in sizes:
        if name not in known:
            raise UsageError(
                f"unknown size of {model} '{name}': there is {', '.join(named)}{did_you_mean(name, named)}"
            )
    return [
        Point(model, _settings(spec, size) if own else {}, n, each_dtype, count)
        for size in _combinations(sizes)
        for each_dtype, count, n in itertools.product(dtype, threads, batch_size)
    ]


def spec_at(point: Point) -> ModelSpec:
    """Return the spec that a point measures. A file is executed once in each process, and anew when it has changed."""
    spec = _spec(point.model, _changed(point.model))
    return replace(spec, **point.settings) if point.settings else spec  # type: ignore[type-var]


@cache
def _spec(model: str, changed: int) -> ModelSpec:  # noqa: ARG001 (what the cache remembers)
    return spec_of(model)


def _changed(model: str) -> int:
    """Return when the file of a model was last changed; 0 where it is none."""
    file = file_of(model)
    return file.stat().st_mtime_ns if file and file.is_file() else 0


def step_bytes(spec: ModelSpec, batch_size: int, dtype: Dtype) -> int:
    """Return the bytes that a step must move at least: each parameter read and written once, the batch read once.

    Intermediates may stay in the cache, so they are not counted: a lower bound, whatever the backend does.
    """
    params = sum(int(np.prod(shape)) for shape in spec.param_shapes.values())
    size = np.dtype(dtype).itemsize
    batch = spec.example_batch(np.random.default_rng(0), batch_size)
    arrays = [batch.x, batch.y, *batch.extras.values()]
    return int(2 * params * size + sum(a.size * (size if a.dtype.kind == "f" else a.itemsize) for a in arrays))


def _combinations(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _settings(spec: Any, size: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec's fields with one combination of sizes put in."""
    changed = {name: value for name, value in size.items() if name not in SHAPE}
    if any(name in size for name in SHAPE):
        inputs, *hidden, outputs = changed.get("widths", spec.widths)
        depth = size.get("depth", len(hidden) + 1)
        if depth < 1:
            raise UsageError(f"depth must be at least 1, got {depth}")
        width = [size["width"]] if "width" in size else hidden[-1:]
        if depth > 1 and not width:
            raise UsageError("depth above 1 needs a width, and the model has no hidden layer: give width too")
        between = width * (depth - 1) if "width" in size else (hidden + width * depth)[: depth - 1]
        changed["widths"] = (inputs, *between, outputs)
    return asdict(replace(spec, **changed))
