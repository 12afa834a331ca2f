"""A function and the backward rule that you wrote for it: does the rule give the function's gradient?

    >>> from gradparity.subjects.pairs import check_vjp
    >>> check_vjp(lambda x: x**3, lambda x, dy: 3 * x**2 * dy, np.array([1.0, -2.0])).assert_ok()

Importing this package imports neither JAX nor PyTorch: each is imported when a check needs it.
"""

from gradparity.subjects.pairs.autograd_function import check_autograd_function
from gradparity.subjects.pairs.custom_vjp import check_custom_vjp
from gradparity.subjects.pairs.report import PairReport
from gradparity.subjects.pairs.vjp import check_vjp

__all__ = ["PairReport", "check_autograd_function", "check_custom_vjp", "check_vjp"]
