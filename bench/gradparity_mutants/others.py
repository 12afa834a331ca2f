"""What other gradient checkers say of a derivation, with their default tolerances.

Both see what they are made to see: the loss as a function of the parameters, with the hand-written gradient as its
backward rule. They compare that gradient with finite differences of the loss that the derivation itself computes.
"""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.test_util
import numpy as np
import torch

from gradparity.protocol import Array, Batch, Dtype, HandDerivation, Params
from gradparity_mutants.plant import Keyed, chain
from gradparity_mutants.trial import Trial, batch_in


def gradcheck_objects(trial: Trial, hand: HandDerivation, dtype: Dtype) -> bool:
    """Say whether ``torch.autograd.gradcheck`` rejects the derivation."""
    names = list(trial.problem.params)
    batch = batch_in(trial.problem.batch, dtype)

    def arrays(params: tuple[torch.Tensor, ...]) -> Params:
        return dict(zip(names, (p.detach().numpy() for p in params), strict=True))

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *params: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(*params)
            return torch.tensor(_loss(hand, arrays(params), batch))

        @staticmethod
        def backward(ctx: Any, upstream: torch.Tensor) -> Any:
            d = _gradients(hand, arrays(ctx.saved_tensors), batch)
            return tuple(upstream * torch.from_numpy(np.array(d[name])) for name in names)

    params = [torch.from_numpy(trial.problem.params[name].astype(dtype)).requires_grad_() for name in names]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not a double precision.*")
        return not torch.autograd.gradcheck(Loss.apply, params, raise_exception=False)


def check_grads_objects(trial: Trial, hand: HandDerivation, dtype: Dtype) -> bool:
    """Say whether ``jax.test_util.check_grads`` rejects the derivation, in reverse mode and to first order."""
    batch = batch_in(trial.problem.batch, dtype)

    # check_grads calls these on concrete arrays, so NumPy can compute them.
    def arrays(params: dict[str, Any]) -> Params:
        return {name: np.asarray(p) for name, p in params.items()}

    @jax.custom_vjp
    def loss(params: dict[str, Any]) -> Any:
        return jax.numpy.asarray(_loss(hand, arrays(params), batch))

    def backward(params: dict[str, Any], upstream: Any) -> Any:
        d = _gradients(hand, arrays(params), batch)
        return ({name: upstream * np.asarray(d[name]) for name in params},)

    loss.defvjp(lambda params: (loss(params), params), backward)
    with jax.enable_x64(dtype == "float64"):
        params = {name: jax.numpy.asarray(p, dtype) for name, p in trial.problem.params.items()}
        try:
            jax.test_util.check_grads(loss, (params,), order=1, modes=["rev"])  # type: ignore[no-untyped-call]
        except AssertionError:
            return True
    return False


def _loss(hand: HandDerivation, params: Params, batch: Batch) -> Array:
    c: Keyed = {}
    with np.errstate(all="ignore"):
        hand.forward(params, batch, c)
    return c["loss"]


def _gradients(hand: HandDerivation, params: Params, batch: Batch) -> Keyed:
    with np.errstate(all="ignore"):
        return chain(hand, params, batch)[1]


OTHERS: dict[str, tuple[Callable[[Trial, HandDerivation, Dtype], bool], Dtype]] = {
    "gradcheck float64": (gradcheck_objects, "float64"),
    "gradcheck float32": (gradcheck_objects, "float32"),
    "check_grads float64": (check_grads_objects, "float64"),
    "check_grads float32": (check_grads_objects, "float32"),
}
"""Checker and dtype -> whether it rejects a derivation. gradcheck's tolerances are made for float64."""
