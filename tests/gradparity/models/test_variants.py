from dataclasses import asdict

import numpy as np
import pytest

from gradparity.models import MLP, MODELS
from gradparity.models.variants import VARIANTS


def test_every_model_has_variants() -> None:
    assert set(VARIANTS) == set(MODELS)


@pytest.mark.parametrize("model", VARIANTS)
def test_the_sizes_of_a_draw_are_all_different(model: str) -> None:
    for seed in range(200):
        spec, n = VARIANTS[model](np.random.default_rng(seed))
        sizes = [*spec.widths, n] if isinstance(spec, MLP) else [spec.features, spec.classes, n]
        assert len(set(sizes)) == len(sizes)
        assert n >= 3


@pytest.mark.parametrize("model", VARIANTS)
def test_every_setting_that_changes_the_mathematics_varies(model: str) -> None:
    drawn = [asdict(VARIANTS[model](np.random.default_rng(seed))[0]) for seed in range(200)]
    fixed = {name for name in drawn[0] if len({str(settings[name]) for settings in drawn}) == 1}
    assert fixed == {name for name in drawn[0] if name.startswith("init_")}
