"""The lines of a decoder-only transformer: its streams X₀, X₁, …, and what each block reads of them and adds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple, TypeAlias

from gradparity.operations import affine, embedding, entrywise, layer_norm, multi_head, positions, rms_norm
from gradparity.operations.layer_norm import NormConvention
from gradparity.operations.rules import SEED, GradientRule, both, d, line
from gradparity.protocol import Line

Biases = Literal["one", "no_qkv", "none"]
ATTENTION_BIASES: dict[str, str] = {"one": "qkvo", "no_qkv": "o", "none": ""}
"""Which of the attention's maps have a bias."""


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


def layer_lines(size: NormConvention, of: Symbols, of_out: GradientRule) -> tuple[GradientRule, tuple[Line, ...]]:
    """Layer norm: centred, scale, gain, bias and out."""
    of_centred = layer_norm.of_centred(of.centred, of.scale, of.gain, of.out, size)
    return layer_norm.of_input(of.centred), (
        line("centred", of.centred, of_centred, layer_norm.centred(of.x)),
        line("scale", of.scale, layer_norm.of_scale(of.centred, of.gain, of.out), layer_norm.scale(of.centred, size)),
        line("gain", of.gain, layer_norm.of_gain(of.centred, of.scale, of.out)),
        *((line("bias", of.bias, layer_norm.of_bias(of.out)),) if size.biased else ()),
        line("out", of.out, of_out, layer_norm.value(of.centred, of.scale, of.gain, of.bias if size.biased else "")),
    )


def rms_lines(size: NormConvention, of: Symbols, of_out: GradientRule) -> tuple[GradientRule, tuple[Line, ...]]:
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
    norm_first: bool,
    tied: bool,
    head_bias: bool,
    biases: Biases,
    scaled: bool,
    scaled_tokens: bool,
    learned: bool,
) -> tuple[Line, ...]:
    """Embeddings; of every block norm, attention, norm and entrywise layer; the last norm, logits and loss."""
    logits, read = r"\hat Y", "N" if norm_first else f"X_{blocks}"
    product = rf"{read} E^\top" if tied else f"{read} W"
    of_stream = affine.of_input("W", logits)
    if tied:
        of_stream = of_stream._replace(gradient=f"{d(logits)} E")
    last_norm: tuple[Line, ...] = ()
    if norm_first:
        of_stream, last_norm = norm(Symbols(f"X_{blocks}", "C", "s", "N", r"\gamma", r"\beta"), of_stream)
    inner: tuple[Line, ...] = ()
    for k in range(blocks, 0, -1):
        block_lines = _pre_norm if norm_first else _post_norm
        of_stream, block = block_lines(k, norm, activation, of_stream, biases=biases, scaled=scaled)
        inner = (*_at(f"block{k}", block), *inner)
    return (
        *_embeddings(of_stream, logits, read, tied=tied, learned=learned, scaled=scaled_tokens),
        *inner,
        *_at("norm", last_norm),
        *(() if tied else (line("W", "W", affine.of_weights(read, logits)),)),
        *((line("b", "b", affine.of_bias(logits)),) if head_bias else ()),
        line("logits", logits, positions.of_logits(reduction, logits), product + (" + b" if head_bias else "")),
        line("loss", "L", SEED, positions.value(reduction, logits)),
    )


def _embeddings(
    of_stream: GradientRule, logits: str, read: str, *, tied: bool, learned: bool, scaled: bool
) -> tuple[Line, ...]:
    of_tokens = embedding.of_table("x", "T")
    factor = r"\sqrt{\mathrm{width}} \, " if scaled else ""
    of_head = GradientRule(
        rf"{d(logits)}^\top {read}", "The head reads the same table, transposed, and adds its share."
    )
    of_sum = GradientRule(d("X_0"), "Tokens and positions are added, so each receives the gradient unchanged.")
    if scaled:
        of_sum = GradientRule(factor + d("X_0"), "The tokens' factor in the sum is the factor of their gradient.")
    of_positions = GradientRule(
        rf"\textstyle\sum_i ({d('X_0')})_i", "Every example has the same positions, so their shares are summed."
    )
    tokens = (
        line("tokens.table", "E", both(of_tokens, of_head) if tied else of_tokens),
        line("tokens.out", "T", of_sum, embedding.value("E", "x")),
    )
    if not learned:
        return (*tokens, line("embedded", "X_0", of_stream, f"{factor}T + R, \\quad {_SINUSOIDS}"))
    return (
        *tokens,
        line("positions.table", "P", GradientRule(d("R"), "A row of the table is the position's own.")),
        line("positions.out", "R", of_positions, r"(P_1, \ldots, P_T)"),
        line("embedded", "X_0", of_stream, f"{factor}T + R"),
    )


_SINUSOIDS = r"R_{t, 2i} = \sin(t / 10000^{2i/\mathrm{width}}), \quad R_{t, 2i+1} = \cos(t / 10000^{2i/\mathrm{width}})"


def _pre_norm(
    k: int, norm: NormLines, activation: str, of_stream: GradientRule, *, biases: Biases, scaled: bool
) -> tuple[GradientRule, tuple[Line, ...]]:
    """Return what the stream before block k receives, and the block's lines, from the rule of the stream after it."""
    below, middle, stream = f"X_{k - 1}", f"M_{k}", f"X_{k}"
    one, two = _symbols(k, below, f"N_{k}"), _symbols(k, middle, f"N'_{k}", "'")
    of_normed, layer = _feed_forward(k, activation, two.out, stream, biases)
    of_middle, norm2 = norm(two, of_normed)
    of_below, norm1 = norm(one, multi_head.of_input(k))
    return both(_unchanged(middle), of_below), (
        *_at("norm1", norm1),
        *_attention(k, one.out, middle, biases=biases, scaled=scaled),
        line("middle", middle, both(_unchanged(stream), of_middle), f"{below} + Y_{k}"),
        *_at("norm2", norm2),
        *layer,
        line("out", stream, of_stream, f"{middle} + D_{k}"),
    )


def _post_norm(
    k: int, norm: NormLines, activation: str, of_stream: GradientRule, *, biases: Biases, scaled: bool
) -> tuple[GradientRule, tuple[Line, ...]]:
    """Return the same of a block that norms each sum."""
    below, middle, total = f"X_{k - 1}", f"M_{k}", f"Z_{k}"
    one, two = _symbols(k, middle, f"N_{k}"), _symbols(k, total, f"X_{k}", "'")
    of_total, norm2 = norm(two, of_stream)
    of_normed, layer = _feed_forward(k, activation, one.out, total, biases)
    of_middle, norm1 = norm(one, both(_unchanged(total), of_normed))
    return both(_unchanged(middle), multi_head.of_input(k)), (
        *_attention(k, below, middle, biases=biases, scaled=scaled),
        line("middle", middle, of_middle, f"{below} + Y_{k}"),
        *_at("norm1", norm1),
        *layer,
        line("out", total, of_total, f"{one.out} + D_{k}"),
        *_at("norm2", norm2),
    )


def _symbols(k: int, x: str, out: str, prime: str = "") -> Symbols:
    centred, scale, gain, bias = (f"{symbol}{prime}_{k}" for symbol in ("C", "s", r"\gamma", r"\beta"))
    return Symbols(x, centred, scale, out, gain, bias)


def _attention(k: int, x: str, total: str, *, biases: Biases, scaled: bool) -> tuple[Line, ...]:
    lines = multi_head.lines(x, k, _unchanged(total), biased=ATTENTION_BIASES[biases], scaled=scaled)
    return tuple(replace(each, name="attended") if each.name == "out" else each for each in lines)


def _feed_forward(k: int, activation: str, x: str, total: str, biases: Biases) -> tuple[GradientRule, tuple[Line, ...]]:
    """Return what the layer's input x receives, and the lines of its two maps."""
    up, active, down, biased = f"U_{k}", f"G_{k}", f"D_{k}", biases != "none"
    of_up, of_down = entrywise.of_input(activation, up, active), _unchanged(total)
    return affine.of_input(f"W_{{U{k}}}", up), (
        *multi_head.map_lines("up", f"U{k}", x, up, of_up, biased=biased),
        line("active", active, affine.of_input(f"W_{{D{k}}}", down), entrywise.value(activation, up)),
        *multi_head.map_lines("down", f"D{k}", active, down, of_down, biased=biased),
    )


def _unchanged(total: str) -> GradientRule:
    return GradientRule(d(total), "It is added, so it receives the sum's gradient unchanged.")


def _at(place: str, some: tuple[Line, ...]) -> tuple[Line, ...]:
    return tuple(replace(each, name=f"{place}.{each.name}") for each in some)
