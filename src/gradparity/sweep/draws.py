"""The check on many random draws of a model: seeds, sizes and settings, over joblib, resumable.

A draw is a few numbers and words, from which the check of that draw runs again anywhere: on another process, on a
cluster (``joblib.parallel_config(backend=…)`` outside is obeyed), or later from the file of a counter-example.
"""

import os
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import joblib
import numpy as np
from msgspec import Meta
from threadpoolctl import threadpool_limits

from gradparity import journal as journals
from gradparity import registry
from gradparity.errors import UsageError, first_line, unknown
from gradparity.formats import Count, Setting
from gradparity.inputs import LARGEST
from gradparity.manifest import DISTRIBUTIONS, versions
from gradparity.models import names, require_model
from gradparity.parity.problem import LANES
from gradparity.parity.report import Report
from gradparity.protocol import Dtype, ModelSpec
from gradparity.runtime import KeepsPrograms
from gradparity.subjects import specs
from gradparity.subjects.model_file import file_of

COMPILED = {"jax": 50}
"""Library -> it takes part in one draw of so many: compiling anew for each size takes seconds, a check hundredths."""


@dataclass(frozen=True)
class Draw:
    """One check of a sweep."""

    index: Count
    model: str
    """A model's name, or a file as ``gradparity check`` takes it."""
    settings: dict[str, Setting]
    """The fields of the model's spec; empty for a file, whose sizes are its own."""
    n: Annotated[int, Meta(ge=1)]
    seed: Count
    backends: Annotated[tuple[str, ...], Meta(min_length=1)]
    lanes: Annotated[tuple[Dtype, ...], Meta(min_length=1)]
    format: Literal["gradparity-draw/1"] = "gradparity-draw/1"

    @property
    def spec(self) -> ModelSpec:
        """The model of this draw."""
        spec = specs.spec_of(self.model)
        for name in self.settings:
            if not hasattr(spec, name):
                raise unknown(f"setting of {self.model}", name, vars(spec))
        try:
            return replace(spec, **self.settings) if self.settings else spec  # type: ignore[type-var]
        except (TypeError, ValueError) as error:
            raise UsageError(f"the settings of {self.model} are not of its kinds: {first_line(error)}") from None

    def check(self) -> Report:
        """Check it."""
        return specs.check(self.spec, backends=self.backends, n=self.n, seed=self.seed, lanes=self.lanes)


@dataclass(frozen=True)
class DrawOutcome:
    """What the check of a draw found."""

    index: Count
    agrees: bool
    worst: dict[Dtype, Annotated[float, Meta(ge=0)]]
    """Lane -> the largest error of any row, as a share of its limit."""


@dataclass(frozen=True)
class SweepHeader:
    """The first line of a sweep's journal: with anything else, its lines would tell of something else."""

    model: str
    seed: Count
    backends: tuple[str, ...]
    lanes: tuple[Dtype, ...]
    code: str
    """The hash of a model file and its neighbours; empty for a model of ours."""
    versions: Mapping[str, str]
    """Of each library."""
    format: Literal["gradparity-journal/2"] = journals.FORMAT


@dataclass(frozen=True)
class SweepResult:
    """What a sweep found: every draw up to the first that disagrees."""

    outcomes: tuple[DrawOutcome, ...]
    counter_example: Draw | None
    """The first draw that disagrees."""

    def quantile(self, lane: Dtype, q: float) -> float:
        """Return a quantile over the draws of the largest error of a draw, as a share of its limit."""
        return float(np.quantile([outcome.worst[lane] for outcome in self.outcomes], q, method="higher"))


def sweep(
    model: str,
    count: int,
    *,
    seed: int = 0,
    backends: Sequence[str] | None = None,
    lanes: Sequence[Dtype] = LANES,
    jobs: int | None = None,
    journal: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> SweepResult:
    """Check so many random draws of a model, up to the first that disagrees.

    ``jobs`` is joblib's n_jobs: None takes what ``joblib.parallel_config`` says, by default one; −1 is every core.
    Each draw that agrees is appended to the file ``journal``, and not repeated when it is given again; one that is
    noted there as disagreeing is. ``progress`` is told how many draws are done. Raises UsageError where the model or a
    backend cannot be used, and where the journal is of another sweep, model file or version of a library, or in use.
    """
    chosen = registry.installed() if backends is None else list(backends)
    drawn = list(draws(model, count, seed=seed, backends=chosen, lanes=lanes))
    file = file_of(model)
    code = journals.content_hash(file) if file else ""
    header = SweepHeader(model, seed, tuple(chosen), tuple(lanes), code, versions(DISTRIBUTIONS))
    with journals.opened(journal, header, DrawOutcome, lambda outcome: (outcome.index, outcome.agrees)) as (done, add):
        outcomes = {outcome.index: outcome for outcome in done if outcome.index < count and outcome.agrees}
        pending = [draw for draw in drawn if draw.index not in outcomes]
        # The arrays are small: a second thread would wait more than it computes. joblib's processes have their limit.
        with threadpool_limits(1), closing(_outcomes(pending, jobs)) as found:
            for outcome in found:
                outcomes[outcome.index] = outcome
                progress(len(outcomes))
                if not outcome.agrees:
                    return SweepResult(tuple(outcomes.values()), drawn[outcome.index])
                add(outcome)
    return SweepResult(tuple(outcomes.values()), None)


def draws(model: str, count: int, *, seed: int, backends: Sequence[str], lanes: Sequence[Dtype]) -> Iterator[Draw]:
    """Yield so many draws of a model; draw i is the same whatever their number. Raises UsageError for no such model."""
    chosen = {name: registry.backend(name) for name in backends}
    # A compiling backend sits out only where another machine is there to be the witness.
    quick_witness = any(b.library not in COMPILED and b.differentiation == "machine" for b in chosen.values())
    registered = require_model(model) if model in names() else None
    if registered is None:
        specs.spec_of(model)
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        if registered is not None:
            spec, n = registered.draw(rng)
            settings = asdict(spec)
        else:
            settings, n = {}, int(rng.integers(3, LARGEST))
        taking_part = (
            name for name, b in chosen.items() if not quick_witness or index % COMPILED.get(b.library, 1) == 0
        )
        yield Draw(index, model, settings, n, int(rng.integers(2**31)), tuple(taking_part), tuple(lanes))


def _outcomes(pending: Sequence[Draw], jobs: int | None) -> Generator[DrawOutcome]:
    """Check the draws in joblib's processes, and yield the outcomes in order."""
    with warnings.catch_warnings():
        # What JAX has compiled fills a process until joblib starts a new one in its place, and warns.
        warnings.filterwarnings("ignore", message="A worker stopped", category=UserWarning)
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
        yield from parallel(joblib.delayed(_outcome_for)(os.getpid(), draw) for draw in pending)


def _outcome_for(owner: int, draw: Draw) -> DrawOutcome:
    """Check one draw in a process that ends when its owner does, for joblib's wait minutes for one that was killed."""
    if os.getppid() == owner:
        _end_with(owner)
    return outcome_of(draw)


@cache
def _end_with(owner: int) -> None:
    def watch() -> None:
        while os.getppid() == owner:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def outcome_of(draw: Draw) -> DrawOutcome:
    """Check one draw, in whichever process this is called."""
    report = draw.check()
    for name in draw.backends:
        # Programs of thousands of models would fill the memory: JAX keeps what belongs to models long gone.
        if isinstance(backend := registry.backend(name), KeepsPrograms):
            backend.forget()
    if not report.rows:
        raise UsageError("; ".join([f"nothing was compared in draw {draw.index}", *map(str, report.unchecked)]))
    worst = {lane: max((row.share for row in report.rows if row.lane == lane), default=0.0) for lane in draw.lanes}
    return DrawOutcome(draw.index, report.agrees, worst)
