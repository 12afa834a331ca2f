"""The lines of a decoder-only transformer: its streams X₀, X₁, …, and what each block reads of them and adds."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from gradparity.operations import affine, embedding, entrywise, layer_norm, multi_head, positions, rms_norm
from gradparity.operations.layer_norm import Convention
from gradparity.operations.rules import SEED, GradientRule, both, d, line
from gradparity.protocol import Line


class Symbols(NamedTuple):
    """What the formulas of one norm call its arrays."""

    x: str
    centred: str
    scale: str
    out: str
    gain: str
    bias: str


NormLines: TypeAlias = Callable[[Symbols, GradientRule], tuple[GradientRule, tuple[Line, ...]]]
"""From the rule of what reads the norm's output: what its input receives, and its lines."""


def layer_lines(size: Convention, of: Symbols, of_out: GradientRule) -> tuple[GradientRule, tuple[Line, ...]]:
    """Layer norm: centred, scale, gain, bias and out."""
    of_centred = layer_norm.of_centred(of.centred, of.scale, of.gain, of.out, size)
    return layer_norm.of_input(of.centred), (
        line("centred", of.centred, of_centred, layer_norm.centred(of.x)),
        line("scale", of.scale, layer_norm.of_scale(of.centred, of.gain, of.out), layer_norm.scale(of.centred, size)),
        line("gain", of.gain, layer_norm.of_gain(of.centred, of.scale, of.out)),
        line("bias", of.bias, layer_norm.of_bias(of.out)),
        line("out", of.out, of_out, layer_norm.value(of.centred, of.scale, of.gain, of.bias)),
    )


def rms_lines(size: Convention, of: Symbols, of_out: GradientRule) -> tuple[GradientRule, tuple[Line, ...]]:
    """RMS norm: scale, gain and out."""
    return rms_norm.of_input(of.x, of.scale, of.gain, of.out, epsilon_outside=size.epsilon_outside), (
        line(
            "scale",
            of.scale,
            rms_norm.of_scale(of.x, of.gain, of.out),
            rms_norm.scale(of.x, epsilon_outside=size.epsilon_outside),
        ),
        line("gain", of.gain, rms_norm.of_gain(of.x, of.scale, of.out)),
        line("out", of.out, of_out, rms_norm.value(of.x, of.scale, of.gain)),
    )


def lines(
    blocks: int,
    norm: NormLines,
    activation: str,
    reduction: positions.Reduction,
    *,
    tied: bool,
    scaled: bool,
    learned: bool,
) -> tuple[Line, ...]:
    """Embeddings; of every block norm, attention, norm and entrywise layer; the last norm, logits and loss."""
    logits = r"\hat Y"
    last = Symbols(f"X_{blocks}", "C", "s", "N", r"\gamma", r"\beta")
    of_normed = affine.of_input("W", logits)
    if tied:
        of_normed = of_normed._replace(gradient=f"{d(logits)} E")
    of_stream, last_norm = norm(last, of_normed)
    inner: tuple[Line, ...] = ()
    for k in range(blocks, 0, -1):
        of_stream, block = _block(k, norm, activation, of_stream, scaled=scaled)
        inner = (*block, *inner)
    return (
        *_embeddings(of_stream, logits, tied=tied, learned=learned),
        *inner,
        *_at("norm", last_norm),
        *(() if tied else (line("W", "W", affine.of_weights("N", logits)),)),
        line("logits", logits, positions.of_logits(reduction, logits), r"N E^\top" if tied else "N W"),
        line("loss", "L", SEED, positions.value(reduction, logits)),
    )


def _embeddings(of_stream: GradientRule, logits: str, *, tied: bool, learned: bool) -> tuple[Line, ...]:
    of_tokens = embedding.of_table("x", "T")
    of_head = GradientRule(rf"{d(logits)}^\top N", "The head reads the same table, transposed, and adds its share.")
    of_sum = GradientRule(d("X_0"), "Tokens and positions are added, so each receives the gradient unchanged.")
    of_positions = GradientRule(
        rf"\textstyle\sum_i ({d('X_0')})_i", "Every example has the same positions, so their shares are summed."
    )
    tokens = (
        line("tokens.table", "E", both(of_tokens, of_head) if tied else of_tokens),
        line("tokens.out", "T", of_sum, embedding.value("E", "x")),
    )
    if not learned:
        return (*tokens, line("embedded", "X_0", of_stream, f"T + R, \\quad {_SINUSOIDS}"))
    return (
        *tokens,
        line("positions.table", "P", GradientRule(d("R"), "A row of the table is the position's own.")),
        line("positions.out", "R", of_positions, r"(P_1, \ldots, P_T)"),
        line("embedded", "X_0", of_stream, "T + R"),
    )


_SINUSOIDS = r"R_{t, 2i} = \sin(t / 10000^{2i/\mathrm{width}}), \quad R_{t, 2i+1} = \cos(t / 10000^{2i/\mathrm{width}})"


def _block(
    k: int, norm: NormLines, activation: str, of_stream: GradientRule, *, scaled: bool
) -> tuple[GradientRule, tuple[Line, ...]]:
    """Return what the stream before block k receives, and the block's lines, from the rule of the stream after it."""
    stream, middle, up, active, down = (f"{symbol}_{k}" for symbol in "XMUGD")
    (w_up, b_up), (w_down, b_down) = ((f"W_{{{name}{k}}}", f"b_{{{name}{k}}}") for name in "UD")
    one = Symbols(f"X_{k - 1}", f"C_{k}", f"s_{k}", f"N_{k}", rf"\gamma_{k}", rf"\beta_{k}")
    two = Symbols(middle, f"C'_{k}", f"s'_{k}", f"N'_{k}", rf"\gamma'_{k}", rf"\beta'_{k}")
    of_middle, norm2 = norm(two, affine.of_input(w_up, up))
    of_attention = GradientRule(
        multi_head.of_input(k), "Queries, keys and values all read it, so their shares are summed."
    )
    of_below, norm1 = norm(one, of_attention)
    attention = multi_head.lines(one.out, k, _unchanged(middle), scaled=scaled)
    return both(_unchanged(middle), of_below), _at(
        f"block{k}",
        (
            *_at("norm1", norm1),
            *(replace(each, name="attended") if each.name == "out" else each for each in attention),
            line("middle", middle, both(_unchanged(stream), of_middle), f"X_{k - 1} + Y_{k}"),
            *_at("norm2", norm2),
            line("W_up", w_up, affine.of_weights(two.out, up)),
            line("b_up", b_up, affine.of_bias(up)),
            line("up", up, entrywise.of_input(activation, up, active), affine.value(two.out, w_up, b_up)),
            line("active", active, affine.of_input(w_down, down), entrywise.value(activation, up)),
            line("W_down", w_down, affine.of_weights(active, down)),
            line("b_down", b_down, affine.of_bias(down)),
            line("down", down, _unchanged(stream), affine.value(active, w_down, b_down)),
            line("out", stream, of_stream, f"{middle} + {down}"),
        ),
    )


def _unchanged(total: str) -> GradientRule:
    return GradientRule(d(total), "It is added to the stream, so it receives the stream's gradient unchanged.")


def _at(place: str, some: tuple[Line, ...]) -> tuple[Line, ...]:
    return tuple(replace(each, name=f"{place}.{each.name}") for each in some)
