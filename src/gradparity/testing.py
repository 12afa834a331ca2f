"""For your own test suite: hand-derived gradients are those that a machine derives, and a backend keeps the rules."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.parity.report import Report, Row
from gradparity.protocol import Backend, Batch, Dtype, Model, ModelSpec, TrainStep, in_dtype
from gradparity.subjects.plain import check_code
from gradparity.subjects.specs import check

SHORT = 24
"""Lines of a table that a failing test still shows."""


def assert_gradients_agree(
    model: Any,
    *,
    backends: Sequence[str] | None = None,
    batch: Batch | None = None,
    n: int = 11,
    seed: int = 0,
    lanes: Sequence[Dtype] | None = None,
    rtol: float = 0.0,
    order: int = 1,
) -> None:
    """Raise AssertionError unless ``gradparity.check`` of the model, with the same arguments, agrees.

    The error has a line for each disagreement and, where it is short, the table. Raises UsageError for a model that
    cannot be checked.
    """
    __tracebackhide__ = True  # pytest then shows the test, not this function
    try:
        report = check(model, backends=backends, batch=batch, n=n, seed=seed, lanes=lanes, rtol=rtol, order=order)
    except UsageError as error:  # it names the line in the user's file: our own frames would say no more
        raise error.with_traceback(None) from None
    try:
        report.assert_ok()
    except AssertionError as error:
        raise AssertionError("\n".join([f"{report.model}: {error}", *_table(report)])) from None


def assert_code_gradients_agree(
    function: Any, *arguments: Any, names: Sequence[str] = (), loss: str = "", seed: int = 0, **named: Any
) -> None:
    """Raise AssertionError unless ``gradparity.check_code`` of a function and its arguments agrees.

    The error has a line for each disagreement, and the function's source with a sign at each gradient. Raises
    UsageError for what cannot be checked.
    """
    __tracebackhide__ = True
    report = check_code(function, *arguments, names=names, loss=loss, seed=seed, **named)
    try:
        report.assert_ok()
    except AssertionError as error:
        raise AssertionError("\n".join([f"{report.model}: {error}", *_source(report)])) from None


def _source(report: Report) -> list[str]:
    return [
        f"{line.sign or ' '} {line.number:>4}  {line.text}" for listing in report.listings for line in listing.lines
    ]


def _table(report: Report) -> list[str]:
    """One line per named line of the derivation, with the worst error of each lane; nothing where it is long."""
    lines = list(dict.fromkeys((row.kind, row.line) for row in report.rows))
    if len(lines) > SHORT:
        return []
    worst = [max((row for row in report.rows if (row.kind, row.line) == line), key=_excess) for line in lines]
    return ["", *(f"{'ok' if row.agrees else '✗ ':2} {row.kind:14} {row.line}: {row.error:.0e}" for row in worst)]


def _excess(row: Row) -> tuple[bool, float]:
    return not row.agrees, row.error / row.limit if row.limit > 0 else row.error


def draw(spec: ModelSpec, n: int = 11) -> tuple[dict[str, np.ndarray], Batch]:
    """Draw normal parameters and n examples of a spec, always the same."""
    rng = np.random.default_rng(3)
    params = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    return params, spec.example_batch(rng, n)


class BackendConformance:
    """What every backend must do. Its author's tests are a subclass with the backend's name and specs that it has.

    class TestMine(BackendConformance):
        name = "mine"
        specs = (SoftmaxRegression(), MLP())
    """

    name: ClassVar[str] = ""
    """The name that the backend is registered under."""
    specs: ClassVar[Sequence[ModelSpec]] = ()
    dtypes: ClassVar[Sequence[Dtype]] = ("float32", "float64")

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Ask each question of each spec in each dtype; without a name, of the fixtures ``backend`` and ``model``."""
        if not self.name:
            return
        backend = registry.backend(self.name)
        if "backend" in metafunc.fixturenames:
            metafunc.parametrize("backend", [backend], ids=[self.name])
        if "model" in metafunc.fixturenames:
            asked = [(spec, dtype) for spec in self.specs for dtype in self.dtypes]
            models = [backend.model(spec, dtype) for spec, dtype in asked]
            metafunc.parametrize("model", models, ids=[f"{spec.name}, {dtype}" for spec, dtype in asked])

    def test_keeps_the_protocol(self, backend: Backend, model: Model) -> None:
        """It has every member of the protocols, and tells who derives."""
        assert isinstance(backend, Backend)
        assert isinstance(model, Model)
        assert isinstance(model.train_step(backend.optimizer("sgd", lr=0.1)), TrainStep)
        assert backend.differentiation in ("hand", "machine")
        assert (model.derivation is not None) == (backend.differentiation == "hand")

    def test_gradients_have_the_names_shapes_and_dtype_of_the_spec(self, backend: Backend, model: Model) -> None:
        """Names, shapes and dtype are those of the spec, and the loss is a number alone."""
        params, batch = draw(model.spec)
        loss, gradients = model.value_and_grad(params, batch)
        assert backend.to_numpy(loss).shape == ()
        assert backend.to_numpy(loss).dtype == model.dtype
        assert {name: backend.to_numpy(g).shape for name, g in gradients.items()} == model.spec.param_shapes
        assert {str(backend.to_numpy(g).dtype) for g in gradients.values()} == {model.dtype}

    def test_a_trace_names_every_line_of_the_derivation(self, model: Model) -> None:
        """It tells every line, or at least the loss and the parameters, each gradient in the shape of its value."""
        trace = model.trace(*draw(model.spec))
        lines = [line.name for line in model.spec.derivation]
        told = [line.name for line in model.spec.derivation if line.forward]
        assert list(trace.values) in (told, ["loss"])
        assert set(trace.gradients) in (set(lines), {*model.spec.param_shapes, "loss"})
        assert {a.dtype.name for a in [*trace.values.values(), *trace.gradients.values()]} == {model.dtype}
        for name, value in trace.values.items():
            assert trace.gradients[name].shape == value.shape
        assert trace.gradients["loss"] == 1

    def test_leaves_its_inputs_unchanged(self, backend: Backend, model: Model) -> None:
        """What is given to it is as before, after a training step too."""
        params, batch = draw(model.spec)
        before = {name: p.copy() for name, p in params.items()}, batch.x.copy(), batch.y.copy()
        model.value_and_grad(params, batch)
        model.trace(params, batch)
        step = model.train_step(backend.optimizer("sgd", lr=0.5))
        step(step.start(params), batch)
        for name, p in params.items():
            np.testing.assert_array_equal(p, before[0][name])
        np.testing.assert_array_equal(batch.x, before[1])
        np.testing.assert_array_equal(batch.y, before[2])

    def test_takes_arrays_that_cannot_be_written(self, backend: Backend, model: Model) -> None:
        """Arrays that cannot be written are as good as others."""
        params, batch = draw(model.spec)
        for array in (*params.values(), batch.x, batch.y):
            array.flags.writeable = False
        loss, _ = model.value_and_grad(params, batch)
        assert np.isfinite(backend.to_numpy(loss))

    def test_takes_its_own_arrays(self, backend: Backend, model: Model) -> None:
        """Its own arrays are as good as NumPy's."""
        params, batch = draw(model.spec)
        own = {name: backend.from_numpy(p.astype(model.dtype)) for name, p in params.items()}
        own_batch = batch.map(lambda a: backend.from_numpy(in_dtype(a, model.dtype)))
        loss, _ = model.value_and_grad(params, batch)
        own_loss, _ = model.value_and_grad(own, own_batch)
        assert backend.to_numpy(own_loss) == backend.to_numpy(loss)

    def test_gives_the_same_answer_twice(self, backend: Backend, model: Model) -> None:
        """The same question has the same answer."""
        params, batch = draw(model.spec)
        (loss, first), (again, second) = model.value_and_grad(params, batch), model.value_and_grad(params, batch)
        assert backend.to_numpy(loss) == backend.to_numpy(again)
        for name, gradient in first.items():
            np.testing.assert_array_equal(backend.to_numpy(gradient), backend.to_numpy(second[name]))

    def test_loss_value_and_grad_and_trace_agree(self, backend: Backend, model: Model) -> None:
        """The loss is the same, and the gradients are, whichever function tells them."""
        params, batch = draw(model.spec)
        loss, gradients = model.value_and_grad(params, batch)
        trace = model.trace(params, batch)
        # A gradient that is zero by mathematics is as large as the rounding of the largest one.
        largest = max(float(np.abs(backend.to_numpy(g)).max()) for g in gradients.values())
        ulp = float(np.finfo(model.dtype).eps)
        close = partial(np.testing.assert_allclose, rtol=100 * ulp, atol=16 * ulp * largest)
        close(backend.to_numpy(model.loss(params, batch)), backend.to_numpy(loss))
        close(trace.values["loss"], backend.to_numpy(loss))
        for name, gradient in gradients.items():
            close(trace.gradients[name], backend.to_numpy(gradient))

    def test_its_gradients_are_those_of_the_hand_derivation(self, backend: Backend, model: Model) -> None:
        """Every gradient of training, beside NumPy's."""
        params, batch = draw(model.spec)
        _, expected = registry.backend("numpy").model(model.spec, "float64").value_and_grad(params, batch)
        _, gradients = model.value_and_grad(params, batch)
        rtol = 1e-3 if model.dtype == "float32" else 1e-9
        for name, gradient in expected.items():
            np.testing.assert_allclose(backend.to_numpy(gradients[name]), gradient, rtol, atol=rtol / 100)

    def test_parameters_of_a_state_are_not_changed_by_later_steps(self, backend: Backend, model: Model) -> None:
        """What was asked for stays as it was."""
        step = model.train_step(backend.optimizer("sgd", lr=0.05))
        state = step.start(draw(model.spec)[0])
        kept = step.params(state)
        before = {name: backend.to_numpy(p) for name, p in kept.items()}
        for seed in range(3):
            state, _ = step(state, model.spec.example_batch(np.random.default_rng(seed), 11))
        for name, p in kept.items():
            np.testing.assert_array_equal(backend.to_numpy(p), before[name])
