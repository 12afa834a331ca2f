"""RMS normalisation in Triton, forward and backward, checked on a machine without a GPU.

    TRITON_INTERPRET=1 python examples/kernels/triton_rms_norm.py

y = x r w with r = (mean(x²) + ε)^(−1/2), over the last axis (Zhang & Sennrich 2019, arXiv:1910.07467). With x̂ = x r and
g = dy w:  dx = r (g − x̂ mean(g x̂)),  dw = the sum of dy x̂ over the rows.
"""

import torch
import triton
import triton.language as tl

from gradparity import check_autograd_function

EPS = 1e-6


@triton.jit
def forward_kernel(x, weight, y, scale, width, eps, ACCUMULATE: tl.constexpr, BLOCK: tl.constexpr):
    """One program a row."""
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    a = tl.load(x + row * width + columns, mask=inside, other=0.0).to(ACCUMULATE)
    w = tl.load(weight + columns, mask=inside, other=0.0).to(ACCUMULATE)
    r = 1 / tl.sqrt(tl.sum(a * a, axis=0) / width + eps)
    tl.store(scale + row, r)
    tl.store(y + row * width + columns, a * r * w, mask=inside)


@triton.jit
def backward_kernel(x, weight, scale, dy, dx, dw_rows, width, ACCUMULATE: tl.constexpr, BLOCK: tl.constexpr):
    """One program a row; each leaves its own share of dw."""
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    a = tl.load(x + row * width + columns, mask=inside, other=0.0).to(ACCUMULATE)
    w = tl.load(weight + columns, mask=inside, other=0.0).to(ACCUMULATE)
    g = tl.load(dy + row * width + columns, mask=inside, other=0.0).to(ACCUMULATE)
    r = tl.load(scale + row)
    normed = a * r
    share = tl.sum(g * w * normed, axis=0) / width
    tl.store(dx + row * width + columns, r * (g * w - normed * share), mask=inside)
    tl.store(dw_rows + row * width + columns, g * normed, mask=inside)


class RMSNorm(torch.autograd.Function):
    """y (n, width) of x (n, width) and weight (width,)."""

    @staticmethod
    def forward(ctx, x, weight):
        x, weight = x.contiguous(), weight.contiguous()
        n, width = x.shape
        wide = torch.promote_types(x.dtype, torch.float32)
        y, scale = torch.empty_like(x), torch.empty(n, dtype=wide)
        forward_kernel[(n,)](x, weight, y, scale, width, EPS, **options(wide, width))
        ctx.save_for_backward(x, weight, scale)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, weight, scale = ctx.saved_tensors
        n, width = x.shape
        dx, dw_rows = torch.empty_like(x), torch.empty_like(x, dtype=scale.dtype)
        kernel_options = options(scale.dtype, width)
        backward_kernel[(n,)](x, weight, scale, dy.contiguous(), dx, dw_rows, width, **kernel_options)
        return dx, dw_rows.sum(0).to(weight.dtype)


def options(dtype, width):
    return {
        "ACCUMULATE": tl.float64 if dtype == torch.float64 else tl.float32,
        "BLOCK": triton.next_power_of_2(width),
    }


def rms_norm(x, weight):
    """The plain function that the kernel replaces."""
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + EPS) * weight


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(4, 6, generator=generator), torch.randn(6, generator=generator)
    report = check_autograd_function(RMSNorm, rms_norm, x, weight)
    print(report)
    report.assert_ok()
