"""A backend's model, tried on the numbers of a check before anything is compared: what breaks costs its own row."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError, first_line, quoted, raised
from gradparity.limits import TooLong, at_most
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import relative_error
from gradparity.protocol import Backend, Batch, Dtype, HandWrittenSpec, Model, ModelSpec, Params, Trace
from gradparity.subjects.model_file import UserModel, explaining_autograd

PATIENCE = 300.0
"""Seconds that a backend may take for one answer; torch.compile takes minutes for a cell over 32 steps."""


class Sound(NamedTuple):
    """What can be compared."""

    backends: list[Backend]
    models: dict[str, Callable[[Dtype], Model]]
    """Backend -> its model of the spec in a lane, made once."""
    failures: dict[str, str]
    """Backend -> why it is no part of it."""


@contextmanager
def own_row(failures: dict[str, str], name: str, *, excuse: bool = True, timed: bool = True) -> Iterator[None]:
    """Note what a backend's code raises, or that it never ends, as the reason that it has no numbers.

    Without ``excuse`` a UsageError is not its fault, and is raised.
    """
    try:
        with at_most(PATIENCE) if timed else nullcontext():
            yield
    except KeyboardInterrupt:
        raise
    except TooLong:
        failures[name] = f"it gave no answer within {PATIENCE:g} s"
    except UsageError as error:
        if not excuse:
            raise
        failures[name] = str(error)
    except BaseException as error:
        wrote = isinstance(error, ValueError) and "read-only" in first_line(error)
        changed = ": it changes what all backends share, so let it work on a copy" if wrote else ""
        failures[name] = f"it raised {raised(error)}{changed}"


@contextmanager
def in_words(spec: ModelSpec) -> Iterator[None]:
    """Explain what PyTorch raises of a user's own forward pass only after that has returned."""
    if isinstance(spec, UserModel):
        with explaining_autograd(spec.hand.forward):
            yield
    else:
        yield


def sound_models(
    names: Iterable[str],
    spec: ModelSpec,
    params: Params,
    batch: Batch,
    lanes: Sequence[Dtype],
    *,
    spare: Collection[str] = (),
) -> Sound:
    """Try the backends: one that does not load or whose model answers in no form that the protocol knows is no part.

    Raises UsageError for one that is not installed, for what a user's own model does on one unless that can be
    spared, and where none is left.
    """
    sound = Sound([], {}, {})
    failures = sound.failures
    for name in names:
        backend = registry.loaded(name)
        if isinstance(backend, str):
            failures[name] = backend
            continue
        # What one model has compiled, another of the same spec would compile again.
        models = cache(partial(backend.model, spec))
        with own_row(failures, name, excuse=name in spare or not isinstance(spec, HandWrittenSpec)), in_words(spec):
            for lane in lanes:
                _require_sound(backend, models(lane), params, batch)
        if name not in failures:
            sound.backends.append(backend)
            sound.models[name] = models
    if not sound.backends:
        reasons = list(dict.fromkeys(failures.values()))
        raise UsageError(reasons[0] if len(reasons) == 1 else f"{next(iter(failures))}: {reasons[0]}")
    return sound


def _require_sound(backend: Backend, model: Model, params: Params, batch: Batch) -> None:
    """Raise UsageError for an answer that is not what the protocol says, whatever its numbers are."""
    trace = model.trace(params, batch)
    if not isinstance(trace, Trace):
        raise UsageError(f"its trace must be a Trace of named arrays, got {quoted(trace)}")
    _require_arrays("trace", {**trace.values, **trace.gradients})
    first, second = (_answer(backend, model, params, batch) for _ in range(2))
    for name, value in first.items():
        if relative_error(value, second[name]) > FLOAT64_LIMIT and np.isfinite(value).all():
            raise UsageError(
                f"its gradient of {name} must be the same each time on the same numbers, two answers differ"
            )


def _answer(backend: Backend, model: Model, params: Params, batch: Batch) -> dict[str, np.ndarray]:
    answer: Any = model.value_and_grad(params, batch)
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], Mapping):
        raise UsageError(f"its value_and_grad must return a loss and gradients by name, got {quoted(answer)}")
    found = {name: backend.to_numpy(gradient) for name, gradient in answer[1].items()}
    _require_arrays("value_and_grad", {**found, "loss": backend.to_numpy(answer[0])})
    for name in params:
        if name not in found:
            raise UsageError(f"its value_and_grad must tell the gradient of {name}, got {', '.join(found) or 'none'}")
    return {name: np.array(found[name]) for name in params}


def _require_arrays(what: str, named: Mapping[str, Any]) -> None:
    for name, value in named.items():
        if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in "biuf":
            raise UsageError(f"its {what} must hold arrays of real numbers, got {name} as {quoted(value)}")
