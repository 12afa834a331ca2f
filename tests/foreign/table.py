"""How gradparity, ``gradcheck`` and ``check_grads`` judge the pieces, counted by style, in Markdown.

``python -m tests.foreign.table`` prints it.
"""

import sys
import warnings
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tests.foreign.catalogue import PIECES
from tests.foreign.piece import Function, Piece, cause_told, checked, lines_found, loaded

from gradparity.parity.report import Report

LARGE = 1000
"""Entries of an argument, beyond which ``gradcheck``'s matrix of derivatives takes gigabytes."""
OTHERS = ("torch.autograd.gradcheck", "jax.test_util.check_grads")


@dataclass
class Counts:
    """How many pieces of a style were judged rightly."""

    right: int = 0
    wrong: int = 0
    accepted: int = 0
    rejected: int = 0
    named: int = 0
    cause: int = 0
    others: dict[str, list[int]] = field(default_factory=lambda: {other: [0, 0, 0, 0] for other in OTHERS})
    """Right pieces accepted, of so many; wrong ones rejected, of so many."""


def counted(pieces: Iterable[Piece] = PIECES) -> dict[str, Counts]:
    """Check every piece in each way that takes it. A check that raises, or compares nothing, judges nothing."""
    styles: dict[str, Counts] = {}
    for piece in pieces:
        counts = styles.setdefault(piece.style, Counts())
        report = _report(piece)
        if piece.mistake is None:
            counts.right += 1
            counts.accepted += report is not None and report.agrees and bool(report.rows)
        else:
            counts.wrong += 1
            if report is not None and not report.agrees:
                counts.rejected += 1
                counts.named += lines_found(report) == set(piece.mistake.lines)
                counts.cause += cause_told(piece.mistake, report)
        for other, judge in zip(OTHERS, (_gradcheck, _check_grads), strict=True):
            accepts = judge(piece)
            if accepts is not None:
                first = 0 if piece.right else 2
                counts.others[other][first] += accepts is piece.right
                counts.others[other][first + 1] += 1
    return styles


def table(styles: dict[str, Counts]) -> str:
    """Write the counts as a table."""
    head = ["style", "pieces", "right accepted", "wrong rejected", "line named", "cause right"]
    head += [f"`{other}`: {what}" for other in OTHERS for what in ("right accepted", "wrong rejected")]
    rows = [[style.replace("_", " "), *_cells(counts)] for style, counts in styles.items()]
    rows.append(["**all**", *_cells(_total(styles.values()))])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _cells(c: Counts) -> list[str]:
    others = [f"{good} of {of}" if of else "—" for four in c.others.values() for good, of in (four[:2], four[2:])]
    own = [f"{c.accepted} of {c.right}", *(f"{n} of {c.wrong}" for n in (c.rejected, c.named, c.cause))]
    return [str(c.right + c.wrong), *own, *others]


def _total(styles: Iterable[Counts]) -> Counts:
    total = Counts()
    for c in styles:
        for name in ("right", "wrong", "accepted", "rejected", "named", "cause"):
            setattr(total, name, getattr(total, name) + getattr(c, name))
        for other, four in c.others.items():
            total.others[other] = [a + b for a, b in zip(total.others[other], four, strict=True)]
    return total


def _report(piece: Piece) -> Report | None:
    with TemporaryDirectory() as folder:
        try:
            return checked(piece, Path(folder))
        except Exception:
            return None


def _gradcheck(piece: Piece) -> bool | None:
    """Return whether PyTorch's own check accepts it; None where it cannot take it."""
    if piece.way not in ("vjp", "autograd_function") or not _flat(piece):
        return None
    import torch

    def passes(f: Any, rule: Any) -> bool:
        function = f.apply if piece.way == "autograd_function" else _as_function(f, rule).apply
        given = [torch.tensor(a).requires_grad_(_real(a)) if _is_array(a) else a for a in piece.arguments]
        leaves = [a for a in given if isinstance(a, torch.Tensor) and a.requires_grad]
        y = function(*given)
        found = torch.autograd.grad(y, leaves, torch.ones_like(y), allow_unused=True)
        for leaf, gradient in zip(leaves, found, strict=True):
            leaf.requires_grad_(gradient is not None)  # data, of which nobody wants the gradient
        return bool(torch.autograd.gradcheck(function, given))

    return _accepts(piece, passes)


def _check_grads(piece: Piece) -> bool | None:
    """Return whether JAX's own check accepts it; None where it cannot take it."""
    if piece.way not in ("vjp", "custom_vjp") or not _flat(piece):
        return None
    import jax
    from jax.test_util import check_grads

    def passes(f: Function, rule: Any) -> bool:
        function = f if piece.way == "custom_vjp" else _as_custom_vjp(f, rule)
        real = [i for i, a in enumerate(piece.arguments) if _real(a)]
        if piece.way == "vjp":  # data, of which nobody wants the gradient
            found = rule(*deepcopy(piece.arguments), np.ones_like(f(*deepcopy(piece.arguments))))
            real = [i for i in real if not isinstance(found, tuple) or found[i] is not None]

        def of_real(*xs: Any) -> Any:
            given = dict(zip(real, xs, strict=True))
            return function(*(given.get(i, a) for i, a in enumerate(piece.arguments)))

        with jax.enable_x64(True):
            xs = [jax.numpy.asarray(piece.arguments[i]) for i in real]
            check_grads(of_real, xs, 1, ["rev"])  # type: ignore[no-untyped-call]
        return True

    return _accepts(piece, passes)


def _accepts(piece: Piece, passes: Callable[[Function, Any], bool]) -> bool:
    """A check that raises does not accept, whatever it says."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return passes(*piece.subject(loaded(piece, Path(folder))))
        except Exception:
            return False


def _as_function(f: Function, vjp: Function) -> Any:
    """Bring a pair of NumPy functions to PyTorch, as its documentation says."""
    import torch

    def arrays(given: Iterable[Any]) -> list[Any]:
        return [np.array(a.detach()) if isinstance(a, torch.Tensor) else a for a in given]

    class Pair(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            ctx.given = given
            return torch.as_tensor(np.array(f(*arrays(given))))

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            found = vjp(*arrays(ctx.given), *arrays([dy]))
            found = found if isinstance(found, tuple) else (found,)
            wanted = [isinstance(a, torch.Tensor) and a.is_floating_point() for a in ctx.given]
            return tuple(
                torch.as_tensor(np.array(g)) if w and g is not None else None
                for g, w in zip(found, wanted, strict=True)
            )

    return Pair


def _as_custom_vjp(f: Function, vjp: Function) -> Any:
    """Bring a pair of NumPy functions to JAX, which runs it outside of its arrays."""
    import jax

    def arrays(given: Iterable[Any]) -> list[Any]:
        return [np.array(a) if isinstance(a, jax.Array) else a for a in given]

    def function(*given: Any) -> Any:
        real = [i for i, a in enumerate(given) if isinstance(a, jax.Array)]

        @jax.custom_vjp
        def pair(*xs: Any) -> Any:
            return forward(*xs)[0]

        def placed(xs: Iterable[Any]) -> list[Any]:
            known = dict(zip(real, xs, strict=True))
            return [known.get(i, a) for i, a in enumerate(given)]

        def forward(*xs: Any) -> Any:
            return jax.numpy.asarray(np.array(f(*arrays(placed(xs))))), xs

        def backward(xs: Any, dy: Any) -> Any:
            found = vjp(*arrays(placed(xs)), *arrays([dy]))
            found = found if isinstance(found, tuple) else (found,)
            return tuple(None if found[i] is None else jax.numpy.asarray(np.array(found[i])) for i in real)

        pair.defvjp(forward, backward)
        return pair(*(given[i] for i in real))

    return function


def _flat(piece: Piece) -> bool:
    """Whether no argument or output is a tree of arrays, or so large that its Jacobian fills the memory."""
    several = piece.name in ("max pooling", "LSTM cell", "maximum and where it is", "RowMax")
    trees = any(isinstance(a, dict) or (isinstance(a, list) and isinstance(a[0], tuple)) for a in piece.arguments)
    large = any(_is_array(a) and a.size > LARGE for a in piece.arguments)
    return not several and not trees and not large


def _is_array(a: Any) -> bool:
    return isinstance(a, np.ndarray)


def _real(a: Any) -> bool:
    return isinstance(a, np.ndarray) and a.dtype.kind == "f"


if __name__ == "__main__":
    sys.stdout.write(table(counted()) + "\n")
