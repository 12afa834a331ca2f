"""What a benchmark measures: a point, and one contestant's numbers at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, Literal, get_args

from msgspec import Meta

from gradparity.formats import Positive, Setting
from gradparity.protocol import Differentiation, Dtype
from gradparity.timing import Ratio, paired_ratio

Status = Literal["timed", "disagrees", "not installed", "not offered", "died", "hung", "out of memory", "failed"]
"""Whether a row has timings, or why not; "not offered" is a backend without this model, "failed" one that raised."""

Call = Literal["step", "epoch", "loss", "value_and_grad"]
"""What is timed: an optimiser step, an epoch with the gathering of its batches, the loss, the loss and its gradient."""
CALLS: tuple[Call, ...] = get_args(Call)

THREADS_MARGIN = 0.1
"""By how many threads the observed use may exceed what was asked, or fall short of one, before it is said."""


@dataclass(frozen=True)
class Point:
    """One place where every backend is measured: a model at its sizes, and how it is run."""

    model: str
    """A model's name, or a file as ``gradparity check`` takes it."""
    settings: Mapping[str, Setting]
    """The fields of the model's spec; empty for a file."""
    batch_size: Annotated[int, Meta(ge=1)]
    dtype: Dtype
    threads: Annotated[int, Meta(ge=1)]
    """How many threads each worker is allowed."""


@dataclass(frozen=True)
class Rounds:
    """Seconds of one call, round by round; empty where that call is not timed."""

    step: tuple[Positive, ...] = ()
    epoch: tuple[Positive, ...] = ()
    loss: tuple[Positive, ...] = ()
    value_and_grad: tuple[Positive, ...] = ()
    threads: tuple[float, ...] = ()
    """CPU time over wall time of the worker's whole process during the steps: the threads that really ran."""
    processes: tuple[int, ...] = ()
    """Which of the backend's processes each round ran in, from 0; empty where it had only one."""

    def of(self, call: Call) -> tuple[float, ...]:
        """Return the seconds of one of the calls."""
        seconds: tuple[float, ...] = getattr(self, call)
        return seconds


@dataclass(frozen=True)
class Phases:
    """Seconds that are paid once, before the steady step."""

    importing: float
    """From the backend's name to the backend: its libraries are imported."""
    trace: float | None
    """From Python to the compiler's input; None where nothing is traced, or where it is part of the first step."""
    compile: float | None
    """From there to machine code; None as for ``trace``."""
    first_step: float
    """What is left of the first step: all of it where trace and compile are None."""

    @property
    def total(self) -> float:
        """All of them."""
        return self.importing + (self.trace or 0.0) + (self.compile or 0.0) + self.first_step


@dataclass(frozen=True)
class Standing:
    """One backend, or another contestant, at one point.

    Without timings, ``status`` and ``reason`` say why, and the numbers are None.
    """

    backend: str
    library: str
    """The library whose arrays it computes on; empty where the backend could not be loaded."""
    differentiation: Differentiation | None
    status: Status
    reason: str = ""
    rounds: Rounds | None = None
    phases: Phases | None = None
    steps_per_round: int = 0
    """Steps that are timed as one, so that a round lasts long enough for the clock."""
    peak_memory: int | None = None
    """Bytes by which the resident memory of the worker grew, from before the imports to its highest."""
    working_memory: int | None = None
    """The part of it that came after the imports: parameters, batch, intermediates, and the compiler's own."""
    final_loss: float | None = None
    """After the same number of steps, from the same parameters, on the same batch, in every row of the point."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What the worker had imported, by distribution."""

    @property
    def timed(self) -> bool:
        """Whether there are timings."""
        return self.status == "timed"

    def seconds(self, call: Call = "step") -> float | None:
        """Return the median seconds of a call; None where the row is not timed."""
        return None if self.rounds is None else median(self.rounds.of(call))

    @property
    def threads_observed(self) -> float | None:
        """The threads that really ran during the steps: the median over the rounds."""
        return None if self.rounds is None else median(self.rounds.threads)

    @property
    def share_of_core(self) -> float:
        """What the steps were given of the core that they could have kept busy: 1 where nothing else wanted it."""
        return min(1.0, (self.threads_observed or 0.0) + THREADS_MARGIN)

    @property
    def gradient_over_loss(self) -> Ratio | None:
        """What value_and_grad costs over the loss alone: the cheap-gradient ratio.

        Reverse mode needs at most 5 times the operations (A. Griewank and A. Walther, Evaluating Derivatives, 2008,
        section 4.6: a factor between 3 and 4 when memory traffic counts).
        """
        own = self.rounds
        return None if own is None else paired_ratio(own.value_and_grad, own.loss, own.processes)
