"""bfloat16 and float16: a right kernel agrees over many seeds, a wrong one does not, and what is seen is said."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity import UsageError, check_autograd_function, check_custom_vjp, check_vjp
from gradparity.parity import Report
from gradparity.parity.rows import Short
from gradparity.parity.short_floats import rounded

torch = pytest.importorskip("torch")
EPS = 1e-6
SHORT: list[Short] = ["bfloat16", "float16"]


def rms_norm(x: Any, w: Any) -> Any:
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + EPS) * w


def kernel(spoil: Callable[[Any, Any], Any] = lambda dx, dw: (dx, dw), *, wide: bool = True) -> Any:
    """Short numbers in and out, and float32 inside if it is ``wide``."""

    class Kernel(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            a = x.to(torch.promote_types(x.dtype, torch.float32)) if wide else x
            r = torch.rsqrt((a * a).mean(-1, keepdim=True) + EPS)
            ctx.save_for_backward(x, w, r)
            return (a * r * w).to(x.dtype)

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            x, w, r = ctx.saved_tensors
            normed, g = x.to(r.dtype) * r, dy.to(r.dtype)
            dx = r * (g * w - normed * (g * w * normed).mean(-1, keepdim=True))
            dx, dw = spoil(dx, (g * normed).sum(0))
            return dx.to(x.dtype), dw.to(w.dtype)

    return Kernel


def check(kernel: Any, lane: Short, seed: int = 0) -> Report:
    rng = np.random.default_rng(seed)
    return check_autograd_function(kernel, rms_norm, rng.normal(size=(7, 16)), rng.normal(size=16), lanes=[lane])


@pytest.mark.parametrize("lane", SHORT)
@pytest.mark.parametrize("wide", [True, False], ids=["float32 inside", "short inside"])
def test_a_right_kernel_agrees_over_many_seeds(lane: Short, *, wide: bool) -> None:
    for seed in range(6):
        check(kernel(wide=wide), lane, seed).assert_ok()


@pytest.mark.parametrize("lane", SHORT)
def test_three_per_cent_are_seen_over_many_seeds_and_half_a_per_cent_is_not_in_bfloat16(lane: Short) -> None:
    for seed in range(6):
        report = check(kernel(lambda dx, dw: (1.03 * dx, dw)), lane, seed)
        assert {row.line for row in report.disagreements} == {"x"}
    assert check(kernel(lambda dx, dw: (1.005 * dx, dw)), "bfloat16").agrees


def test_a_sum_that_is_rounded_at_every_term_is_told() -> None:
    def term_by_term(dx: Any, dw: Any) -> Any:
        total = torch.zeros((), dtype=torch.bfloat16)
        for _ in range(400):  # each term is smaller than half a unit in the last place of the sum
            total = total + torch.tensor(1.0, dtype=torch.bfloat16)
        return dx, dw * (total.to(dw.dtype) / 400)

    report = check(kernel(term_by_term), "bfloat16")
    with pytest.raises(AssertionError, match=r"dw has \d+\.\d times the error of plain PyTorch in bfloat16, and up"):
        report.assert_ok()


def test_the_tolerances_that_are_given_hold_for_the_kernel_and_not_for_a_wrong_one() -> None:
    report = check(kernel(), "bfloat16")
    (said,) = [remark for remark in report.remarks if remark.startswith("dx has ")]
    found = re.search(
        r"a bug below (.*)% is invisible here: torch.testing.assert_close\(…, rtol=(.*), atol=(.*)\)$", said
    )
    assert found is not None
    percent, rtol, atol = map(float, found.groups())
    (row,) = [row for row in report.rows if row.line == "x"]
    assert percent == pytest.approx(100 * row.limit, abs=0.06)
    rng = np.random.default_rng(0)
    x, w, dy = (rounded(rng.normal(size=shape), "bfloat16") for shape in ((7, 16), (16,), (7, 16)))
    right = gradient(rms_norm, x, w, dy, torch.float64)
    own = gradient(kernel().apply, x, w, dy, torch.bfloat16)
    torch.testing.assert_close(own.double(), right, rtol=rtol, atol=atol)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(1.2 * own.double(), right, rtol=rtol, atol=atol)


def gradient(f: Any, x: np.ndarray, w: np.ndarray, dy: np.ndarray, dtype: Any) -> Any:
    leaf = torch.tensor(x).to(dtype).requires_grad_()
    f(leaf, torch.tensor(w).to(dtype)).backward(torch.tensor(dy).to(dtype))
    return leaf.grad


def test_a_kernel_that_refuses_the_dtype_is_not_checked_with_its_reason() -> None:
    class Float32Only(kernel()):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            if x.dtype == torch.bfloat16:
                raise TypeError("float32 only")
            return kernel().forward(ctx, x, w)

    report = check(Float32Only, "bfloat16")
    with pytest.raises(AssertionError, match="bfloat16 of Float32Only is not checked: it does not run in bfloat16: "):
        report.assert_ok()


def test_plain_code_that_overflows_is_no_measure() -> None:
    report = check_autograd_function(cube(), lambda x: x**3, np.array([100.0, 200.0, 300.0]), lanes=["float16"])
    with pytest.raises(AssertionError, match="is not checked: plain PyTorch in float16 is NaN or infinite at these"):
        report.assert_ok()


def cube() -> Any:
    class Cube(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            return 3 * ctx.saved_tensors[0] ** 2 * dy

    return Cube


def test_jax_rules_have_the_lane_too() -> None:
    jax = pytest.importorskip("jax")

    def rule(factor: float) -> Any:
        silu = jax.custom_vjp(jax.nn.silu)

        def backward(x: Any, dy: Any) -> Any:
            a, g = x.astype(jax.numpy.float32), dy.astype(jax.numpy.float32)
            s = jax.nn.sigmoid(a)
            return ((factor * g * s * (1 + a * (1 - s))).astype(x.dtype),)

        silu.defvjp(lambda x: (jax.nn.silu(x), x), backward)
        return silu

    x = np.random.default_rng(0).normal(size=(5, 7))
    report = check_custom_vjp(rule(1.0), jax.nn.silu, x, lanes=["bfloat16"])
    report.assert_ok()
    assert any(re.match(r"dx has .* of plain JAX in bfloat16; .*np.testing.assert_all", r) for r in report.remarks)
    wrong = check_custom_vjp(rule(1.05), jax.nn.silu, x, lanes=["bfloat16"])
    assert {row.line for row in wrong.disagreements} == {"x"}


@pytest.mark.parametrize(("factor", "agrees"), [(1.0, True), (1.05, False)])
def test_pairs_on_tensors_have_the_lane_too(factor: float, *, agrees: bool) -> None:
    x = torch.tensor(np.random.default_rng(0).normal(size=(5, 7)))
    report = check_vjp(torch.sin, lambda x, dy: factor * dy * torch.cos(x), x, lanes=["bfloat16", "float16"])
    assert {row.lane for row in report.rows} == set(SHORT)
    assert report.agrees is agrees


def test_pairs_on_numpy_have_no_short_lane() -> None:
    with pytest.raises(UsageError, match="lanes: bfloat16 needs arguments that are arrays of JAX or PyTorch, got"):
        check_vjp(np.sin, lambda x, dy: dy * np.cos(x), np.ones(3), lanes=["bfloat16"])


@pytest.mark.fault(kind="python")
def test_no_lane_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match=r"lanes must be a list of at least one, got \[\]: .* bfloat16, float16"):
        check_vjp(np.sin, lambda x, dy: dy * np.cos(x), np.ones(3), lanes=[])


@pytest.mark.parametrize(("lane", "bits"), [("bfloat16", torch.bfloat16), ("float16", torch.float16)])
def test_rounding_is_that_of_the_library(lane: Short, bits: Any) -> None:
    numbers = np.random.default_rng(0).normal(size=1000)
    np.testing.assert_array_equal(rounded(numbers, lane), torch.tensor(numbers).float().to(bits).double().numpy())
