"""The optimisers of ``torch.optim``, which update in place; each is set up to mean the rule's formula."""

from collections.abc import Callable, Iterator
from functools import partial
from math import cos, inf, pi, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradparity.errors import unknown
from gradparity.runtime import Optimizer, UpdateRule
from gradparity.schedules import Cosine, LearningRate, StepDecay

Tensors = dict[str, Tensor]


class RMSpropInside(torch.optim.Optimizer):
    """RMSprop with ε inside of the root, where ``torch.optim.RMSprop`` has it outside."""

    def __init__(self, params: list[Tensor], rule: Any) -> None:
        super().__init__(params, {"lr": 1.0, "alpha": rule.decay, "eps": rule.eps, "weight_decay": rule.weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """v ← ρv + (1−ρ)g², p ← p − lr·g / √(v + ε)."""
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad.add(p, alpha=group["weight_decay"])
                v = self.state[p].setdefault("square_avg", torch.zeros_like(p))
                v.mul_(group["alpha"]).addcmul_(g, g, value=1 - group["alpha"])
                p.addcmul_(g, torch.rsqrt(v + group["eps"]), value=-group["lr"])


def rmsprop(params: list[Tensor], rule: Any) -> torch.optim.Optimizer:
    """PyTorch's, which has ε outside of the root; or with it inside."""
    if rule.eps_inside:
        return RMSpropInside(params, rule)
    return torch.optim.RMSprop(params, lr=1.0, alpha=rule.decay, eps=rule.eps, weight_decay=rule.weight_decay)


class AdamInside(torch.optim.Optimizer):
    """Adam, or AdamW, with ε inside of the root; the state is that of ``torch.optim.Adam``."""

    def __init__(self, params: list[Tensor], rule: Any) -> None:
        decays = {"weight_decay": rule.weight_decay, "decoupled": rule.name == "adamw"}
        super().__init__(params, {"lr": 1.0, "betas": (rule.beta1, rule.beta2), "eps": rule.eps, **decays})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """m and v as in Adam, p ← p − lr·m̂ / √(v̂ + ε)."""
        for group in self.param_groups:
            (beta1, beta2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
            for p in group["params"]:
                g = p.grad if group["decoupled"] else p.grad.add(p, alpha=decay)
                state = self.state[p]
                m, v = (state.setdefault(field, torch.zeros_like(p)) for field in ("exp_avg", "exp_avg_sq"))
                t = state["step"] = state.get("step", torch.tensor(0.0)) + 1
                m.lerp_(g, 1 - beta1)
                v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
                if group["decoupled"]:
                    p.mul_(1 - lr * decay)
                root = torch.sqrt(v / (1 - beta2 ** t.item()) + group["eps"])
                p.addcdiv_(m, root, value=-lr / (1 - beta1 ** t.item()))


def by_moments(kind: Any, params: list[Tensor], rule: Any) -> torch.optim.Optimizer:
    """PyTorch's Adam or AdamW, or ours; where the rule corrects nothing, as after infinitely many steps."""
    usual = {"betas": (rule.beta1, rule.beta2), "eps": rule.eps, "weight_decay": rule.weight_decay}
    found: torch.optim.Optimizer = AdamInside(params, rule) if rule.eps_inside else kind(params, lr=1.0, **usual)
    if not rule.bias_correction:
        for p in params:
            moments = {field: torch.zeros_like(p) for field in FIELDS[rule.name].values()}
            found.state[p] = {**moments, "step": torch.tensor(inf)}
    return found


RULES: dict[str, Callable[[list[Tensor], Any], torch.optim.Optimizer]] = {
    "sgd": lambda params, rule: torch.optim.SGD(
        params, lr=1.0, momentum=rule.momentum, nesterov=rule.nesterov, weight_decay=rule.weight_decay
    ),
    "adagrad": lambda params, rule: torch.optim.Adagrad(
        params, lr=1.0, eps=rule.eps, weight_decay=rule.weight_decay, initial_accumulator_value=rule.initial
    ),
    "rmsprop": rmsprop,
    "adam": partial(by_moments, torch.optim.Adam),
    "adamw": partial(by_moments, torch.optim.AdamW),
}
"""The rate is set before every step."""

FIELDS = {
    "sgd": {"velocity": "momentum_buffer"},
    "adagrad": {"squares": "sum"},
    "rmsprop": {"v": "square_avg"},
    "adam": {"m": "exp_avg", "v": "exp_avg_sq"},
    "adamw": {"m": "exp_avg", "v": "exp_avg_sq"},
}
"""What a rule remembers -> where PyTorch's optimiser keeps it."""

# Measured on two cores, with MKL.
NARROW = 16
"""Matrices with fewer columns than this are kept column by column."""


def learning_rate(lr: LearningRate, step: int) -> float:
    """Return the rate of a step, which ``LambdaLR`` would be given; the first step is 0."""
    match lr:
        case StepDecay(initial, every, factor):
            return initial * float(factor ** (step // every))
        case Cosine(peak, steps, warmup, final):
            rising = (step + 1) / warmup if warmup else 1.0
            falling = 0.5 * (1.0 + cos(pi * max(0, min(step, steps) - warmup) / (steps - warmup)))
            return peak * (rising if step < warmup else final + (1.0 - final) * falling)
    return lr


def clip(gradients: Tensors, value: float, largest: float) -> Tensors:
    """Cut entries off; scale gradients whose common norm is larger. ``clip_grad_norm_`` would add 1e-6 to the norm."""
    if value < inf:
        gradients = {name: gradient.clamp(-value, value) for name, gradient in gradients.items()}
    if largest == inf:
        return gradients
    norm = torch.nn.utils.get_total_norm(gradients.values())
    scale = torch.clamp(largest / norm, max=1.0)
    return {name: gradient * scale for name, gradient in gradients.items()}


def optimizer(rule: UpdateRule) -> Optimizer:
    """Return the optimiser of a rule. Raises UsageError for one that is not here."""
    if rule.name not in RULES:
        raise unknown("optimizer of PyTorch", rule.name, RULES)
    settings: Any = rule
    # With the rate inside the velocity, PyTorch's own rate is 1, and it is given lr·(g + λp) for the gradient.
    inside = rule.name == "sgd" and settings.lr_in_velocity
    fields = {name: FIELDS[rule.name][name] for name in rule.memory}

    def start(params: Tensors) -> tuple[Tensors, Memory]:
        kept = {name: _laid_out(value) for name, value in params.items()}
        return kept, Memory(tuple(kept), RULES[rule.name](list(kept.values()), rule))

    def update(kept: Tensors, gradients: Tensors, memory: Memory, step: int) -> tuple[Tensors, Memory]:
        gradients, lr = clip(gradients, settings.clip_value, settings.clip_norm), learning_rate(settings.lr, step)
        (group,) = memory.optimizer.param_groups
        if inside:
            gradients = {name: lr * (g + settings.weight_decay * kept[name]) for name, g in gradients.items()}
            group["weight_decay"] = 0.0
        else:
            group["lr"] = lr
        if getattr(settings, "eps_hat", False) and settings.bias_correction:
            group["eps"] = settings.eps / sqrt(1 - settings.beta2 ** (step + 1))  # PyTorch's stands beside √v̂
        for name, value in kept.items():
            value.grad = gradients[name]
        memory.optimizer.step()
        return kept, memory

    def remembered(memory: Memory) -> Tensors:
        return {
            f"{name}.{param}": memory.optimizer.state.get(value, {}).get(field, torch.zeros_like(value))
            for name, field in fields.items()
            for param, value in memory.params()
        }

    def recall(memory: Memory, arrays: Tensors, step: int) -> Memory:
        for param, value in memory.params() if fields else ():
            held = {field: torch.empty_like(value).copy_(arrays[f"{name}.{param}"]) for name, field in fields.items()}
            if rule.name != "sgd":
                held["step"] = torch.tensor(float(step) if getattr(settings, "bias_correction", True) else inf)
            memory.optimizer.state[value] = held
        return memory

    return Optimizer(start, update, remembered=remembered, recall=recall)


class Memory(NamedTuple):
    """PyTorch's optimiser, and the names of its parameters in its order."""

    names: tuple[str, ...]
    optimizer: torch.optim.Optimizer

    def params(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each parameter with its name."""
        (group,) = self.optimizer.param_groups
        yield from zip(self.names, group["params"], strict=True)


def _laid_out(value: Tensor) -> Tensor:
    """Return a parameter in the layout in which the matrix products are fast."""
    # With x (256, 784), a product with W (784, 10) takes a third of the time when W's columns are contiguous, and
    # autograd returns dW in the same layout. From 16 columns on, rows are as fast or faster.
    if value.ndim == 2 and value.shape[1] < NARROW:
        return value.T.clone(memory_format=torch.contiguous_format).T
    return value
