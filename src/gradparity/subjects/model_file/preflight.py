"""What no comparison can judge, found before anything is compared: a derivation that breaks the rules of c and d."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from gradparity.errors import UsageError, quoted
from gradparity.protocol import Array, Batch, Dtype, HandWrittenSpec, Key, Params
from gradparity.recording import Recorder, name_of
from gradparity.subjects.model_file import rules
from gradparity.subjects.model_file.source import calling_line, code_of, definition, last_step, shown

DTYPES: tuple[Dtype, ...] = ("float64", "float32")
NARROW = np.int8
"""The result of float32 and of whole numbers this small is float32."""


def preflight(spec: HandWrittenSpec, params: Params, batch: Batch, dtypes: Sequence[Dtype] = DTYPES) -> None:
    """Run the hand derivation in NumPy and refuse what breaks a rule, in one line that names the user's.

    The rules: c and d hold arrays of the run's dtype, each name written once; d's have the shapes of what they are
    gradients of, and every parameter has one; forward ends in a scalar c["loss"]; both give the same numbers twice;
    nothing that was given or written is changed in place. ``params`` and ``batch`` are NumPy. Raises UsageError.
    """
    runs = [_Run(spec, params, batch, dtype) for dtype in (dtypes[0], *dtypes)]
    with leaving_no_thread(definition(spec.hand.forward)):
        for run in runs:
            run.forward()
            run.backward()
    _require_same(*runs[:2])


@contextmanager
def leaving_no_thread(place: str) -> Iterator[None]:
    """Raise UsageError where what is run leaves a thread behind for which Python would wait at its end."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    # Beside another thread, what it starts meanwhile looks the same.
    if left and threading.current_thread() is threading.main_thread():
        raise UsageError(
            f"{place}: code that is checked must not leave a thread running, it left {quoted(left[0].name)}: join it, "
            "or make it with daemon=True"
        )


class _Run:
    """One forward and backward pass on copies of the parameters and the batch."""

    def __init__(
        self,
        spec: HandWrittenSpec,
        params: Params,
        batch: Batch,
        dtype: Dtype,
        *,
        frozen: bool = False,
        narrow: str | None = None,
    ) -> None:
        self._again = partial(_Run, spec, params, batch, dtype)
        self._narrow = narrow
        """The array of whole numbers that is given as ``NARROW``: float32 survives those."""
        self._hand = spec.hand
        self._dtype: Dtype = dtype
        self._frozen = frozen
        """Arrays are read-only, so that NumPy itself refuses a change, at its line."""
        self._kept: list[tuple[str, np.ndarray, np.ndarray]] = []
        """What must not be changed: its name in the derivation, the array and a copy."""
        self.places: dict[str, str] = {}
        """c['name'] and d['name'] -> the line that wrote it."""
        self.p = MappingProxyType({name: self._own(f"p['{name}']", value) for name, value in params.items()})
        self.batch = Batch(
            self._own("batch.x", batch.x),
            self._own("batch.y", batch.y),
            {name: self._own(f"batch.extras['{name}']", array) for name, array in batch.extras.items()},
        )
        self.c = Recorder("c", {}, inspect=self._inspect_value)
        self.d = Recorder("d", {"loss": np.ones((), dtype)}, seed="loss", inspect=self._inspect_gradient)

    def forward(self) -> None:
        """Run the forward pass. Raises UsageError where it breaks a rule."""
        returned = self._hand.forward(self.p, self.batch, self.c)
        if "loss" not in self.c:
            fix = "write the value that it returns to c['loss']" if returned is not None else "write the loss last"
            raise UsageError(
                f"{definition(self._hand.forward)}: forward must write c['loss'], it wrote "
                f"{', '.join(self.c.written()) or 'nothing'}: {fix}"
            )
        self._require_unchanged(self._hand.forward)

    def backward(self) -> None:
        """Run the backward pass. Raises UsageError where it breaks a rule."""
        self._hand.backward(self.p, self.batch, self.c, self.d)
        missing = [name for name in self.p if name not in self.d]
        if missing:
            raise UsageError(
                f"{definition(self._hand.backward)}: backward must write the gradient of every parameter, "
                f"d['{missing[0]}'] is never written: it wrote {', '.join(self.d.written()) or 'nothing'}"
            )
        self._require_unchanged(self._hand.backward)

    def written(self) -> dict[str, Array]:
        """Return what was written to both, in order."""
        values = {f"c['{name}']": value for name, value in self.c.written().items()}
        return values | {f"d['{name}']": value for name, value in self.d.written().items()}

    def _own(self, label: str, array: np.ndarray) -> np.ndarray:
        narrow = NARROW if label == self._narrow else None
        own = np.array(array, dtype=self._dtype if array.dtype.kind == "f" else narrow)
        self._keep(label, own)
        return own

    def _keep(self, label: str, value: Array) -> None:
        if isinstance(value, np.ndarray):
            self._kept.append((label, value, value.copy()))
            if self._frozen:
                value.flags.writeable = False

    def _inspect_value(self, key: Key, value: Array) -> None:
        name = name_of(key)
        rules.require_value(name, value, self._dtype, self.p, self._whole_numbers)
        self._note("c", name, value, self._hand.forward)

    def _inspect_gradient(self, key: Key, value: Array) -> None:
        name = name_of(key)
        # Of what a loop writes, one pass: its gradient is written pass by pass, too.
        values = {name_of(each): array for each, array in self.c.data.items()}
        rules.require_gradient(name, value, self._dtype, self.p, values, self._whole_numbers)
        self._note("d", name, value, self._hand.backward)

    def _note(self, symbol: Literal["c", "d"], name: str, value: Array, function: Callable[..., Any]) -> None:
        label = f"{symbol}['{name}']"
        self.places[label] = calling_line(function)
        self._keep(label, value)

    def _whole_numbers(self, label: str) -> str:
        """Return the array of the batch but for whose whole numbers this name would have the right dtype."""
        of_batch = [given for given, array, _ in self._kept if given.startswith("batch.") and array.dtype.kind in "iu"]
        for given in of_batch if self._narrow is None else ():
            run = self._again(narrow=given)
            with suppress(UsageError):
                run.forward()
                run.backward()
            if label in run.places:
                return given
        return ""

    def _require_unchanged(self, function: Callable[..., Any]) -> None:
        for label, now, before in self._kept:
            if not self._frozen and not np.array_equal(now, before, equal_nan=before.dtype.kind == "f"):
                raise UsageError(
                    f"{self._place_of_change(function)}: {label} is changed in place: what is in p, batch, c and d is "
                    "used again, so make a new array, x = x - m in place of x -= m"
                )

    def _place_of_change(self, function: Callable[..., Any]) -> str:
        run = self._again(frozen=True)
        try:
            run.forward()
            run.backward()
        except Exception as error:  # whatever NumPy's refusal has become on its way through the user's code
            cause, code = error.__cause__ or error, code_of(function)
            step = last_step(cause.__traceback__, code.co_filename) if code else None
            if step and "read-only" in str(cause):
                return f"{shown(step.frame.f_code.co_filename)}:{step.line}"
        return definition(function)


def _require_same(first: _Run, second: _Run) -> None:
    again = second.written()
    for label, value in first.written().items():
        if label not in again or not np.array_equal(value, again[label], equal_nan=value.dtype.kind == "f"):
            raise UsageError(
                f"{first.places[label]}: {label} must be the same each time on the same numbers, two runs differ: "
                "draw random numbers once, outside forward and backward"
            )
