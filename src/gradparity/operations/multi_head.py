"""Multi-head attention of x (n, length, width): each head attends with queries, keys and values of its own.

The heads' outputs stand side by side and are mapped once more. Source: A. Vaswani et al., Attention Is All You Need
(2017), arXiv:1706.03762, section 3.2.2; a map may have a bias, as all have in GPT-2.
"""

from dataclasses import replace

from gradparity.operations import affine, attention, linear
from gradparity.operations.rules import GradientRule, d, line
from gradparity.protocol import Line


def shapes(width: int, biased: str = "qkvo") -> dict[str, tuple[int, ...]]:
    """W_q, W_k, W_v and W_o (width, width), each of those in ``biased`` with its b (width,)."""
    maps = {of: (affine if of in biased else linear).shapes(width, width) for of in "qkvo"}
    return {f"{name}_{of}": shape for of, each in maps.items() for name, shape in each.items()}


def flops(n: int, heads: int, length: int, width: int) -> int:
    """Four maps, and the attention of every head."""
    maps = 4 * affine.flops(n * length, width, width, of_input=True)
    return maps + attention.flops(n, heads, length, width // heads)


def lines(x: str, k: int, of_out: GradientRule, *, biased: str, scaled: bool) -> tuple[Line, ...]:
    """The lines of block k, under the operation's own names; ``of_out`` is the rule of what reads the output."""
    q, key, v, s, a, o, out = (f"{symbol}_{k}" for symbol in ("Q", "K", "V", "S", "A", "O", "Y"))
    return (
        *map_lines("q", f"Q{k}", x, q, attention.of_queries(s, key, scaled=scaled), biased="q" in biased),
        *map_lines("k", f"K{k}", x, key, attention.of_keys(s, q, scaled=scaled), biased="k" in biased),
        *map_lines("v", f"V{k}", x, v, attention.of_values(a, o), biased="v" in biased),
        line("scores", s, attention.of_scores(a), attention.scores(q, key, scaled=scaled)),
        line("weights", a, attention.of_weights(o, v), attention.weights(s)),
        line("heads", o, affine.of_input(f"W_{{O{k}}}", out), attention.value(a, v)),
        *(
            replace(each, name="out") if each.name == "o" else each
            for each in map_lines("o", f"O{k}", o, out, of_out, biased="o" in biased)
        ),
    )


def of_input(k: int) -> GradientRule:
    """dQ W_Qᵀ + dK W_Kᵀ + dV W_Vᵀ: what x receives."""
    shares = " + ".join(rf"{d(f'{of}_{k}')} W_{{{of}{k}}}^\top" for of in "QKV")
    return GradientRule(shares, "Queries, keys and values all read it, so their shares are summed.")


def map_lines(name: str, index: str, x: str, out: str, of_out: GradientRule, *, biased: bool) -> tuple[Line, ...]:
    """Return the lines of a map called ``name``: W_name, b_name where it is biased, and what it gives."""
    weights, bias = f"W_{{{index}}}", f"b_{{{index}}}"
    value = affine.value(x, weights, bias) if biased else linear.value(x, weights)
    return (
        line(f"W_{name}", weights, affine.of_weights(x, out)),
        *((line(f"b_{name}", bias, affine.of_bias(out)),) if biased else ()),
        line(name, out, of_out, value),
    )
