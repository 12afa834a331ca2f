"""Initial parameters are spread as those who proposed the rules say."""

from typing import Any, get_args

import numpy as np
import pytest
import torch

from gradparity import initial
from gradparity.models import MLP, ConvNet

SHAPES = {"W1": (300, 200), "b1": (200,), "norm1.gain": (200,), "norm1.bias": (200,), "conv1.W": (64, 20, 5, 4)}


@pytest.mark.parametrize("name", get_args(initial.Name))
def test_a_rule_gives_the_standard_deviation_that_its_paper_says(name: initial.Name) -> None:
    drawn = initial.parameters(np.random.default_rng(0), SHAPES, name, std=0.5)
    for weights, fan_in, fan_out in (("W1", 300, 200), ("conv1.W", 400, 1280)):
        expected = {
            "normal": 0.5,
            "he": (2 / fan_in) ** 0.5,
            "lecun": fan_in**-0.5,
            "glorot": (2 / (fan_in + fan_out)) ** 0.5,
            "glorot_uniform": (2 / (fan_in + fan_out)) ** 0.5,
            "pytorch": (3 * fan_in) ** -0.5,
        }[name]
        assert drawn[weights].std() == pytest.approx(expected, rel=0.02)
        even = name in ("glorot_uniform", "pytorch")
        assert (np.abs(drawn[weights]).max() <= 3**0.5 * expected) == even
    assert drawn["norm1.gain"].min() == 1
    assert not drawn["norm1.bias"].any()
    assert drawn["b1"].any() == (name == "pytorch")


def test_biases_may_be_normal_too_as_in_nielsens_book() -> None:
    spec = MLP((784, 300, 10), init_weights="normal", init_std=1.0, init_bias_std=2.0)
    drawn = spec.init(np.random.default_rng(0))
    assert drawn["W1"].std() == pytest.approx(1, rel=0.01)
    assert drawn["b1"].std() == pytest.approx(2, rel=0.1)


def test_pytorchs_layers_start_in_the_same_bounds() -> None:
    torch.manual_seed(0)
    spec = ConvNet((20, 9, 9), (64,), kernel=(5, 4), hidden=(50,), batch_norm=False, init_weights="pytorch")
    drawn = spec.init(np.random.default_rng(0))
    layers: dict[str, Any] = {"conv1": torch.nn.Conv2d(20, 64, (5, 4)), "dense1": torch.nn.Linear(spec.widths[0], 50)}
    for place, layer in layers.items():
        for ours, theirs in (("W", layer.weight), ("b", layer.bias)):
            largest = np.abs(drawn[f"{place}.{ours}"]).max()
            assert largest == pytest.approx(theirs.abs().max().item(), rel=0.1)
