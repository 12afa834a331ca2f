"""The look-up of tokens in a table: out[…] = table[x[…]], a row for every token."""

from typing import Any

from jaxtyping import Inexact, Int

from gradparity.protocol import Array
from gradparity_manual.operations import namespace


def forward(p: Any, x: Int[Array, "*places"], c: Any) -> Inexact[Array, "*places width"]:
    """Take a row of the table at every place where a token stands."""
    c["out"] = p["table"][x]  # (n, length, width)
    return c["out"]


def backward(p: Any, x: Int[Array, "*places"], d: Any) -> None:
    """Add to the gradient of the table: a row receives the sum over the places where its token stands, or zero."""
    table = p["table"]  # (rows, width)
    xp = namespace(table)
    stands = xp.astype(xp.arange(table.shape[0])[:, None] == x.reshape(-1), table.dtype)  # (rows, n·length)
    d.add("table", stands @ d["out"].reshape(-1, table.shape[1]))  # (rows, width)
