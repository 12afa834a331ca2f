"""What an array library says about a user's forward, in words that tell what to write instead."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.subjects.model_file import explain_exception

USE_XP = r"write xp = array_namespace\(x\) \(of array_api_compat\), then xp"

MISTAKES: dict[str, tuple[str, tuple[str, str], str, str]] = {
    # name: (library, edit, the part of the line that is named, message)
    "a NumPy function on JAX": (
        "jax",
        ('xp.exp(c["z"])', 'np.exp(c["z"])'),
        "log_sum =",
        rf"np\.exp works on NumPy's arrays only, got a traced JAX array: {USE_XP}\.exp",
    ),
    "a NumPy function on PyTorch": (
        "torch",
        ('xp.exp(c["z"])', 'np.exp(c["z"])'),
        "log_sum =",
        rf"np\.exp works on NumPy's arrays only, got a PyTorch tensor: {USE_XP}\.exp",
    ),
    "a NumPy function that calls a method": (
        "torch",
        ("xp.mean(log_sum - picked)", "np.mean(log_sum - picked)"),
        'c["loss"] =',
        rf"np\.mean works on NumPy's arrays only, got a PyTorch tensor: {USE_XP}\.mean",
    ),
    "a NumPy function over several lines": (
        "torch",
        ('xp.exp(c["z"])', 'np.exp(\n        c["z"]  # ∂\n    )'),
        "log_sum =",
        rf"np\.exp works on NumPy's arrays only, got a PyTorch tensor: {USE_XP}\.exp",
    ),
    "a NumPy array indexed on JAX": (
        "jax",
        ('c["z"][xp.arange(len(batch.y)), batch.y]', '(c["z"] * np.eye(4, dtype="float32")[batch.y]).sum(axis=1)'),
        "picked =",
        rf"NumPy cannot work on a traced JAX array: {USE_XP}",
    ),
    "a NumPy array among PyTorch's": (
        "torch",
        ('+ p["b"]', '+ p["b"] + batch.x @ np.ones((6, 4), "float32")'),
        'c["z"] =',
        rf"NumPy cannot work on a PyTorch tensor: {USE_XP}",
    ),
    "an if": (
        "jax",
        ("    log_sum =", '    if c["z"].sum() > 0:\n        pass\n    log_sum ='),
        "if c[",
        r"a traced JAX array has no numbers yet, so no if, .* write xp\.where",
    ),
    "a float": ("jax", ('+ p["b"]', '+ float(p["b"][0])'), 'c["z"] =', r"a traced JAX array has no numbers yet"),
    "x[i] = v": (
        "jax",
        ("    log_sum =", '    e = xp.exp(c["z"])\n    e[0] = 1\n    log_sum ='),
        "e[0] = 1",
        r"a JAX array takes no x\[i\] = v: build it with xp\.where",
    ),
    "a tensor's own max": (
        "torch",
        ('xp.exp(c["z"])', 'xp.exp(c["z"] - c["z"].max(axis=1, keepdims=True))'),
        "log_sum =",
        r"a tensor's own max, min, sort and median return pairs: write xp\.max\(z, axis=1\)",
    ),
    "a method that only NumPy has": (
        "torch",
        ('+ p["b"]', '+ p["b"].astype(p["b"].dtype)'),
        'c["z"] =',
        r"forward works on NumPy's arrays and fails on a PyTorch tensor, AttributeError: .*'astype': write xp =",
    ),
    "matrices that do not go together": (
        "numpy",
        ('batch.x.T @ d["z"]', 'batch.x @ d["z"]'),
        'd["W"] =',
        r"backward raised ValueError: batch\.x of shape \(11, 6\) and d\['z'\] of shape \(11, 4\) do not multiply as "
        r"matrices, is batch\.x\.T @ d\['z'\] meant\?",
    ),
    "arrays that do not go together": (
        "numpy",
        ('d["b"] = d["z"].sum(axis=0)', 'd["b"] = (d["z"] * p["W"]).sum(axis=0)'),
        'd["b"] =',
        r"backward raised ValueError: d\['z'\] of shape \(11, 4\) and p\['W'\] of shape \(6, 4\) do not go together",
    ),
    "running statistics in a global, on JAX": (
        "jax",
        (
            "    log_sum =",
            '    np.multiply(0.9, SEEN, out=SEEN)\n    SEEN[:] += 0.1 * xp.mean(c["z"], axis=0)\n    log_sum =',
        ),
        "SEEN[:] +=",
        r"forward changes SEEN\[:\], which is not its own: .* keep running statistics out of it",
    ),
    "running statistics in a global, on PyTorch": (
        "torch",
        ("    log_sum =", '    global SEEN\n    SEEN = 0.9 * SEEN + 0.1 * np.mean(c["z"], axis=0)\n    log_sum ='),
        "SEEN = 0.9",
        r"forward changes SEEN, which is not its own: .* keep running statistics out of it",
    ),
    "an array that autograd needs, changed": (
        "torch",
        (
            'log_sum = xp.log(xp.sum(xp.exp(c["z"]), axis=1))',
            'e = xp.exp(c["z"])\n    e /= 2.0\n    log_sum = xp.log(xp.sum(e, axis=1))',
        ),
        "e /= 2.0",
        r"PyTorch cannot differentiate forward, .* changed in place: make a new one, x = x / s",
    ),
}


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_librarys_error_is_one_line_with_the_remedy(mistake: str, check: Callable[..., Any]) -> None:
    library, edit, part, says = MISTAKES[mistake]
    if (found := registry.availability(library)).backend is None:
        pytest.skip(f"{found.problem}: {found.install}")
    outcome = check(edit, ("num_classes = 4", "num_classes = 4\nSEEN = np.zeros(4)"), backends=f"numpy,{library}")
    assert (outcome.status, outcome.out) == (2, "")
    (message,) = outcome.err.splitlines()
    assert re.match(rf"gradparity: my_model\.py:{outcome.line(part)}: {says}", message), message


@pytest.mark.parametrize(("divided", "status"), [("/ len(y)", 0), ("/ (2 * len(y))", 1)])
def test_a_file_for_numpy_alone_is_judged_by_the_loss_itself(
    divided: str, status: int, check: Callable[..., Any]
) -> None:
    pytest.importorskip("jax")
    pytest.importorskip("torch")
    outcome = check(("array_namespace(batch.x)", "np"), ("/ len(y)", divided), backends=None)
    assert (outcome.status, outcome.err) == (status, "")
    for library in ("jax", "torch"):
        assert f"{library} is no witness: my_model.py:" in outcome.out
    assert "so the loss itself is, entry by entry" in " ".join(outcome.out.split())


@pytest.mark.parametrize(("backends", "status"), [(None, 0), ("numpy,torch", 1)])
def test_a_machine_that_takes_a_number_for_constant_is_no_witness(
    backends: str | None, status: int, check: Callable[..., Any]
) -> None:
    pytest.importorskip("torch")
    decayed = (
        ('c["loss"] = ', 'c["loss"] = 0.1 * float(xp.sum(p["W"] ** 2)) + '),
        ('d["W"] = ', 'd["W"] = 0.2 * p["W"] + '),
    )
    outcome = check(*decayed, backends=backends)
    assert (outcome.status, outcome.err) == (status, "")
    said = " ".join(outcome.out.split())
    assert ("torch is no witness: " in said) == (status == 0)
    assert "its gradient of W is not how the loss changes" in said
    assert "✗ d['W']" not in said


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_numpy_in_the_backward_pass_is_no_mistake_on_numpy(library: str, check: Callable[..., Any]) -> None:
    if (found := registry.availability(library)).backend is None:
        pytest.skip(f"{found.problem}: {found.install}")
    assert check(backends=f"numpy,{library}").status == 0


def test_numpy_in_the_backward_pass_is_a_mistake_on_tensors(check: Callable[..., Any]) -> None:
    if (found := registry.availability("torch-manual")).backend is None:
        pytest.skip(f"{found.problem}: {found.install}")
    outcome = check(backends="numpy,torch-manual")
    assert outcome.status == 2
    assert re.match(rf"gradparity: my_model\.py:\d+: .*{USE_XP}", outcome.err), outcome.err


def test_a_builtin_function_without_code_is_explained_without_a_line() -> None:
    explained = explain_exception(ValueError("no"), len, "forward")
    assert isinstance(explained, UsageError)
    assert str(explained) == "forward raised ValueError: no"
