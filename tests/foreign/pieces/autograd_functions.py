"""Fused kernels for PyTorch, as torch.autograd.Function, each with the plain function that it replaces."""

import math

import torch
import torch.nn.functional as F


def rms_norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight


class RMSNorm(torch.autograd.Function):
    """Computes in float32, whatever comes in."""

    @staticmethod
    def forward(ctx, x, weight):
        xf = x.float()
        rstd = torch.rsqrt(xf.pow(2).mean(-1, keepdim=True) + 1e-6)
        ctx.save_for_backward(x, weight, rstd)
        return (xf * rstd * weight.float()).to(x.dtype)

    @staticmethod
    def backward(ctx, dy):
        x, weight, rstd = ctx.saved_tensors
        dyf = dy.float()
        xhat = x.float() * rstd
        wdy = dyf * weight.float()
        dx = rstd * (wdy - xhat * (wdy * xhat).mean(-1, keepdim=True))
        dw = (dyf * xhat).sum(0)
        return dx.to(x.dtype), dw.to(weight.dtype)


def silu(x):
    return x * torch.sigmoid(x)


class SiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        xf = x.float()
        return (xf / (1 + torch.exp(-xf))).to(x.dtype)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        xf = x.float()
        s = torch.sigmoid(xf)
        return (dy.float() * s * (1 + xf * (1 - s))).to(x.dtype)


def swiglu(a, b):
    return silu(a) * b


class SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return F.silu(a) * b

    @staticmethod
    def backward(ctx, dc):
        a, b = ctx.saved_tensors
        sig_a = torch.sigmoid(a)
        silu_a = a * sig_a
        db = dc * silu_a
        da = dc * (silu_a * (1 - sig_a) + sig_a) * b
        return da, db


def gelu(x):
    return F.gelu(x, approximate="tanh")


class Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return 0.5 * x * (1 + torch.tanh(u))

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        t = torch.tanh(u)
        du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
        return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * du)


def cross_entropy(logits, target):
    return F.cross_entropy(logits, target)


class CrossEntropy(torch.autograd.Function):
    """Makes the gradient while it is in the forward pass, and keeps only that."""

    @staticmethod
    def forward(ctx, logits, target):
        n = logits.shape[0]
        lse = torch.logsumexp(logits, dim=-1)
        rows = torch.arange(n)
        loss = (lse - logits[rows, target]).mean()
        grad = torch.exp(logits - lse[:, None])
        grad[rows, target] -= 1
        ctx.save_for_backward(grad / n)
        return loss

    @staticmethod
    def backward(ctx, dloss):
        (grad,) = ctx.saved_tensors
        return grad * dloss, None


def linear(x, weight, bias):
    return x @ weight.t() + bias


class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return x.mm(weight.t()) + bias

    @staticmethod
    def backward(ctx, grad_output):
        x, weight = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(x)
        if ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


def row_max(x):
    return x.max(dim=1)


class RowMax(torch.autograd.Function):
    """Returns where the maximum was, too."""

    @staticmethod
    def forward(ctx, x):
        values, indices = x.max(dim=1)
        ctx.save_for_backward(indices)
        ctx.shape = x.shape
        ctx.mark_non_differentiable(indices)
        return values, indices

    @staticmethod
    def backward(ctx, dvalues, _):
        (indices,) = ctx.saved_tensors
        dx = torch.zeros(ctx.shape, dtype=dvalues.dtype)
        dx.scatter_(1, indices[:, None], dvalues[:, None])
        return dx


def embedding(table, tokens):
    return table[tokens]


class Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, table, tokens):
        ctx.save_for_backward(tokens)
        ctx.rows = table.shape[0]
        return table[tokens]

    @staticmethod
    def backward(ctx, dy):
        (tokens,) = ctx.saved_tensors
        dtable = torch.zeros(ctx.rows, dy.shape[-1], dtype=dy.dtype)
        dtable.index_add_(0, tokens, dy)
        return dtable, None


def exp(x):
    return torch.exp(x)


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y


def cube(x):
    return x**3


class Cube(torch.autograd.Function):
    """May be differentiated twice."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return 3 * x * x * dy


def dropout(x, mask):
    return x * mask / 0.7


class Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, mask):
        ctx.save_for_backward(mask)
        return x * mask / 0.7

    @staticmethod
    def backward(ctx, dy):
        (mask,) = ctx.saved_tensors
        return dy * mask / 0.7, None


def layer_norm(x, weight, bias):
    return F.layer_norm(x, (x.shape[-1],), weight, bias)


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        mean = x.mean(-1, keepdim=True)
        rstd = torch.rsqrt(x.var(-1, unbiased=False, keepdim=True) + 1e-5)
        ctx.save_for_backward(x, weight, mean, rstd)
        return (x - mean) * rstd * weight + bias

    @staticmethod
    def backward(ctx, dy):
        x, weight, mean, rstd = ctx.saved_tensors
        xhat = (x - mean) * rstd
        wdy = weight * dy
        c1 = (xhat * wdy).mean(-1, keepdim=True)
        c2 = wdy.mean(-1, keepdim=True)
        dx = (wdy - (xhat * c1 + c2)) * rstd
        return dx, (dy * xhat).sum(0), dy.sum(0)


def t5_norm(x, weight, eps=1e-6):
    return weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps))


class T5Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, eps=1e-6):
        inv = torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
        ctx.save_for_backward(x, weight, inv)
        return weight * (x * inv)

    @staticmethod
    def backward(ctx, grad):
        x, weight, inv = ctx.saved_tensors
        grad_hat = grad * weight
        grad_x = inv * (grad_hat - x * inv**2 * (grad_hat * x).mean(-1, keepdim=True))
        grad_weight = (grad * x * inv).flatten(0, -2).sum(0)
        return grad_x, grad_weight, None
