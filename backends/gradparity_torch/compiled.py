"""The backend ``torch-compile``: the same mathematics as ``torch``, forward and backward compiled by Inductor.

PyTorch's name for the compiler that ``torch.compile`` uses by default is Inductor; on a CPU it writes C++.
"""

from collections.abc import Callable
from typing import Any

import torch

from gradparity.errors import UsageError
from gradparity.model import RuntimeBackend
from gradparity.protocol import Batch, ModelSpec
from gradparity.runtime import ModelFunctions
from gradparity_torch import autodiff
from gradparity_torch.runtime import TorchRuntime


def functions(spec: ModelSpec) -> ModelFunctions:
    """Return the model's mathematics on PyTorch tensors, each function compiled at its first call for each batch size.

    The trace is not compiled: a compiled program has no place for most named values, for it fuses them away.
    Raises UsageError for a spec that backend ``torch`` does not have, and where there is no C++ compiler.
    """
    eager = autodiff.functions(spec)
    _require_compiler()
    observing = eager.observing
    return ModelFunctions(
        value_and_grad=_compiled(eager.value_and_grad),
        loss=eager.loss and _compiled(eager.loss),
        predict=eager.predict and _compiled(eager.predict),
        trace=eager.trace,
        observing=observing and (lambda names: _compiled(observing(names))),
    )


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    # PyTorch's compiler takes seconds to import: not where backends are only listed.
    from torch._dynamo.exc import TorchDynamoException

    programs: dict[Any, Callable[..., Any]] = {}

    def call(params: Any, data: Any, *extras: Any) -> Any:
        arrays = [data.x, data.y, *data.extras.values()] if isinstance(data, Batch) else [data]
        arrays += [array for named in extras for array in named.values()]
        key = tuple((array.shape, array.dtype) for array in arrays)
        if key not in programs:
            programs[key] = _program(function)
        try:
            return programs[key](params, data, *extras)
        except TorchDynamoException as error:
            raise UsageError(f"torch.compile cannot compile this model: {_reason(error)}") from error

    return call


def _program(function: Callable[..., Any]) -> Callable[..., Any]:
    from torch._dynamo import nonstrict_trace

    # The function is run once on stand-ins for tensors, and what it does is compiled, as jax.jit has it. Dynamo
    # would read its bytecode instead, and stop at torch.autograd.grad and at decorators.
    traced = nonstrict_trace(function)

    def program(params: Any, data: Any, *extras: Any) -> Any:
        return traced(params, data, *extras)

    # PyTorch compiles at most eight times for one code object, whatever functions are made from it: let each have one.
    program.__code__ = program.__code__.replace()
    return torch.compile(program, fullgraph=True, dynamic=False)


def _reason(error: BaseException) -> str:
    """Return the first line of the exception that began it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0]


def _require_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise UsageError(
            "backend 'torch-compile' needs a C++ compiler, and PyTorch found none: install g++ "
            "(Debian and Ubuntu: apt install g++), or name one in the environment variable CXX"
        ) from error


backend = RuntimeBackend("torch-compile", "machine", functions, TorchRuntime())
