"""Kernels with their own backward rule: torch.autograd.Function and jax.custom_vjp."""

from types import ModuleType
from typing import Any

import numpy as np
from tests.foreign.piece import Function, Piece, mistake, normal, pieces

TARGET = np.array([0, 2, 2, 1, 2])
TOKENS = np.array([4, 1, 4, 0, 4, 2])


def torch_function(name: str, reference: str) -> Any:
    def subject(m: ModuleType) -> tuple[Any, Function]:
        return getattr(m, name), getattr(m, reference)

    return subject


def torch_piece(name: str, reference: str, *arguments: Any, **choices: Any) -> Piece:
    return Piece(name, "autograd_functions", "autograd_function", torch_function(name, reference), arguments, choices)


def jax_piece(name: str, *arguments: Any, **choices: Any) -> Piece:
    return Piece(name, "custom_vjps", "custom_vjp", torch_function(name, f"{name}_reference"), arguments, choices)


KERNELS = [
    *pieces(
        torch_piece("T5Norm", "t5_norm", normal(2, 3, 8), normal(8)),
        mistake(
            "sum for mean",
            "(grad_hat * x).mean(-1, keepdim=True)",
            "(grad_hat * x).sum(-1, keepdim=True)",
            "x",
            "a sum where a mean belongs",
        ),
        mistake("power", "inv**2 * (grad_hat", "inv * (grad_hat", "x", "inv"),
        mistake("batch axis only", ".flatten(0, -2).sum(0)", ".mean((0, 1))", "weight", "a mean where a sum belongs"),
    ),
    *pieces(
        torch_piece("RMSNorm", "rms_norm", normal(5, 8), normal(8)),
        mistake("share forgotten", "(wdy - xhat * (wdy * xhat).mean(-1, keepdim=True))", "wdy", "x", "lacks|share"),
        mistake(
            "sum for mean",
            "(wdy * xhat).mean(-1, keepdim=True)",
            "(wdy * xhat).sum(-1, keepdim=True)",
            "x",
            "8 times|too much|mean",
        ),
        mistake("weight forgotten", "wdy = dyf * weight.float()", "wdy = dyf", "x", "weight"),
        mistake(
            "two per cent", "dw = (dyf * xhat).sum(0)", "dw = 1.02 * (dyf * xhat).sum(0)", "weight", r"1\.02 times"
        ),
    ),
    *pieces(
        torch_piece("SiLU", "silu", normal(5, 8)),
        mistake("one forgotten", "(1 + xf * (1 - s))", "(xf * (1 - s))", "x", "lacks"),
        mistake("square", "s * (1 + xf * (1 - s))", "s * (1 + xf * (1 - s**2))", "x", "lacks|too much|sigmoid|factor"),
    ),
    *pieces(
        torch_piece("SwiGLU", "swiglu", normal(5, 8), normal(5, 8, seed=1)),
        mistake("other's activation", "db = dc * silu_a", "db = dc * a", "b", "factor|uses .* where"),
        mistake(
            "gate forgotten",
            "(silu_a * (1 - sig_a) + sig_a) * b",
            "(silu_a * (1 - sig_a) + sig_a)",
            "a",
            "lacks the factor b",
        ),
    ),
    *pieces(
        torch_piece("Gelu", "gelu", normal(5, 8)),
        mistake("3 forgotten", "(1 + 3 * 0.044715 * x**2)", "(1 + 0.044715 * x**2)", "x", r"lacks|0\.134145 belongs"),
        mistake("square forgotten", "(1 - t**2) * du", "(1 - t) * du", "x", "lacks|too much|factor"),
        mistake("inner derivative forgotten", "(1 - t**2) * du", "(1 - t**2)", "x", "lacks|too much|factor"),
    ),
    *pieces(
        torch_piece("CrossEntropy", "cross_entropy", normal(5, 3), TARGET),
        mistake("upstream forgotten", "return grad * dloss, None", "return grad, None", "logits", "upstream|dy"),
        mistake(
            "1/n forgotten", "save_for_backward(grad / n)", "save_for_backward(grad)", "logits", "5 times too large"
        ),
        mistake(
            "scaled in place",
            "return grad * dloss, None",
            "return grad.mul_(dloss), None",
            "logits",
            "second backward|in ?place",
        ),
    ),
    *pieces(
        torch_piece("Linear", "linear", normal(5, 4), normal(3, 4), normal(3)),
        mistake(
            "needs_input_grad of another",
            "if ctx.needs_input_grad[2]:",
            "if ctx.needs_input_grad[0]:",
            "bias",
            "where only bias needs a gradient|None|zero",
        ),
        mistake("bias by mean", "grad_output.sum(0)", "grad_output.mean(0)", "bias", "5 times too small"),
        mistake(
            "view of a tensor with gaps",
            "grad_output.t().mm(x)",
            "torch.as_strided(grad_output, grad_output.shape, (grad_output.shape[1], 1)).t().mm(x)",
            "weight",
            "contiguous",
        ),
    ),
    *pieces(
        torch_piece("RowMax", "row_max", normal(5, 4)),
        mistake(
            "everywhere",
            "dx.scatter_(1, indices[:, None], dvalues[:, None])",
            "dx += dvalues[:, None]",
            "x",
            "mask|summed over axis 1",
        ),
    ),
    *pieces(
        torch_piece("Embedding", "embedding", normal(6, 3), TOKENS),
        mistake(
            "the last one wins",
            "dtable.index_add_(0, tokens, dy)",
            "dtable[tokens] = dy",
            "table",
            "repeated|row 4|last",
        ),
        mistake(
            "counted once", "dtable.index_add_(0, tokens, dy)", "dtable[tokens] += dy", "table", "repeated|row 4|last"
        ),
    ),
    *pieces(
        torch_piece("Exp", "exp", normal(5, 3)),
        mistake(
            "input for output",
            "ctx.save_for_backward(y)",
            "ctx.save_for_backward(x)",
            "x",
            "factor x where|uses .* where",
        ),
        mistake("negated", "return dy * y", "return -dy * y", "x", "wrong sign"),
    ),
    *pieces(
        torch_piece("Cube", "cube", normal(5, 3), order=2),
        mistake(
            "graph dropped",
            "(x,) = ctx.saved_tensors\n        return 3",
            "x = ctx.saved_tensors[0].detach()\n        return 3",
            "x",
            "second|twice|graph",
        ),
        mistake("once", "return 3 * x * x * dy", "return 3 * x * dy", "x", "lacks the factor x"),
    ),
    *pieces(
        torch_piece("Dropout", "dropout", normal(6, 5), (normal(6, 5, seed=2) > -0.8).astype(float)),
        mistake("scale missing", "return dy * mask / 0.7", "return dy * mask", "x", r"0\.7 times"),
        mistake("mask missing", "return dy * mask / 0.7", "return dy / 0.7", "x", "mask"),
    ),
    *pieces(
        torch_piece("LayerNorm", "layer_norm", normal(5, 8), normal(8), normal(8, seed=1)),
        mistake("the mean's share forgotten", "(xhat * c1 + c2)", "xhat * c1", "x", "mean over axis 1"),
        mistake("n − 1 for n", "unbiased=False, ", "", "output, x, weight", r"√|\(n − 1\)|8/7|7/8|n − 1|unbiased"),
        mistake(
            "weight's share of the batch",
            "(dy * xhat).sum(0)",
            "(dy * xhat)[0]",
            "weight",
            "row 0|sum over axis 0",
        ),
    ),
    *pieces(
        jax_piece("rms_norm", normal(5, 8), normal(8)),
        mistake(
            "share forgotten", "(gdy - xhat * jnp.mean(gdy * xhat, axis=-1, keepdims=True))", "gdy", "x", "lacks|share"
        ),
        mistake("gain forgotten", "gdy = dyf * g.astype(jnp.float32)", "gdy = dyf", "x", r"lacks .*\bg\b"),
        mistake(
            "batch forgotten", "jnp.sum(dyf * xhat, axis=0)", "jnp.mean(dyf * xhat, axis=0)", "g", "5 times too small"
        ),
    ),
    *pieces(
        jax_piece("log1pexp", normal(5, 3)),
        mistake("other side", "(1 - 1 / (1 + e))", "(1 / (1 + e))", "x", "sigmoid|factor"),
        mistake("negated", "ct * (1 - 1 / (1 + e))", "-ct * (1 - 1 / (1 + e))", "x", "wrong sign"),
    ),
    *pieces(
        jax_piece("cross_entropy", normal(5, 3), TARGET),
        mistake("upstream forgotten", "g * (p - onehot)", "(p - onehot)", "logits", "upstream|dy"),
        mistake("1/n forgotten", " / logits.shape[0], None", ", None", "logits", "5 times too large"),
        mistake("label forgotten", "g * (p - onehot)", "g * p", "logits", "lacks - onehot"),
    ),
    *pieces(
        jax_piece("silu", normal(5, 3)),
        mistake("x forgotten", "s + x * s * (1 - s)", "s + s * (1 - s)", "x", "lacks|too much"),
    ),
    *pieces(
        jax_piece("matmul", normal(5, 4), normal(4, 3), normal(3)),
        mistake("transposed", "x.T @ g,", "(g.T @ x).T * 2,", "w", "2 times too large"),
        mistake("bias by mean", "g.sum(0)", "g.mean(0)", "b", "5 times too small"),
    ),
    *pieces(
        jax_piece("attention", normal(5, 4), normal(6, 4), normal(6, 3)),
        mistake("delta forgotten", "(do @ v.T - delta)", "(do @ v.T)", "q, k", "lacks"),
        mistake("scale forgotten", "- delta) * scale", "- delta)", "q, k", "2 times too large|√4"),
        mistake(
            "delta of the values",
            "delta = jnp.sum(do * o,",
            "delta = jnp.mean(do * o,",
            "q, k",
            "3 times|too much|lacks|mean",
        ),
    ),
    *pieces(
        jax_piece("cube", normal(5, 3), order=2),
        mistake(
            "graph dropped",
            "return (3 * x**2 * g,)",
            "return (3 * jax.lax.stop_gradient(x) ** 2 * g,)",
            "x",
            "second|twice|graph",
        ),
    ),
    *pieces(
        jax_piece("mlp", {"w": normal(4, 3), "b": normal(3)}, normal(5, 4)),
        mistake(
            "tanh' of the output's square root", "(1 - y**2)", "(1 - y)", "params['w'], params['b'], x", "factor|1 - y"
        ),
        mistake("bias by mean", "dz.sum(0)", "dz.mean(0)", "params['b']", "5 times too small"),
    ),
]
