"""Backends, found by their entry points. A built-in backend is registered exactly as a third party's is."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from gradparity.drawing.words import listing
from gradparity.errors import UsageError, unknown
from gradparity.protocol import Backend

GROUP = "gradparity.backends"
DEFAULT = ("numpy", "jax", "torch")


@dataclass(frozen=True)
class Availability:
    """Whether a registered backend can be used here, and if not, why and what to do."""

    name: str
    provider: str
    """The distribution that registers it."""
    backend: Backend | None
    problem: str = ""
    """Why it cannot be used; empty where it can."""
    install: str = ""
    """The command that installs what is missing, where that is the problem."""


def names() -> list[str]:
    """Return the names of all registered backends, the default ones first."""
    registered = _registered()
    return [n for n in DEFAULT if n in registered] + sorted(set(registered) - set(DEFAULT))


def backend(name: str) -> Backend:
    """Return the backend registered under ``name``.

    Raises UsageError if there is none, or if it cannot be loaded (with the command that installs what is missing).
    """
    found = availability(name)
    if found.backend is None:
        fix = f": run  {found.install}" if found.install else f": see the package '{found.provider}'"
        raise UsageError(f"backend '{name}' cannot be used, {found.problem}{fix}")
    return found.backend


def availability(name: str) -> Availability:
    """Try to load the backend registered under ``name``. Raises UsageError if there is none of that name."""
    entries = _registered().get(name, ()) if isinstance(name, str) else ()
    if not entries:
        raise unknown("backend", str(name), _registered())
    providers = [entry.dist.name if entry.dist else "unknown" for entry in entries]
    entry, provider = entries[0], listing(providers)
    if len(entries) > 1:
        return Availability(name, provider, None, f"{provider} both register it: uninstall one of them")
    try:
        loaded: Backend = entry.load()
    except ModuleNotFoundError as error:
        missing = (error.name or entry.value).partition(".")[0]
        return Availability(name, provider, None, f"'{missing}' is not installed", _install(missing, provider))
    except (Exception, SystemExit) as error:  # another package's code: it must not hide the backends that work
        return Availability(name, provider, None, f"loading {entry.value} raised {type(error).__name__}: {error}")
    return Availability(name, provider, loaded)


def witnesses_among(chosen: Sequence[Backend]) -> list[Backend]:
    """Return what ``machines_among`` does. Raises UsageError where there is none."""
    machines = machines_among(chosen)
    if not machines:
        raise UsageError(
            "training is compared with a backend that differentiates by machine, and none is installed: run  "
            "pip install 'gradparity[jax]'  or  pip install 'gradparity[torch]'; gradparity check needs none"
        )
    return machines


def machines_among(chosen: Sequence[Backend]) -> list[Backend]:
    """Return those that differentiate by machine; where none does, one that is installed, if any is."""
    machines = [b for b in chosen if b.differentiation == "machine"]
    if machines:
        return machines
    loaded = [availability(name).backend for name in names()]
    return [b for b in loaded if b is not None and b.differentiation == "machine"][:1]


def installed() -> list[str]:
    """Return those of the default backends that can be used here, NumPy first."""
    return [name for name in DEFAULT if availability(name).backend is not None]


def _install(missing: str, provider: str) -> str:
    extras = {"jax": "jax", "jaxlib": "jax", "optax": "jax", "torch": "torch", "autograd": "autograd"}
    wanted = f"'{provider}[{extras[missing]}]'" if missing in extras and provider == "gradparity" else missing
    return f"{sys.executable} -m pip install {wanted}"


def _registered() -> Mapping[str, Sequence[EntryPoint]]:
    return _entries(tuple(sys.path))


@cache
def _entries(path: tuple[str, ...]) -> Mapping[str, Sequence[EntryPoint]]:  # noqa: ARG001 (where they are looked for)
    """Return who registers each name. To read what all distributions register takes as long as a small check."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, []).append(entry)
    return found
