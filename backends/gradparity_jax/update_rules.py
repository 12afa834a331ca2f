"""The optimisers as optax has them, on parameters of which each matrix lies transposed: W as (outputs, inputs).

XLA then computes the gradient as dWᵀ = dZᵀX, (outputs, n)·(n, inputs), where its CPU code for dW = XᵀdZ is several
times slower for few outputs. The model still sees W: the compiler folds the transposes into the products.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax.tree_utils import NamedTupleKey, tree_get, tree_get_all_with_path, tree_set

from gradparity.errors import unknown
from gradparity.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from gradparity.protocol import Array
from gradparity.runtime import Optimizer, UpdateRule
from gradparity.schedules import Cosine, LearningRate, StepDecay

Arrays = dict[str, Array]

FIELDS = {"velocity": "trace", "squares": "sum_of_squares", "m": "mu", "v": "nu"}
"""What a rule remembers -> the field of optax's state that holds it."""


def sgd(rule: SGD) -> optax.GradientTransformation:
    """optax.sgd; with the rate inside the velocity, optax's parts in that order."""
    lr = learning_rate(rule.lr)
    if rule.lr_in_velocity and rule.momentum:
        velocity = optax.trace(rule.momentum, rule.nesterov)
        return optax.chain(optax.scale_by_learning_rate(lr, flip_sign=False), velocity, optax.scale(-1))
    return optax.sgd(lr, momentum=rule.momentum or None, nesterov=rule.nesterov)


def adagrad(rule: Adagrad) -> optax.GradientTransformation:
    """Adagrad with ε outside the square root, for optax.adagrad has it inside."""

    def start(params: Arrays) -> optax.ScaleByRssState:
        return optax.ScaleByRssState(sum_of_squares=optax.tree.full_like(params, rule.initial))

    def scaled(g: Array, squares: Array) -> Array:
        root = jnp.sqrt(squares) + rule.eps
        return jnp.where(root > 0, g / jnp.where(root > 0, root, 1), 0)

    def update(gradients: Arrays, state: optax.ScaleByRssState, _: Any = None) -> tuple[Arrays, optax.ScaleByRssState]:
        squares = jax.tree.map(lambda s, g: s + g * g, state.sum_of_squares, gradients)
        return jax.tree.map(scaled, gradients, squares), optax.ScaleByRssState(sum_of_squares=squares)

    rescaled = optax.GradientTransformation(start, update)
    return optax.chain(rescaled, optax.scale_by_learning_rate(learning_rate(rule.lr)))


def rmsprop(rule: RMSprop) -> optax.GradientTransformation:
    """optax.rmsprop, told where ε stands."""
    return optax.rmsprop(learning_rate(rule.lr), decay=rule.decay, eps=rule.eps, eps_in_sqrt=rule.eps_inside)


def adam(rule: Adam) -> optax.GradientTransformation:
    """optax.adam."""
    return optax.chain(by_moments(rule), optax.scale_by_learning_rate(learning_rate(rule.lr)))


def adamw(rule: AdamW) -> optax.GradientTransformation:
    """optax.adamw."""
    decay = optax.add_decayed_weights(rule.weight_decay)
    return optax.chain(by_moments(rule), decay, optax.scale_by_learning_rate(learning_rate(rule.lr)))


def by_moments(rule: Adam | AdamW) -> optax.GradientTransformation:
    """optax.scale_by_adam; with ε̂, or without the correction, which optax does not have, on the same state."""
    outside, inside = (0.0, rule.eps) if rule.eps_inside else (rule.eps, 0.0)
    usual = optax.scale_by_adam(rule.beta1, rule.beta2, outside, inside)
    if rule.bias_correction and not rule.eps_hat:
        return usual

    def update(
        gradients: Arrays, state: optax.ScaleByAdamState, _: Any = None
    ) -> tuple[Arrays, optax.ScaleByAdamState]:
        count = state.count + 1
        mu = optax.tree.update_moment(gradients, state.mu, rule.beta1, 1)
        nu = optax.tree.update_moment(gradients, state.nu, rule.beta2, 2)
        t = jnp.asarray(count, float)
        rate = jnp.sqrt(1 - rule.beta2**t) / (1 - rule.beta1**t) if rule.bias_correction else 1.0
        scaled = jax.tree.map(lambda m, v: jnp.asarray(rate, m.dtype) * m / (jnp.sqrt(v + inside) + outside), mu, nu)
        return scaled, optax.ScaleByAdamState(count=count, mu=mu, nu=nu)

    return optax.GradientTransformation(usual.init, update)


RULES: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": sgd,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
}


def learning_rate(lr: LearningRate) -> float | optax.Schedule:
    """Return optax's schedule, or the rate that stays."""
    match lr:
        case StepDecay(initial, every, factor):
            return _precise(optax.exponential_decay(initial, every, factor, staircase=True))
        case Cosine(peak, steps, warmup, final):
            # With a warm-up of one step, that step has the peak already.
            rise = optax.linear_schedule(peak / max(warmup, 1), peak, max(warmup - 1, 1))
            fall = optax.cosine_decay_schedule(peak, steps - warmup, alpha=final)
            return _precise(optax.join_schedules([rise, fall], [warmup]))
    return lr


def _precise(schedule: optax.Schedule) -> optax.Schedule:
    # Given a whole number, optax computes the rate in float32 whatever the parameters are.
    return lambda step: schedule(jnp.asarray(step, float))


def transformation(rule: Any) -> optax.GradientTransformation:
    """Return all that optax does with the gradients: it clips them, and adds the penalty's, before the rule."""
    before = [] if rule.clip_value == inf else [optax.clip(rule.clip_value)]
    before += [] if rule.clip_norm == inf else [optax.clip_by_global_norm(rule.clip_norm)]
    if rule.weight_decay and not isinstance(rule, AdamW):
        before.append(optax.add_decayed_weights(rule.weight_decay))
    return optax.chain(*before, RULES[rule.name](rule))


def transposed(params: Arrays) -> Arrays:
    """Turn every matrix round."""
    return {name: value.T for name, value in params.items()}


def optimizer(rule: UpdateRule) -> Optimizer:
    """Return optax's rule. Raises UsageError for one that is not here."""
    if rule.name not in RULES:
        raise unknown("optimizer of JAX", rule.name, RULES)
    transform = transformation(rule)

    def start(params: Arrays) -> tuple[Arrays, Any]:
        kept = transposed(params)
        return kept, transform.init(kept)

    def update(kept: Arrays, gradients: Arrays, memory: Any, _: Any) -> tuple[Arrays, Any]:
        updates, memory = transform.update(transposed(gradients), memory, kept)
        return optax.apply_updates(kept, updates), memory

    def remembered(memory: Any) -> Arrays:
        return {
            f"{name}.{param}": value.T
            for name in rule.memory
            for param, value in tree_get(memory, FIELDS[name], filtering=_is_field).items()
        }

    def recall(memory: Any, arrays: Arrays, step: int) -> Any:
        held: dict[str, Any] = {FIELDS[name]: transposed(_of(name, arrays)) for name in rule.memory}
        if tree_get_all_with_path(memory, "count", _is_field):
            held["count"] = jnp.asarray(step, jnp.int32)
        # Two counts must not be one buffer, which a step would be given twice.
        return jax.tree.map(jnp.copy, tree_set(memory, _is_field, **held)) if held else memory

    return Optimizer(start, update, transposed, remembered, recall)


def _of(name: str, arrays: Arrays) -> Arrays:
    return {key.removeprefix(f"{name}."): value for key, value in arrays.items() if key.startswith(f"{name}.")}


# A parameter may be called "mu": only a field of a state is meant.
def _is_field(path: Sequence[Any], _: Any) -> bool:
    return isinstance(path[-1], NamedTupleKey)
