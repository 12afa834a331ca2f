"""Scaled dot-product attention of queries q, keys k and values v, each (…, length, width): softmax(qkᵀ/√width) v.

Conventions: what a query may not see has weight 0; one that may see nothing has the output 0. Heads are an axis before
the length. Source: A. Vaswani et al., Attention Is All You Need (2017), arXiv:1706.03762, equation 1.
"""

from gradparity.operations.rules import GradientRule, d


def flops(n: int, heads: int, length: int, width: int) -> int:
    """Two products forward and four backward, and some 12 operations a score."""
    return n * heads * length * length * (12 * width + 12)


def over_root(scaled: bool) -> str:
    """/√m, or nothing."""
    return r" / \sqrt{m}" if scaled else ""


def scores(q: str, k: str, *, scaled: bool) -> str:
    """QKᵀ/√m."""
    return rf"{q} {k}^\top{over_root(scaled)}"


def weights(s: str) -> str:
    """Softmax over the keys that are seen."""
    return rf"\operatorname{{softmax}}_{{j \le i}}({s})"


def value(a: str, v: str) -> str:
    """AV."""
    return f"{a} {v}"


def of_scores(a: str) -> GradientRule:
    """A ⊙ (dA − Σⱼ Aⱼ dAⱼ)."""
    return GradientRule(
        rf"{a} \odot \left( {d(a)} - \textstyle\sum_j {a}_j \odot {d(a)}_j \right)",
        "A weight rises with its own score and falls with the others', so the mean of the gradients is taken away.",
    )


def of_weights(out: str, v: str) -> GradientRule:
    """dO Vᵀ."""
    return GradientRule(rf"{d(out)} {v}^\top", "A weight multiplies a value, so it receives their product.")


def of_queries(s: str, k: str, *, scaled: bool) -> GradientRule:
    """dS K/√m."""
    return GradientRule(
        f"{d(s)} {k}{over_root(scaled)}",
        "A query is multiplied with every key, so their shares are summed over the keys.",
    )


def of_keys(s: str, q: str, *, scaled: bool) -> GradientRule:
    """dSᵀ Q/√m."""
    return GradientRule(
        rf"{d(s)}^\top {q}{over_root(scaled)}",
        "A key is multiplied with every query, so their shares are summed over the queries.",
    )


def of_values(a: str, out: str) -> GradientRule:
    """Aᵀ dO."""
    return GradientRule(
        rf"{a}^\top {d(out)}", "A value goes into every query's output with its weight, so the weighted sum comes back."
    )
