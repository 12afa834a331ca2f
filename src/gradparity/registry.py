"""Backends, found by their entry points. A built-in backend is registered exactly as a third party's is."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import get_args

from gradparity.drawing.words import listing
from gradparity.errors import UsageError, quoted, raised, unknown
from gradparity.limits import TooLong, at_most
from gradparity.protocol import Backend, Differentiation
from gradparity.runtime import Listed

GROUP = "gradparity.backends"
MEMBERS = [name for name in vars(Backend) if not name.startswith("_")]
PATIENCE = 120.0
"""Seconds that loading a backend may take."""
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
    listed: Listed | None = None
    """What is said of it; None where it cannot be used."""


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


def loaded(name: str) -> Backend | str:
    """Return the backend, or the reason why it is broken.

    Raises UsageError if there is none of that name, or what it needs is not installed.
    """
    found = availability(name)
    if found.backend is None and not found.install:
        return f"it cannot be used, {found.problem}: see the package '{found.provider}'"
    return backend(name) if found.backend is None else found.backend


def listed(name: str) -> Availability:
    """Return what there is to say of a backend: not loaded where its package says it beforehand.

    Raises UsageError if there is none of that name.
    """
    entries = _registered().get(name, ())
    about = _said_beforehand(entries[0]) if len(entries) == 1 else None
    if about is None:
        return availability(name)
    provider = _provider(entries[0])
    missing = next((package for package in about.needs if find_spec(package) is None), None)
    if missing is None:
        return Availability(name, provider, None, listed=about)
    return Availability(name, provider, None, f"'{missing}' is not installed", _install(missing, provider))


def _said_beforehand(entry: EntryPoint) -> Listed | None:
    with suppress(Exception, SystemExit), at_most(PATIENCE):  # what fails here is told where it is loaded
        about = getattr(import_module(entry.module.partition(".")[0]), "LISTED", {}).get(entry.name)
        return about if isinstance(about, Listed) else None
    return None


def _provider(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "unknown"


def availability(name: str) -> Availability:
    """Try to load the backend registered under ``name``. Raises UsageError if there is none of that name."""
    entries = _registered().get(name, ()) if isinstance(name, str) else ()
    if not entries:
        raise unknown("backend", name, _registered())
    providers = [_provider(entry) for entry in entries]
    entry, provider = entries[0], listing(providers)
    if len(entries) > 1:
        return Availability(name, provider, None, f"{provider} both register it: uninstall one of them")
    try:
        with at_most(PATIENCE):
            found = entry.load()
            broken = _broken(found, name)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        missing = (error.name or entry.value).partition(".")[0]
        return Availability(name, provider, None, f"'{missing}' is not installed", _install(missing, provider))
    except TooLong:
        return Availability(name, provider, None, f"loading {entry.value} did not end within {PATIENCE:g} s")
    except BaseException as error:  # another package's code: it must not hide the backends that work
        return Availability(name, provider, None, f"loading {entry.value} raised {raised(error)}")
    if broken:
        return Availability(name, provider, None, f"{entry.value} {broken}")
    return Availability(name, provider, found, listed=Listed(found.library, found.differentiation))


def _broken(found: object, name: str) -> str:
    """Say why what was loaded is not the backend of this name; nothing where it is."""
    if not isinstance(found, Backend):
        members = [member for member in MEMBERS if not hasattr(found, member)]
        return f"is no backend, it lacks {listing(members)}"
    if found.name != name:
        return f"is registered as '{name}' and calls itself {quoted(found.name)}"
    if not isinstance(found.library, str) or found.differentiation not in get_args(Differentiation):
        return f"must tell a library and hand or machine, got {quoted(found.library)}, {quoted(found.differentiation)}"
    return ""


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
