"""Gradients derived by hand beside gradients derived by a machine.

    >>> import gradparity
    >>> gradparity.check("softmax_regression").assert_ok()
    >>> spec = gradparity.SoftmaxRegression(features=64, classes=10)
    >>> model = gradparity.backend("numpy").model(spec)

Importing this package imports no backend, and so neither JAX nor PyTorch; its names are loaded when they are used.
"""

from typing import TYPE_CHECKING

from gradparity.errors import UsageError

if TYPE_CHECKING:
    from gradparity.models import MLP, SoftmaxRegression
    from gradparity.registry import backend
    from gradparity.subjects.autograd_function import check_autograd_function
    from gradparity.subjects.custom_vjp import check_custom_vjp
    from gradparity.subjects.plain import check_code
    from gradparity.subjects.specs import check
    from gradparity.subjects.vjp import check_vjp
    from gradparity.testing import assert_code_gradients_agree, assert_gradients_agree
else:
    _HOMES = {
        "MLP": "gradparity.models",
        "SoftmaxRegression": "gradparity.models",
        "assert_code_gradients_agree": "gradparity.testing",
        "assert_gradients_agree": "gradparity.testing",
        "backend": "gradparity.registry",
        "check": "gradparity.subjects.specs",
        "check_autograd_function": "gradparity.subjects.autograd_function",
        "check_code": "gradparity.subjects.plain",
        "check_custom_vjp": "gradparity.subjects.custom_vjp",
        "check_vjp": "gradparity.subjects.vjp",
        "load_ipython_extension": "gradparity.jupyter",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'gradparity' has no attribute '{name}'")
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "MLP",
    "SoftmaxRegression",
    "UsageError",
    "assert_code_gradients_agree",
    "assert_gradients_agree",
    "backend",
    "check",
    "check_autograd_function",
    "check_code",
    "check_custom_vjp",
    "check_vjp",
]
__version__ = "0.1.0"
