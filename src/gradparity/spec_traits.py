"""What a spec may declare besides what every spec must: statistics, extras for prediction, masks, tokens, one class."""

from typing import Protocol, runtime_checkable

import numpy as np

from gradparity.protocol import Array, ModelSpec, Params


@runtime_checkable
class KeepsStatistics(ModelSpec, Protocol):
    """A spec with statistics, which a step updates without a gradient: ``predict`` finds them beside the parameters.

    Where a setting turns them off, all of it is empty.
    """

    @property
    def statistics(self) -> dict[str, np.ndarray]:
        """Statistic name -> its value before training, in float64. No parameter has the same name."""

    @property
    def observed(self) -> tuple[str, ...]:
        """The named values of a step's forward pass that the update is made from."""

    def update(self, statistics: Params, values: Params) -> dict[str, Array]:
        """Return the statistics after a step, by plain arithmetic on arrays of any library; change nothing."""


@runtime_checkable
class PredictsWithExtras(ModelSpec, Protocol):
    """A spec whose ``predict`` needs extras of the batch, such as lengths. Dropout masks, say, only training needs."""

    @property
    def prediction_extras(self) -> tuple[str, ...]:
        """Their names."""


@runtime_checkable
class PredictsNextTokens(ModelSpec, Protocol):
    """A spec whose x and y are tokens (n, length), y those that follow: it is trained on a text."""

    @property
    def next_tokens(self) -> bool:
        """True."""

    @property
    def vocabulary(self) -> int:
        """The number of different tokens, each with a logit."""


@runtime_checkable
class DrawsExtras(ModelSpec, Protocol):
    """A spec whose steps need random extras, such as dropout masks: drawn anew for each epoch, the same everywhere."""

    def draw_extras(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Draw what n examples need, by name (n, ...); empty where a setting turns it off."""


@runtime_checkable
class TellsOneClass(ModelSpec, Protocol):
    """A spec that predicts one logit, above 0 for the examples of one class."""

    @property
    def positive(self) -> int:
        """The label of that class."""
