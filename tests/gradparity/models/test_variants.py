from dataclasses import asdict

import numpy as np
import pytest

from gradparity.models import SoftmaxRegression, names, require_model


@pytest.mark.parametrize("model", names())
def test_the_sizes_of_a_draw_are_all_different(model: str) -> None:
    for seed in range(200):
        spec, n = require_model(model).draw(np.random.default_rng(seed))
        settings = asdict(spec)
        fields = [settings.get(field, ()) for field in ("widths", "image", "channels", "hidden")]
        listed = [size for field in fields if isinstance(field, tuple) for size in field]
        if settings.get("residual"):  # what is added has the width of what it is added to
            listed = list(dict.fromkeys(listed))
        sizes = [*listed, *(v for v in settings.values() if type(v) is int), n]
        assert len(set(sizes)) == len(sizes) >= 3
        assert n >= 3


@pytest.mark.parametrize("model", names())
def test_every_setting_that_changes_the_mathematics_varies(model: str) -> None:
    drawn = [asdict(require_model(model).draw(np.random.default_rng(seed))[0]) for seed in range(200)]
    fixed = {name for name in drawn[0] if len({str(settings[name]) for settings in drawn}) == 1}
    assert fixed == {name for name in drawn[0] if name.startswith("init_")}


def test_a_draw_is_the_same_on_every_machine() -> None:
    drawn = SoftmaxRegression.draw(np.random.default_rng([0, 0]))
    assert drawn == (
        SoftmaxRegression(2, 59, 0.6070291399914127, reduction="sum", penalty="half-mean"),
        89,
    )


@pytest.mark.parametrize("model", names())
def test_variants_differ_and_have_labels_of_their_own(model: str) -> None:
    variants = require_model(model).variants()
    assert len({repr(spec) for spec in variants.values()}) == len(variants) >= 1
