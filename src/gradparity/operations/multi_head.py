"""Multi-head attention of x (n, length, width): each head attends with queries, keys and values of its own.

The heads' outputs stand side by side and are mapped once more. Source: A. Vaswani et al., Attention Is All You Need
(2017), arXiv:1706.03762, section 3.2.2, with a bias at every map, as GPT-2 has it.
"""

from gradparity.operations import affine, attention
from gradparity.operations.rules import GradientRule, d, line
from gradparity.protocol import Line


def shapes(width: int) -> dict[str, tuple[int, ...]]:
    """W_q, W_k, W_v and W_o (width, width), each with its b (width,)."""
    maps = (affine.shapes(width, width) for _ in "qkvo")
    return {f"{name}_{of}": shape for of, each in zip("qkvo", maps, strict=True) for name, shape in each.items()}


def flops(n: int, heads: int, length: int, width: int) -> int:
    """Four maps, and the attention of every head."""
    maps = 4 * affine.flops(n * length, width, width, of_input=True)
    return maps + attention.flops(n, heads, length, width // heads)


def lines(x: str, k: int, of_out: GradientRule, *, scaled: bool) -> tuple[Line, ...]:
    """The lines of block k, under the operation's own names; ``of_out`` is the rule of what reads the output."""
    q, key, v, s, a, o, out = (f"{symbol}_{k}" for symbol in ("Q", "K", "V", "S", "A", "O", "Y"))
    weights, bias = f"W_{{O{k}}}", f"b_{{O{k}}}"
    return (
        *_map(x, q, f"Q{k}", "q", attention.of_queries(s, key, scaled=scaled)),
        *_map(x, key, f"K{k}", "k", attention.of_keys(s, q, scaled=scaled)),
        *_map(x, v, f"V{k}", "v", attention.of_values(a, o)),
        line("scores", s, attention.of_scores(a), attention.scores(q, key, scaled=scaled)),
        line("weights", a, attention.of_weights(o, v), attention.weights(s)),
        line("heads", o, affine.of_input(weights, out), attention.value(a, v)),
        line("W_o", weights, affine.of_weights(o, out)),
        line("b_o", bias, affine.of_bias(out)),
        line("out", out, of_out, affine.value(o, weights, bias)),
    )


def of_input(k: int) -> GradientRule:
    """dQ W_Qᵀ + dK W_Kᵀ + dV W_Vᵀ: what x receives."""
    shares = " + ".join(rf"{d(f'{of}_{k}')} W_{{{of}{k}}}^\top" for of in "QKV")
    return GradientRule(shares, "Queries, keys and values all read it, so their shares are summed.")


def _map(x: str, out: str, index: str, name: str, rule: GradientRule) -> tuple[Line, ...]:
    weights, bias = f"W_{{{index}}}", f"b_{{{index}}}"
    return (
        line(f"W_{name}", weights, affine.of_weights(x, out)),
        line(f"b_{name}", bias, affine.of_bias(out)),
        line(name, out, rule, affine.value(x, weights, bias)),
    )
