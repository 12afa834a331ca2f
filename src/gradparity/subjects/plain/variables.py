"""What a run of plain code computes: the variables of its forward pass, and what it writes to gradients' names."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from gradparity.subjects.plain.instrument import Site
from gradparity.subjects.plain.recorder import Key
from gradparity.subjects.plain.unit import Leaf

Where: TypeAlias = "Key | Leaf"
"""An event's key, or the steps to what the code was given."""


@dataclass(frozen=True, eq=False)
class Variable:
    """A real value of the forward pass: what a gradient can be taken with respect to."""

    number: int
    where: Where
    name: str
    place: tuple[str, int]
    """File and line; line 0 for what the code was given."""
    value: np.ndarray
    """A copy."""
    original: "Variable | None" = None
    """What this is one use of, where a function was given it."""
    is_part_of_given: bool = False
    """Whether it is a view of what the code was given: theta[:12].reshape(3, 4)."""

    @property
    def is_input(self) -> bool:
        """Whether the code was given it, or this is a use of such, or a part."""
        return (self.given or self.is_part_of_given) if self.original is None else self.original.is_input

    @property
    def source(self) -> "Variable":
        """What this is, or is one use of."""
        return self if self.original is None else self.original

    @property
    def given(self) -> bool:
        """Whether the code was given it, and did not compute it."""
        return not self.place[1]


@dataclass(eq=False)
class Writing:
    """One writing of a name that is not, or need not be, of the forward pass."""

    key: Key
    name: str
    site: Site
    order: int
    value: np.ndarray
    """A copy."""
    of: Variable | None
    """Whose gradient it is by its name; None where nothing of that name is there."""
    frame: int
    """Which call it happened in."""
