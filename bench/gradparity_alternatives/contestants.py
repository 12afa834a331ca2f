"""Who takes part, in whose company, and what each one needs."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

EXTRAS = {"jax": "jax", "optax": "jax", "torch": "torch", "keras": "alternatives", "flax": "alternatives"}
"""Package -> the extra that installs it."""


@dataclass(frozen=True)
class Contestant:
    """One way of training the network."""

    name: str
    library: str
    """gradparity's backend on the same library, which it is compared with."""
    module: str
    """Within this package; its ``prepare(problem, *arguments)`` returns a Trainer."""
    arguments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Packages that it imports."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that must be set before anything is imported."""

    @property
    def missing(self) -> str:
        """What is not installed, with the command that installs it; empty where nothing is missing."""
        missing = [package for package in self.needs if find_spec(package) is None]
        if not missing:
            return ""
        extras = ",".join(dict.fromkeys(EXTRAS[package] for package in missing))
        return f"{' and '.join(missing)} not installed: run  {sys.executable} -m pip install 'gradparity[{extras}]'"


CONTESTANTS = (
    Contestant("gradparity numpy", "numpy", "own_backend", ("numpy",)),
    Contestant("scikit-learn", "numpy", "scikit_learn_partial_fit"),
    Contestant("gradparity jax", "jax", "own_backend", ("jax",), ("jax", "optax")),
    Contestant("Keras on JAX", "jax", "keras_fit", (), ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
    Contestant("flax, optax", "jax", "flax_loop", (), ("flax", "jax", "optax")),
    Contestant("gradparity torch", "torch", "own_backend", ("torch",), ("torch",)),
    Contestant("Keras on PyTorch", "torch", "keras_fit", (), ("keras", "torch"), {"KERAS_BACKEND": "torch"}),
    Contestant("PyTorch loop", "torch", "pytorch_loop", (), ("torch",)),
)
"""By library; gradparity's own backend is the first of each."""
OWN = {c.library: c.name for c in CONTESTANTS if c.module == "own_backend"}
"""Library -> the name of gradparity's own contestant on it."""
