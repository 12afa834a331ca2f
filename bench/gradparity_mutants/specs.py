"""The models whose derivations are mutated: of every model, each setting that adds a line."""

from gradparity.models import specs
from gradparity.protocol import ModelSpec

SPECS: dict[str, ModelSpec] = {
    f"{name}, {variant}" if variant else name: spec
    for name, cls in specs().items()
    for variant, spec in cls.variants().items()
}
