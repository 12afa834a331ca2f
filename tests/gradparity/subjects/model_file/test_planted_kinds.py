"""A bug of each kind in a user's file, through the command line: one line with a cross, and the right sentence."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from gradparity import registry

NETWORK = """\
from array_api_compat import array_namespace

param_shapes = {"W1": (6, 4), "b1": (4,), "W2": (4, 4), "b2": (4,), "W3": (4, 3), "b3": (3,)}
input_shape = 6
num_classes = 3


def forward(p, batch, c):
    xp = array_namespace(batch.x)
    c["z1"] = batch.x @ p["W1"] + p["b1"]
    c["a1"] = xp.maximum(c["z1"], xp.zeros_like(c["z1"]))
    c["z2"] = c["a1"] @ p["W2"] + p["b2"]
    c["a2"] = xp.tanh(c["z2"])
    c["logits"] = c["a2"] @ p["W3"] + p["b3"]
    log_sum = xp.log(xp.sum(xp.exp(c["logits"]), axis=1))
    c["data"] = xp.mean(log_sum - c["logits"][xp.arange(len(batch.y)), batch.y])
    c["penalty"] = 0.05 * xp.sum(p["W1"] ** 2)
    c["loss"] = c["data"] + c["penalty"]


def backward(p, batch, c, d):
    xp = array_namespace(batch.x)
    n = len(batch.y)
    d["data"] = d["loss"]
    d["penalty"] = d["loss"]
    e = xp.exp(c["logits"])
    one_hot = xp.astype(batch.y[:, None] == xp.arange(num_classes), e.dtype)
    d["logits"] = d["data"] * (e / xp.sum(e, axis=1, keepdims=True) - one_hot) / n
    d["W3"] = c["a2"].T @ d["logits"]
    d["b3"] = xp.sum(d["logits"], axis=0)
    d["a2"] = d["logits"] @ p["W3"].T
    d["z2"] = d["a2"] * (1 - c["a2"] ** 2)
    d["W2"] = c["a1"].T @ d["z2"]
    d["b2"] = xp.sum(d["z2"], axis=0)
    d["a1"] = d["z2"] @ p["W2"].T
    d["z1"] = d["a1"] * (c["z1"] > 0)
    d.add("W1", batch.x.T @ d["z1"])
    d.add("W1", 0.1 * d["penalty"] * p["W1"])
    d["b1"] = xp.sum(d["z1"], axis=0)
"""

KINDS = {
    # kind: (what is written instead, what the sentence says)
    "zero": (('= xp.sum(d["z2"], axis=0)', '= 0 * xp.sum(d["z2"], axis=0)'), "d['b2'] is all zero"),
    "negated": (('d["a2"] = d[', 'd["a2"] = -d['), "d['a2'] has the wrong sign"),
    "×1.001": (('d["W2"] = c[', 'd["W2"] = 1.001 * c['), "d['W2'] is 1.001 times the right value everywhere"),
    "×2": (('d["b3"] = ', 'd["b3"] = 2 * '), "d['b3'] is 2 times too large: a ½ is missing"),
    "×n": ((" / n\n", "\n"), "d['logits'] is n times too large (n = 11): the mean's 1/n is missing here"),
    "÷n": (
        ('c["a2"].T @ d["logits"]', 'c["a2"].T @ d["logits"] / n'),
        "d['W3'] is n times too small (n = 11): the mean's 1/n is applied twice here",
    ),
    "÷(n−1)": ((" / n\n", " / (n - 1)\n"), "d['logits'] is n/(n − 1) times the right value (n = 11)"),
    "swapped axes": (('c["a1"].T @ d["z2"]', 'd["z2"].T @ c["a1"]'), "d['W2'] is transposed"),
    "not transposed": (('@ p["W2"].T', '@ p["W2"]'), "d['a1'] is d['z2'] @ p['W2'], should be d['z2'] @ p['W2'].T"),
    "summed over the wrong axes": (
        ('d["b1"] = xp.sum(d["z1"], axis=0)', 'd["b1"] = xp.sum(d["z1"]) + 0 * p["b1"]'),
        "d['b1'] is summed over all axes",
    ),
    "a dropped term": (
        ('    d.add("W1", 0.1 * d["penalty"] * p["W1"])\n', ""),
        "d['W1'] lacks 0.1 * p['W1']: weight decay is missing",
    ),
    "a dropped example": (
        ('c["a2"].T @ d["logits"]', 'c["a2"][:-1].T @ d["logits"][:-1]'),
        "d['W3'] lacks example 10 (the last)",
    ),
    "one wrong entry": (
        ('xp.sum(d["z1"], axis=0)', 'xp.sum(d["z1"], axis=0) + 0.1 * (xp.arange(4) == 2).astype(e.dtype)'),
        "d['b1'] has 0.1 * (xp.arange(4) == 2).astype(e.dtype) too much: with `xp.sum(d['z1'], axis=0)` in place of",
    ),
    "a missing mask": (('d["a1"] * (c["z1"] > 0)', 'd["a1"] * 1'), "d['z1'] lacks the factor (c['z1'] > 0)"),
    "a stale cache": (
        ('(1 - c["a2"] ** 2)', '(1 - c["z2"] ** 2)'),
        "d['z2'] has the factor 1 - c['z2']**2 where 1 - c['a2']**2 belongs",
    ),
    "NaN": (('c["a2"].T @', 'float("nan") * c["a2"].T @'), "d['W3'] is NaN in 12 of 12 entries"),
}


@pytest.fixture(scope="module")
def machine() -> str:
    """One backend that differentiates by machine; PyTorch where there is a choice, since it compiles nothing."""
    for name in ("torch", "jax"):
        if registry.availability(name).backend is not None:
            return name
    pytest.skip("neither JAX nor PyTorch is installed: pip install 'gradparity[all]'")


@pytest.mark.parametrize("kind", KINDS)
def test_one_line_has_a_cross_and_the_sentence_is_right(kind: str, machine: str, check: Callable[..., Any]) -> None:
    edit, sentence = KINDS[kind]
    found = check(edit, text=NETWORK, backends=f"numpy,{machine}")
    assert (found.status, found.err) == (1, "")
    crossed = re.findall(r"^ *(\S+) +✗", found.out, flags=re.MULTILINE)
    line = sentence.partition(" ")[0]
    assert crossed == [line], found.out
    (said,) = re.findall(r"^✗ (.*?)^\d+ of", found.out, flags=re.MULTILINE | re.DOTALL)
    assert " ".join(said.split()).startswith(sentence), said


def test_the_right_one_has_none(machine: str, check: Callable[..., Any]) -> None:
    found = check(text=NETWORK, backends=f"numpy,{machine}")
    assert (found.status, found.err) == (0, ""), found.out
