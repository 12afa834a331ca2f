"""Functions for JAX with their own backward rule, each beside the plain function that it replaces."""

import jax
import jax.numpy as jnp


def rms_norm_reference(x, g):
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6) * g


@jax.custom_vjp
def rms_norm(x, g):
    return rms_norm_fwd(x, g)[0]


def rms_norm_fwd(x, g):
    """Computes in float32, whatever comes in."""
    xf = x.astype(jnp.float32)
    rstd = jax.lax.rsqrt(jnp.mean(xf**2, axis=-1, keepdims=True) + 1e-6)
    return (xf * rstd * g.astype(jnp.float32)).astype(x.dtype), (x, g, rstd)


def rms_norm_bwd(res, dy):
    x, g, rstd = res
    dyf = dy.astype(jnp.float32)
    xhat = x.astype(jnp.float32) * rstd
    gdy = dyf * g.astype(jnp.float32)
    dx = rstd * (gdy - xhat * jnp.mean(gdy * xhat, axis=-1, keepdims=True))
    dg = jnp.sum(dyf * xhat, axis=0)
    return dx.astype(x.dtype), dg.astype(g.dtype)


rms_norm.defvjp(rms_norm_fwd, rms_norm_bwd)


def log1pexp_reference(x):
    return jnp.logaddexp(x, 0.0)


@jax.custom_vjp
def log1pexp(x):
    return jnp.log1p(jnp.exp(x))


def log1pexp_fwd(x):
    e = jnp.exp(x)
    return jnp.log1p(e), e


def log1pexp_bwd(e, ct):
    return (ct * (1 - 1 / (1 + e)),)


log1pexp.defvjp(log1pexp_fwd, log1pexp_bwd)


def cross_entropy_reference(logits, labels):
    lse = jax.nn.logsumexp(logits, axis=-1)
    return jnp.mean(lse - jnp.take_along_axis(logits, labels[:, None], axis=-1)[:, 0])


@jax.custom_vjp
def cross_entropy(logits, labels):
    return cross_entropy_fwd(logits, labels)[0]


def cross_entropy_fwd(logits, labels):
    lse = jax.nn.logsumexp(logits, axis=-1)
    loss = jnp.mean(lse - jnp.take_along_axis(logits, labels[:, None], axis=-1)[:, 0])
    return loss, (logits, labels, lse)


def cross_entropy_bwd(res, g):
    logits, labels, lse = res
    p = jnp.exp(logits - lse[:, None])
    onehot = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return g * (p - onehot) / logits.shape[0], None


cross_entropy.defvjp(cross_entropy_fwd, cross_entropy_bwd)


def silu_reference(x):
    return x * jax.nn.sigmoid(x)


@jax.custom_vjp
def silu(x):
    return x * jax.nn.sigmoid(x)


def silu_bwd(x, g):
    s = jax.nn.sigmoid(x)
    return (g * (s + x * s * (1 - s)),)


silu.defvjp(lambda x: (silu(x), x), silu_bwd)


def matmul_reference(x, w, b):
    return x @ w + b


@jax.custom_vjp
def matmul(x, w, b):
    return x @ w + b


def matmul_bwd(res, g):
    x, w = res
    return g @ w.T, x.T @ g, g.sum(0)


matmul.defvjp(lambda x, w, b: (x @ w + b, (x, w)), matmul_bwd)


def attention_reference(q, k, v):
    return jax.nn.softmax(q @ k.T / jnp.sqrt(q.shape[-1]), axis=-1) @ v


@jax.custom_vjp
def attention(q, k, v):
    return attention_fwd(q, k, v)[0]


def attention_fwd(q, k, v):
    """Keeps the logarithm of the sums instead of the matrix of probabilities."""
    s = q @ k.T / jnp.sqrt(q.shape[-1])
    lse = jax.nn.logsumexp(s, axis=-1)
    o = jnp.exp(s - lse[:, None]) @ v
    return o, (q, k, v, o, lse)


def attention_bwd(res, do):
    q, k, v, o, lse = res
    scale = 1 / jnp.sqrt(q.shape[-1])
    p = jnp.exp(q @ k.T * scale - lse[:, None])
    delta = jnp.sum(do * o, axis=-1, keepdims=True)
    ds = p * (do @ v.T - delta) * scale
    return ds @ k, ds.T @ q, p.T @ do


attention.defvjp(attention_fwd, attention_bwd)


def cube_reference(x):
    return x**3


@jax.custom_vjp
def cube(x):
    return x**3


def cube_bwd(x, g):
    return (3 * x**2 * g,)


cube.defvjp(lambda x: (x**3, x), cube_bwd)


def mlp_reference(params, x):
    return jnp.tanh(x @ params["w"] + params["b"])


@jax.custom_vjp
def mlp(params, x):
    return mlp_fwd(params, x)[0]


def mlp_fwd(params, x):
    y = jnp.tanh(x @ params["w"] + params["b"])
    return y, (params, x, y)


def mlp_bwd(res, g):
    params, x, y = res
    dz = g * (1 - y**2)
    return {"w": x.T @ dz, "b": dz.sum(0)}, dz @ params["w"].T


mlp.defvjp(mlp_fwd, mlp_bwd)
