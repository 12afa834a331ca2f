"""Why do they agree? A model's derivation line by line: rule, numbers, and what the machine does for the same line.

    >>> explanation = gradparity.explain.explain("softmax_regression")
    >>> explanation.line("logits").machine["torch"].receiver
    'AddmmBackward0'

Importing this package imports no backend, and so neither JAX nor PyTorch.
"""

from typing import Any

from gradparity.explain.explanation import (
    HAND,
    Column,
    Edge,
    Entries,
    ExplainedLine,
    Explanation,
    Verdict,
)
from gradparity.parity.rows import DIFFERENCES
from gradparity.protocol import Batch


def explain(model: Any, *, batch: Batch | None = None, n: int = 11, seed: int = 0) -> Explanation:
    """Explain a model line by line, at the numbers at which ``gradparity.check`` checks it.

    ``model`` is whatever ``check`` takes. Without a ``batch``, n random examples are drawn. Raises UsageError for a
    model that cannot be checked, and where no installed backend differentiates by machine.
    """
    from gradparity.explain.build import build

    return build(model, batch=batch, n=n, seed=seed)


def figure(model: Any, *, batch: Batch | None = None, n: int = 5, seed: int = 0) -> str:
    """Return the graph of a model that one steps through, forwards and backwards, as HTML that can stand in any page.

    The arguments are those of ``explain``, and so is what is raised. Jupyter shows the same figure for what ``explain``
    returns.
    """
    from gradparity.explain.stepping import fragment

    return fragment(explain(model, batch=batch, n=n, seed=seed))


__all__ = [
    "DIFFERENCES",
    "HAND",
    "Column",
    "Edge",
    "Entries",
    "ExplainedLine",
    "Explanation",
    "Verdict",
    "explain",
    "figure",
]
