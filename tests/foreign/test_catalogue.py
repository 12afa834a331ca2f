"""The catalogue itself is true, by routes that know nothing of gradparity: right pieces are right, wrong ones wrong."""

import inspect
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.foreign.catalogue import PIECES
from tests.foreign.piece import Function, Piece, loaded, normal

pytestmark = pytest.mark.slow

PAIRS = [piece for piece in PIECES if piece.way == "vjp"]
STEP = 1e-5
COARSE = {"single precision inside": (1e-2, 1e-3), "relu of many": (1e-8, 1e-5)}
"""Step and relative tolerance where differences cannot be finer."""


def arrays(name: str, tree: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Name what a tree holds by its path; a Python float counts."""
    if isinstance(tree, Mapping | list | tuple):
        for key, branch in tree.items() if isinstance(tree, Mapping) else enumerate(tree):
            yield from arrays(f"{name}[{key!r}]", branch)
    elif isinstance(tree, np.ndarray | np.floating | float):
        yield name, np.asarray(tree)


def moved(name: str, tree: Any, path: str, direction: np.ndarray) -> Any:
    """Return the tree with a small step at one path."""
    if isinstance(tree, Mapping):
        return {key: moved(f"{name}[{key!r}]", branch, path, direction) for key, branch in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(moved(f"{name}[{i}]", branch, path, direction) for i, branch in enumerate(tree))
    return tree + direction if name == path else deepcopy(tree)


def upstream(y: Any) -> Any:
    """Draw an upstream gradient arranged like the outputs; whole numbers have none."""
    if isinstance(y, Mapping):
        return {key: upstream(value) for key, value in y.items()}
    if isinstance(y, tuple):
        return tuple(upstream(value) for value in y)
    return normal(*np.shape(y), seed=9) if np.asarray(y).dtype.kind == "f" else None


def inner(dy: Any, y: Any) -> float:
    if isinstance(y, Mapping):
        return sum(inner(dy[key], y[key]) for key in y)
    if isinstance(y, tuple):
        return sum(inner(*pair) for pair in zip(dy, y, strict=True))
    return 0.0 if dy is None else float(np.sum(dy * y))


def gradients(names: list[str], function: tuple[Function, Function], arguments: tuple[Any, ...]) -> dict[str, Any]:
    f, vjp = function
    dy = upstream(f(*deepcopy(arguments)))
    returned = vjp(*deepcopy(arguments), dy)
    if len(names) == 1 and not isinstance(returned, tuple):
        returned = (returned,)
    pairs = zip(names, returned, strict=True)
    return {path: leaf for name, tree in pairs for path, leaf in arrays(name, tree)}


def posed(piece: Piece, folder: Path) -> tuple[list[str], tuple[Function, Function]]:
    module = loaded(piece, folder)
    names = [str(i) for i in range(len(piece.arguments))]
    return names, piece.subject(module)


@pytest.mark.parametrize("piece", [piece for piece in PAIRS if piece.right], ids=str)
def test_a_right_pair_agrees_with_central_differences(piece: Piece, tmp_path: Path) -> None:
    names, function = posed(piece, tmp_path)
    found = gradients(names, function, piece.arguments)
    dy = upstream(function[0](*deepcopy(piece.arguments)))
    assert found
    step, tolerance = COARSE.get(piece.name, (STEP, 1e-6))
    for path, gradient in found.items():
        direction = normal(*gradient.shape, seed=5)
        sides = [
            inner(
                dy,
                function[0](*[moved(n, a, path, h * direction) for n, a in zip(names, piece.arguments, strict=True)]),
            )
            for h in (step, -step)
        ]
        measured = (sides[0] - sides[1]) / (2 * step)
        assert measured == pytest.approx(np.sum(gradient * direction), rel=tolerance, abs=1e-8), path


@pytest.mark.parametrize("piece", [piece for piece in PAIRS if not piece.right], ids=str)
def test_a_mistake_changes_the_gradients_that_it_names_and_no_other(piece: Piece, tmp_path: Path) -> None:
    assert piece.mistake is not None
    (tmp_path / "wrong").mkdir()
    numbers, wrong = posed(piece, tmp_path / "wrong")
    _, right = posed(replace(piece, mistake=None), tmp_path)
    named = [*inspect.signature(right[0]).parameters][: len(numbers)]
    a, b = gradients(named, wrong, piece.arguments), gradients(named, right, piece.arguments)
    assert {path for path in b if differ(a.get(path), b[path])} == set(piece.mistake.lines)


def differ(a: np.ndarray | None, b: np.ndarray) -> bool:
    return a is None or a.shape != b.shape or bool(np.linalg.norm(a - b) > 1e-9 * np.linalg.norm(b))


@pytest.mark.parametrize("piece", [p for p in PIECES if p.right and p.way == "autograd_function"], ids=str)
def test_a_right_function_of_pytorch_agrees_with_autograd(piece: Piece, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    function, reference = piece.subject(loaded(piece, tmp_path))

    def run(f: Function) -> tuple[Any, ...]:
        tensors = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in piece.arguments]
        y = f(*tensors)
        y = y[0] if isinstance(y, tuple) else y
        asked = [t for t in tensors if t.requires_grad][: 1 if piece.name == "Dropout" else None]
        return (y, *torch.autograd.grad(y, asked, torch.tensor(upstream(y.detach().numpy()))))

    for mine, theirs in zip(run(function.apply), run(reference), strict=True):
        np.testing.assert_allclose(mine.detach(), theirs.detach(), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("piece", [p for p in PIECES if p.right and p.way == "custom_vjp"], ids=str)
def test_a_right_function_of_jax_agrees_with_its_own_derivative(piece: Piece, tmp_path: Path) -> None:
    jax = pytest.importorskip("jax")
    function, reference = piece.subject(loaded(piece, tmp_path))

    def loss(f: Function) -> Any:
        return lambda *arguments: jax.numpy.sum(jax.numpy.sin(f(*arguments)))

    floats = tuple(i for i, a in enumerate(piece.arguments) if isinstance(a, dict) or a.dtype.kind == "f")
    with jax.enable_x64(True):
        mine, theirs = (jax.grad(loss(f), floats)(*piece.arguments) for f in (function, reference))
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("piece", [p for p in PIECES if p.right and p.way == "model_file"], ids=str)
def test_a_right_model_file_agrees_with_central_differences(piece: Piece, tmp_path: Path) -> None:
    module: ModuleType | Any = loaded(piece, tmp_path)
    model = module.Normalised() if hasattr(module, "Normalised") else module
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape) / 2 for name, shape in model.param_shapes.items()}
    batch = drawn(model, rng)

    def loss(p: Mapping[str, np.ndarray], c: dict[str, Any]) -> float:
        model.forward(p, batch, c)
        return float(c["loss"])

    c: dict[str, Any] = {}
    loss(params, c)
    d = Gradients(loss=1.0)
    model.backward(params, batch, c, d)
    for name, p in params.items():
        direction = rng.normal(size=p.shape)
        ahead, behind = (loss({**params, name: p + h * direction}, {}) for h in (STEP, -STEP))
        assert (ahead - behind) / (2 * STEP) == pytest.approx(np.sum(d[name] * direction), rel=1e-6, abs=1e-9), name


class Gradients(dict[str, Any]):
    """A mapping that adds shares."""

    def add(self, name: str, share: Any) -> None:
        self[name] = self.get(name, 0) + share


def drawn(model: Any, rng: np.random.Generator) -> Any:
    n = 7
    if hasattr(model, "example_batch"):
        x, y = model.example_batch(rng, n)
        return SimpleNamespace(x=x, y=y)
    shape = model.input_shape if isinstance(model.input_shape, tuple) else (model.input_shape,)
    x = rng.normal(size=(n, *shape))
    if hasattr(model, "num_classes"):
        return SimpleNamespace(x=x, y=rng.integers(0, model.num_classes, n))
    target = model.target_shape if isinstance(model.target_shape, tuple) else (model.target_shape,)
    return SimpleNamespace(x=x, y=rng.normal(size=(n, *target)))
