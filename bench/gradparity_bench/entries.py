"""Who takes part: gradparity's backends, loops written without the framework, and what people would use instead."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

EXTRAS = {"jax": "jax", "optax": "jax", "torch": "torch", "keras": "alternatives", "flax": "alternatives"}
"""Package -> the extra that installs it."""


@dataclass(frozen=True)
class Entry:
    """One contestant, and what its worker must be told: a backend, or a loop of ``gradparity_bench.contestants``."""

    name: str
    library: str = ""
    """gradparity's backend on the same library, where it is known before that is loaded."""
    backend: str = ""
    loop: str = ""
    """module:function; the function takes a Task and returns a Trainer."""
    needs: tuple[str, ...] = ()
    """Packages that it imports."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that must be set before anything is imported."""
    lr: float | None = None
    """Where it trains whole epochs, the learning rate."""

    @property
    def told(self) -> dict[str, Any]:
        """What its worker is told, in words that fit into JSON."""
        return {"backend": self.backend, "loop": self.loop, "needs": self.needs, "lr": self.lr}

    @property
    def missing(self) -> str:
        """What is not installed, with the command that installs it; empty where nothing is missing."""
        missing = [package for package in self.needs if find_spec(package) is None]
        if not missing:
            return ""
        extras = ",".join(dict.fromkeys(EXTRAS[package] for package in missing))
        return f"{' and '.join(missing)} not installed: run  {sys.executable} -m pip install 'gradparity[{extras}]'"


LR = 0.1
"""In every contest, as in the notebook."""


def _own(library: str, name: str, *needs: str) -> Entry:
    return Entry(name, library, backend=library, needs=needs, lr=LR)


def _loop(library: str, name: str, loop: str, *needs: str, **environment: str) -> Entry:
    return Entry(name, library, loop=loop, needs=needs, environment=environment, lr=LR)


ALTERNATIVES = (
    _own("numpy", "gradparity numpy"),
    _loop("numpy", "scikit-learn", "fits:scikit_learn", "sklearn"),
    _own("jax", "gradparity jax", "jax", "optax"),
    _loop("jax", "Keras on JAX", "fits:keras", "keras", "jax", KERAS_BACKEND="jax"),
    _loop("jax", "flax, optax", "jax_loops:flax", "flax", "jax", "optax"),
    _own("torch", "gradparity torch", "torch"),
    _loop("torch", "Keras on PyTorch", "fits:keras", "keras", "torch", KERAS_BACKEND="torch"),
    _loop("torch", "PyTorch loop", "torch_loops:data_loader", "torch"),
)
"""By library; gradparity's own backend is the first of each."""
OWN = {entry.library: entry.name for entry in ALTERNATIVES if entry.backend}
"""Library -> the name of gradparity's own contestant on it."""

LOOPS = {
    "notebook": _loop("numpy", "notebook", "numpy_loops:notebook"),
    "PyTorch loop": ALTERNATIVES[-1],
    "numpy inlined": _loop("numpy", "numpy inlined", "numpy_loops:inlined"),
    "jax inlined": _loop("jax", "jax inlined", "jax_loops:inlined", "jax", "optax"),
    "torch inlined": _loop("torch", "torch inlined", "torch_loops:inlined", "torch"),
}
"""What the framework's own loop is timed against."""


def training(name: str) -> Entry:
    """Return the loop of this name, or else the epochs of the backend of this name."""
    return LOOPS.get(name) or Entry(name, backend=name, lr=LR)
