"""The decoder-only transformer that predicts each next character: blocks of causal attention and a layer φ.

Sources: A. Radford et al., Language Models are Unsupervised Multitask Learners (2019), section 2.3; A. Vaswani et al.,
Attention Is All You Need (2017), arXiv:1706.03762.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np

from gradparity import initial
from gradparity.errors import UsageError
from gradparity.inputs import require_choices, require_finite, require_positive, token_inputs
from gradparity.operations import (
    affine,
    cross_entropy,
    embedding,
    entrywise,
    layer_norm,
    linear,
    multi_head,
    recurrent,
    rms_norm,
    transformer_block,
)
from gradparity.operations.positions import Reduction
from gradparity.protocol import Batch, Line

Norm = Literal["layer", "rms"]
Activation = Literal["gelu", "gelu_tanh", "relu"]
Encoding = Literal["learned", "sinusoidal"]


@dataclass(frozen=True)
class Transformer:
    """x₀ = E[tokens] + P; in each block m = x + attention(norm(x)), x' = m + W_down φ(W_up norm(m)); logits = norm(x)W.

    Conventions: these are the blocks of GPT-2; unless ``norm_first`` they are those of Vaswani et al. (2017), where m =
    norm(x + attention(x)), x' = norm(m + W_down φ(W_up m)), logits = xW. ``norm`` is "layer" or "rms"; its scale is
    1/√(σ² + ε), or 1/(σ + ε) where ``epsilon_outside``, with σ² of layer norm divided by the width, or by width − 1
    where ``unbiased``. φ is the exact GELU, its approximation by tanh, as in GPT-2, or ReLU, as in Vaswani et al. Every
    map of a block has a bias unless ``biases`` says otherwise, the last, W, where ``head_bias``; W is Eᵀ where
    ``tied``. E[tokens] is multiplied by √width where ``scaled_tokens``, as in Vaswani et al., section 3.4. P is
    learned, or where ``encoding`` is "sinusoidal" that of their section 3.5: sines in the even columns and cosines in
    the odd ones, columns and positions counted from 0.
    The reduction over positions and sequences is "positions" (the mean over both), "sequences" (the sum over positions,
    the mean over sequences) or "sum".
    """

    vocabulary: int = 7
    width: int = 6
    heads: int = 2
    inner: int = 8
    """The size of the layer between W_up and W_down."""
    blocks: int = 1
    positions: int = 5
    """The longest sequence."""
    length: int = 4
    norm: Norm = "layer"
    norm_first: bool = True
    epsilon: float = 1e-5
    epsilon_outside: bool = False
    unbiased: bool = False
    activation: Activation = "gelu"
    encoding: Encoding = "learned"
    scaled_tokens: bool = False
    tied: bool = False
    head_bias: bool = False
    biases: transformer_block.Biases = "one"
    """A bias at each map of a block, at those that make no queries, keys or values, or at none, nor in a norm."""
    scaled: bool = True
    """Whether scores are divided by √(width / heads), as in Vaswani et al. and GPT-2, and not in T5."""
    reduction: Reduction = "positions"
    init_std: float = 0.02

    def __post_init__(self) -> None:
        """Raise UsageError for sizes that do not go together, and for unknown choices."""
        sizes = {name: getattr(self, name) for name in ("vocabulary", "width", "heads", "inner", "blocks")}
        require_positive("transformer", **sizes, positions=self.positions, length=self.length)
        require_finite("transformer", epsilon=self.epsilon, init_std=self.init_std)
        require_choices(self)
        recurrent.require_vocabulary("transformer", self.vocabulary)
        if self.width % self.heads:
            raise UsageError(
                f"transformer: heads must divide the width into equal parts, got width {self.width} and "
                f"{self.heads} heads: {self.width} / {self.heads} = {self.width / self.heads:g}"
            )
        if self.length > self.positions:
            raise UsageError(
                f"transformer: a sequence must not be longer than the positions, got length {self.length} and "
                f"{self.positions} positions: set positions={self.length}"
            )
        if self.norm == "rms" and self.unbiased:
            raise UsageError("transformer: unbiased belongs to norm 'layer', got norm 'rms'")
        if self.unbiased and self.width == 1:
            raise UsageError("transformer: an unbiased variance divides by width − 1, got width 1")

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "Transformer":  # noqa: ARG003
        """Fit vocabulary and length to a text; the positions are as many as its windows are long. Raises UsageError."""
        if classes is None:
            raise UsageError("transformer predicts tokens, got real targets: use --data text")
        usual = {"width": 64, "heads": 4, "inner": 256, "blocks": 2, "positions": features}
        return cls(vocabulary=classes, length=features, **{**usual, **settings})

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "transformer"

    @property
    def real_targets(self) -> bool:
        """False: y is tokens."""
        return False

    @property
    def next_tokens(self) -> bool:
        """True: y is the tokens that follow those of x."""
        return True

    @property
    def convention(self) -> layer_norm.NormConvention:
        """What layer norm is told."""
        return layer_norm.NormConvention(self.epsilon, self.epsilon_outside, self.unbiased, self.biases != "none")

    @property
    def attention_biases(self) -> str:
        """Which of the attention's maps q, k, v and o have a bias."""
        return transformer_block.ATTENTION_BIASES[self.biases]

    @property
    def places(self) -> tuple[str, ...]:
        """What the blocks are called: "block1", "block2", …."""
        return tuple(f"block{k}" for k in range(1, self.blocks + 1))

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of what goes into the first block, and of what comes out of each."""
        out = "out" if self.norm_first else "norm2.out"
        return "embedded", *(f"{place}.{out}" for place in self.places)

    @property
    def head_reads(self) -> str:
        """The name of what is mapped to the logits."""
        return "norm.out" if self.norm_first else self.streams[-1]

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Tables of tokens and, where learned, positions; each block's, the last norm's; W of the head unless tied."""
        biased = self.biases != "none"
        dense = affine if biased else linear
        norm = layer_norm.shapes(self.width, biased=biased) if self.norm == "layer" else rms_norm.shapes(self.width)
        maps = {"up": dense.shapes(self.width, self.inner), "down": dense.shapes(self.inner, self.width)}
        block = {
            **{f"norm1.{name}": shape for name, shape in norm.items()},
            **multi_head.shapes(self.width, self.attention_biases),
            **{f"norm2.{name}": shape for name, shape in norm.items()},
            **{f"{name}_{of}": shape for of, shapes in maps.items() for name, shape in shapes.items()},
        }
        return {
            "tokens.table": (self.vocabulary, self.width),
            **({"positions.table": (self.positions, self.width)} if self.encoding == "learned" else {}),
            **{f"{place}.{name}": shape for place in self.places for name, shape in block.items()},
            **({f"norm.{name}": shape for name, shape in norm.items()} if self.norm_first else {}),
            **({} if self.tied else {"W": (self.width, self.vocabulary)}),
            **({"b": (self.vocabulary,)} if self.head_bias else {}),
        }

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Matrices N(0, init_std²), as GPT-2; gains 1, biases 0."""
        return initial.parameters(rng, self.param_shapes, std=self.init_std)

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Unbalanced tokens x and y (n, length)."""
        x, y = (token_inputs(rng, n, self.length, self.vocabulary) for _ in range(2))
        return Batch(x, y)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["Transformer", int]:
        """Draw sizes and conventions; return the spec and a number of examples."""
        blocks, heads = (int(size) for size in rng.choice([[1, 2], [1, 3], [2, 3], [2, 1], [3, 2]]))
        width = heads * int(rng.integers(3, 5))
        rest = rng.permutation([size for size in range(3, 15) if size not in (blocks, heads, width)])
        vocabulary, inner, n, one, other = (int(size) for size in rest[:5])
        layer = bool(rng.random() < 0.5)
        settings: dict[str, Any] = {
            "norm": "layer" if layer else "rms",
            "norm_first": bool(rng.random() < 0.5),
            "epsilon": float(10 ** rng.uniform(-6, -1)),
            "epsilon_outside": bool(rng.random() < 0.5),
            "unbiased": layer and bool(rng.random() < 0.5),
            "activation": str(rng.choice(get_args(Activation))),
            "encoding": str(rng.choice(get_args(Encoding))),
            "scaled_tokens": bool(rng.random() < 0.5),
            "tied": bool(rng.random() < 0.5),
            "head_bias": bool(rng.random() < 0.5),
            "scaled": bool(rng.random() < 0.8),
            "reduction": str(rng.choice(get_args(Reduction))),
            "biases": str(rng.choice(get_args(transformer_block.Biases))),
        }
        return cls(vocabulary, width, heads, inner, blocks, max(one, other), min(one, other), **settings), n

    @classmethod
    def variants(cls) -> dict[str, "Transformer"]:
        """Return the settings that between them have every line, by what they are called."""
        rms = cls(norm="rms", tied=True, head_bias=True, activation="gelu_tanh", reduction="sequences")
        of_2017 = cls(encoding="sinusoidal", scaled_tokens=True, norm_first=False, activation="relu", tied=True)
        return {"": cls(), "rms": rms, "post-norm": of_2017}

    @property
    def kinks(self) -> dict[str, Literal["relu"]]:
        """ReLU's, in every block."""
        return entrywise.kinks({f"{place}.up": self.activation for place in self.places})

    def flops(self, n: int) -> int:
        """Every block's maps, attention, norms and activation; embeddings, head and cross-entropy."""
        rows = n * self.length
        norm: int = (layer_norm if self.norm == "layer" else rms_norm).flops(rows, self.width)
        block = (
            multi_head.flops(n, self.heads, self.length, self.width)
            + 2 * affine.flops(rows, self.width, self.inner, of_input=True)
            + entrywise.flops(rows, self.inner)
            + 2 * norm
        )
        head = affine.flops(rows, self.width, self.vocabulary, of_input=True)
        tables = 2 if self.encoding == "learned" else 1
        ends = tables * embedding.flops(rows, self.width) + head + cross_entropy.flops(rows, self.vocabulary)
        return self.blocks * block + ends + (norm if self.norm_first else 0)

    @property
    def derivation(self) -> tuple[Line, ...]:
        """Embeddings; of every block norm, attention, norm and entrywise layer; the last norm, logits and loss."""
        norm = transformer_block.layer_lines if self.norm == "layer" else transformer_block.rms_lines
        return transformer_block.lines(
            self.blocks,
            partial(norm, self.convention),
            self.activation,
            self.reduction,
            norm_first=self.norm_first,
            tied=self.tied,
            head_bias=self.head_bias,
            learned=self.encoding == "learned",
            biases=self.biases,
            scaled=self.scaled,
            scaled_tokens=self.scaled_tokens,
        )
