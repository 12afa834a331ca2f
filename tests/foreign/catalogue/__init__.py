"""Every piece: what is brought in, how, and what must be found."""

from tests.foreign.catalogue.kernels import KERNELS
from tests.foreign.catalogue.layers import LAYERS
from tests.foreign.catalogue.losses import LOSSES
from tests.foreign.catalogue.models import MODELS
from tests.foreign.catalogue.sequences import SEQUENCES
from tests.foreign.catalogue.unusual import UNJUDGED, UNUSUAL

PIECES = (*LAYERS, *LOSSES, *SEQUENCES, *KERNELS, *UNUSUAL, *MODELS)

__all__ = ["PIECES", "UNJUDGED"]
