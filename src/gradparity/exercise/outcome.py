"""What a check of a learner's file found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wrong:
    """The first line that is not right."""

    line: str
    place: str
    """Where it is written, as ``file.py:12``; where it is not written, where ``backward`` begins."""
    symptom: str
    blank: bool
    """Whether it still reads ``...``."""


@dataclass(frozen=True)
class Outcome:
    """How far a learner's file is right."""

    right: tuple[str, ...]
    """The lines before the first wrong one, in the order of the backward pass."""
    wrong: Wrong | None
    witness: str
    """The backend whose gradients are the right ones."""
    printed: bool = False
    """Whether the file printed anything."""
    wrote: bool = False
    """Whether the file left files in the folder where it ran."""
