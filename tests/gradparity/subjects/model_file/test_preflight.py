"""Mistakes that no comparison can judge: one line on standard error, with the user's line, and status 2."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity.protocol import Batch, Dtype, HandDerivation, Line
from gradparity.subjects.model_file import preflight

WRITES_D_B = '    d["b"] = d["z"].sum(axis=0)'

MISTAKES: dict[str, tuple[tuple[str, str], str, str]] = {
    # name: (what is written instead, the part of the line that is named, what the message says)
    "a gradient never written": (
        ('    d["W"] = batch.x.T @ d["z"]\n', ""),
        "def backward",
        r"backward must write the gradient of every parameter, d\['W'\] is never written: it wrote z, b",
    ),
    "a gradient misspelt": (
        ('d["W"] =', 'd["w"] ='),
        'd["w"] =',
        r"d\['w'\] is the gradient of nothing: .* name z, loss, W, b; did you mean 'W'\?",
    ),
    "a gradient of a name that forward lacks": (
        ('d["z"] = d["loss"]', 'd["logits"] = d["loss"]'),
        'd["logits"] =',
        r"d\['logits'\] is the gradient of nothing",
    ),
    "a gradient written twice": (
        (WRITES_D_B, '    d["W"] = 0 * p["W"]\n' + WRITES_D_B),
        '0 * p["W"]',
        r"d\['W'\] is written twice: .* d\.add\('W', value\)",
    ),
    "a gradient with += after a write": (
        (WRITES_D_B, '    d["W"] += 0 * p["W"]\n' + WRITES_D_B),
        '0 * p["W"]',
        r"d\['W'\] is written twice: .* d\.add\('W', value\), never \+=",
    ),
    "a gradient with += at first": (
        ('d["W"] =', 'd["W"] +='),
        'd["W"] +=',
        r"d\['W'\] is read before it is written: .* d\.add\('W', value\), never \+=",
    ),
    "an upstream gradient read too early": (
        ('    d["z"] =', WRITES_D_B.replace('"b"', '"W"') + '\n    d["z"] ='),
        'd["W"] = d["z"].sum',
        r"d\['z'\] is read before it is written: so far there is nothing",
    ),
    "a value read under a wrong name": (
        ('np.exp(c["z"])', 'np.exp(c["zz"])'),
        'c["zz"]',
        r"c\['zz'\] is read before it is written: so far there is z, loss; .* did you mean 'z'\?",
    ),
    "a value written twice": (
        ("    log_sum =", '    c["z"] = c["z"] + 1\n    log_sum ='),
        'c["z"] + 1',
        r"c\['z'\] is written twice",
    ),
    "a value named like a parameter": (
        ("    log_sum =", '    c["W"] = c["z"]\n    log_sum ='),
        'c["W"] =',
        r"c\['W'\] needs a name that no parameter has",
    ),
    "a gradient transposed": (
        ('batch.x.T @ d["z"]', 'd["z"].T @ batch.x'),
        'd["W"] =',
        r"d\['W'\] must have the shape of p\['W'\], \(6, 4\), got \(4, 6\): transpose it",
    ),
    "a gradient not summed": (
        ('d["z"].sum(axis=0)', 'd["z"]'),
        'd["b"] =',
        r"d\['b'\] must have the shape of p\['b'\], \(4,\), got \(11, 4\): sum over the axes",
    ),
    "a share of a gradient of another shape": (
        ('d["b"] = d["z"].sum(axis=0)', 'd.add("b", d["z"])'),
        'd.add("b"',
        r"d\['b'\] must have the shape of p\['b'\], \(4,\), got \(11, 4\)",
    ),
    "a Python float": (
        ('d["z"].sum(axis=0)', "1.0"),
        'd["b"] =',
        r"d\['b'\] must be an array .*, got float: it has the shape of p\['b'\]",
    ),
    "a Python float in c": (
        ("    log_sum =", '    c["n"] = 11.0\n    log_sum ='),
        'c["n"] =',
        r"c\['n'\] must be an array .*, got float: keep plain",
    ),
    "integers": (
        ('d["z"].sum(axis=0)', "np.zeros(4, dtype=int)"),
        'd["b"] =',
        r"d\['b'\] must be float64 .*, got int64: .* xp\.zeros_like",
    ),
    "float64 among float32": (
        (", dtype=e.dtype", ""),
        'd["z"] =',
        r"d\['z'\] must be float32 .*, got float64: a float64 constant or an array of whole numbers is mixed in",
    ),
    "whole numbers among float32": (
        ('c["z"] = batch.x', 'c["z"] = 0 * batch.y[:, None] + batch.x'),
        'c["z"] =',
        r"c\['z'\] must be float32 .*, got float64: batch\.y holds whole numbers, .* xp\.astype\(batch\.y, x\.dtype\)",
    ),
    "a float64 number among float32": (
        ('c["z"] = batch.x', 'c["z"] = np.sqrt(2.0) * batch.x'),
        'c["z"] =',
        r"c\['z'\] must be float32 .*, got float64",
    ),
    "float32 among float64": (
        ("xp.mean(log_sum - picked)", "xp.mean(log_sum - picked).astype(np.float32)"),
        'c["loss"] =',
        r"c\['loss'\] must be float64 .*, got float32: take the dtype from the inputs",
    ),
    "an array of p changed": (
        (WRITES_D_B, WRITES_D_B + '\n    p["W"][0] = 0'),
        'p["W"][0] = 0',
        r"p\['W'\] is changed in place: .* make a new array",
    ),
    "p itself changed": (
        (WRITES_D_B, WRITES_D_B + '\n    p["W"] = 0 * p["W"]'),
        '0 * p["W"]',
        r"p is changed: backward only reads it",
    ),
    "an array of c changed": (
        ('np.exp(c["z"])', 'np.exp(c["z"], out=c["z"])'),
        "out=",
        r"c\['z'\] is changed in place",
    ),
    "an array of d changed": (
        (WRITES_D_B, '    g = d["z"]\n    g *= 2\n' + WRITES_D_B),
        "g *= 2",
        r"d\['z'\] is changed in place",
    ),
    "the inputs changed": (
        ('    c["z"] =', '    x = batch.x\n    x /= 2\n    c["z"] ='),
        "x /= 2",
        r"batch\.x is changed in place: .* x = x - m in place of x -= m",
    ),
    "the labels changed": (
        (WRITES_D_B, WRITES_D_B + "\n    batch.y.sort()"),
        "batch.y.sort()",
        r"batch\.y is changed in place",
    ),
    "an array changed behind the back of a view": (
        ('    c["z"] = batch.x @ p["W"] + p["b"]', '    z = batch.x @ p["W"]\n    c["z"] = z[:]\n    z += p["b"]'),
        "def forward",
        r"c\['z'\] is changed in place",
    ),
    "random numbers": (
        ('+ p["b"]', '+ p["b"] + np.random.normal()'),
        'c["z"] =',
        r"c\['z'\] must be the same each time .*, two runs differ",
    ),
    "random numbers in the backward pass": (
        ('d["z"].sum(axis=0)', 'd["z"].sum(axis=0) * np.random.normal()'),
        'd["b"] =',
        r"d\['b'\] must be the same each time",
    ),
    "no loss": (
        ('    c["loss"] = xp.mean(log_sum - picked)', '    c["l"] = xp.mean(log_sum - picked)'),
        "def forward",
        r"forward must write c\['loss'\], it wrote z, l: write the loss last",
    ),
    "a loss returned": (
        ('    c["loss"] = xp.mean(log_sum - picked)', "    return xp.mean(log_sum - picked)"),
        "def forward",
        r"forward must write c\['loss'\], it wrote z: write the value that it returns to c\['loss'\]",
    ),
    "a loss of each example": (
        ("xp.mean(log_sum - picked)", "log_sum - picked"),
        'c["loss"] =',
        r"c\['loss'\] must be a single number, got shape \(11,\): take the mean or the sum",
    ),
    "a loss as a Python number": (
        ("xp.mean(log_sum - picked)", "float(xp.mean(log_sum - picked))"),
        'c["loss"] =',
        r"c\['loss'\] must be an array .*, got float: leave out float\(\)",
    ),
    "the loss's own gradient as a number": (
        ('    d["z"] =', '    d["loss"] = 1.0\n    d["z"] ='),
        'd["loss"] = 1.0',
        r"d\['loss'\] .*, got float: it is 1 from the start",
    ),
    "an exception": (
        ('batch.x @ p["W"]', 'batch.x.T @ p["W"]'),
        'c["z"] =',
        r"forward raised ValueError: batch\.x\.T of shape \(6, 11\) and p\['W'\] of shape \(6, 4\) .* is +batch\.x @ p",
    ),
    "an exception in a function that backward calls": (
        (
            "def backward(p, batch, c, d):",
            "def size(x):\n    return len(x.size)\n\n\ndef backward(p, batch, c, d):\n    size(p['b'])",
        ),
        "return len(x.size)",
        r"backward raised TypeError: object of type 'int' has no len\(\)",
    ),
    "a parameter misspelt": (
        ('p["W"] +', 'p["w"] +'),
        'c["z"] =',
        r"forward raised KeyError: p has no 'w', there is W, b; did you mean 'W'\?",
    ),
    "a parameter as an attribute": (
        ('p["W"] +', "p.W +"),
        'c["z"] =',
        r"forward raised AttributeError: 'dict' object has no attribute 'W'",
    ),
    "an attribute misspelt": (
        ("batch.x @", "batch.X @"),
        'c["z"] =',
        r"forward raised AttributeError: .* 'X'; did you mean 'x'\?",
    ),
}


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_the_users_line(mistake: str, check: Callable[..., Any]) -> None:
    edit, part, says = MISTAKES[mistake]
    found = check(edit, dtype="float32" if "among float32" in mistake else "both")
    assert (found.status, found.out) == (2, "")
    (message,) = found.err.splitlines()
    assert re.match(rf"gradparity: my_model\.py:{found.line(part)}: {says}", message), message


def test_what_makes_float64_of_float32_is_compared_in_float64_alone_unless_float32_is_asked_for(
    check: Callable[..., Any],
) -> None:
    found = check(MISTAKES["float64 among float32"][0])
    assert (found.status, found.err) == (0, "")
    assert "float32 is not compared: my_model.py:" in found.out
    wrong = check(MISTAKES["a float64 number among float32"][0])
    assert (wrong.status, wrong.err) == (1, "")


def test_a_mask_has_no_gradient(check: Callable[..., Any]) -> None:
    found = check(
        ("    log_sum =", '    c["mask"] = c["z"] > 0\n    log_sum ='),
        (WRITES_D_B, WRITES_D_B + '\n    d["mask"] = 0 * c["z"]'),
    )
    assert found.status == 2
    assert re.search(r"d\['mask'\] is the gradient of nothing: forward .* name z, loss, W, b$", found.err), found.err


class Spec:
    """A spec that brings a derivation of its own, without a file: L = Σ (x w − y)²."""

    name = "spec"
    param_shapes: dict[str, tuple[int, ...]] = {"w": (3,)}  # noqa: RUF012
    derivation: tuple[Line, ...] = ()

    def __init__(self, backward: Callable[..., None]) -> None:
        self.hand = HandDerivation(self.forward, backward)

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"w": rng.normal(size=3)}

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        return Batch(rng.normal(size=(n, 3)), rng.normal(size=n))

    def flops(self, n: int) -> int:
        return 12 * n

    def forward(self, p: Any, batch: Batch, c: Any) -> None:
        c["error"] = batch.x @ p["w"] - batch.y
        c["loss"] = (c["error"] ** 2).sum()


def right(p: Any, batch: Batch, c: Any, d: Any) -> None:
    d["error"] = 2 * d["loss"] * c["error"]
    d["w"] = batch.x.T @ d["error"] + 0 * p["w"]


def draw() -> tuple[dict[str, np.ndarray], Batch]:
    rng = np.random.default_rng(0)
    return Spec(right).init(rng), Spec(right).example_batch(rng, 5)


@pytest.mark.parametrize("dtypes", [["float64"], ["float32"], ["float64", "float32"]])
def test_a_right_derivation_passes_and_sees_copies(dtypes: list[Dtype]) -> None:
    params, batch = draw()
    for array in (*params.values(), batch.x, batch.y):
        array.flags.writeable = False
    preflight(Spec(right), params, batch, dtypes)


def test_float32_alone_is_judged_in_float32() -> None:
    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:
        right(p, batch, c, d)
        assert c["error"].dtype == np.float32

    preflight(Spec(backward), *draw(), ["float32"])


def test_a_wrong_number_is_left_to_the_comparison() -> None:
    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
        d["error"] = c["error"] * np.nan
        d["w"] = 0 * p["w"]

    preflight(Spec(backward), *draw(), ["float64"])


def test_a_derivation_without_a_file_is_refused_by_the_same_rules() -> None:
    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
        d["w"] = 2 * c["error"]

    with pytest.raises(UsageError, match=r"d\['w'\] must have the shape of p\['w'\], \(3,\), got \(5,\)"):
        preflight(Spec(backward), *draw())
