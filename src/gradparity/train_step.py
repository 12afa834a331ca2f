"""The one final training step, over a model's functions, a library's runtime and an optimiser on its arrays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gradparity.errors import UsageError
from gradparity.protocol import Array, Batch, Dtype, Examples, ModelSpec, Params
from gradparity.runtime import (
    CompilesInStages,
    How,
    ModelFunctions,
    Optimizer,
    RunsEpochs,
    Runtime,
    State,
    Step,
    to_numpy,
)
from gradparity.spec_traits import KeepsStatistics


@dataclass(frozen=True, eq=False)
class BackendStep:
    """One optimiser step, and an epoch made of it. A state is used up by the call that it is passed to."""

    spec: ModelSpec
    dtype: Dtype
    functions: ModelFunctions
    runtime: Runtime
    optimizer: Optimizer

    def start(self, params: Params, remembered: Params | None = None, steps: int = 0) -> State:
        """Return the state before the first step. ``params`` is copied, never changed.

        Statistics start where the spec says, or where ``params`` has them. With what ``remembered`` returned after so
        many steps, training goes on from there. Raises UsageError where an array of it is missing.
        """
        initial = self.spec.statistics if isinstance(self.spec, KeepsStatistics) else {}
        own = self._copies({**initial, **params})
        kept, memory = self._compile(self.optimizer.start, "eager")(
            {name: value for name, value in own.items() if name not in initial}
        )
        if remembered is not None:
            memory = self._recalled(memory, remembered, steps)
        return State(kept, {name: own[name] for name in initial}, memory, steps)

    def remembered(self, state: State) -> dict[str, Array]:
        """Return copies of what the optimiser remembers: "velocity.W", of W's shape.

        Raises UsageError where a third party's optimiser does not tell.
        """
        if self.optimizer.remembered is None:
            raise UsageError("this backend's Optimizer tells nothing that it remembers: give it 'remembered'")
        # Its memory may be any object, and arrives as it is.
        tell = self.optimizer.remembered
        return self._copies(self._compile(lambda _: tell(state.memory), "eager")({}))

    def _recalled(self, memory: Any, remembered: Params, steps: int) -> Any:
        recall = self.optimizer.recall
        if recall is None:
            raise UsageError("this backend's Optimizer recalls nothing: give it 'recall'")
        own = self._copies(remembered)
        return self._compile(lambda arrays: recall(memory, arrays, steps), "eager")(own)

    def params(self, state: State) -> dict[str, Array]:
        """Return copies of the state's parameters, and of its statistics beside them, which later steps leave alone."""
        restored = self._compile(self.optimizer.params, "eager")(state.params)
        return self._copies({**restored, **state.statistics})

    def __call__(self, state: State, batch: Batch) -> tuple[State, Float[Array, ""]]:
        """Take one step. Returns the new state and the loss before the step; work may be pending."""
        taken: tuple[State, Array] = self._program(state, batch)
        return taken

    def stages(self, state: State, batch: Batch) -> Iterator[str]:
        """Do ahead what the first call with these shapes would do, and name each stage; none where nothing compiles."""
        if isinstance(self._program, CompilesInStages):
            yield from self._program.stages(state, batch)

    def load(self, examples: Examples) -> Any:
        """Make the examples ready. They may be read where they are: leave them unchanged while they are in use."""
        return self.runtime.load(examples, self.dtype) if isinstance(self.runtime, RunsEpochs) else examples

    def epoch(
        self, state: State, loaded: Any, order: Int[np.ndarray, " n"], batch_size: int
    ) -> tuple[State, Float[np.ndarray, " steps"]]:
        """Step through the loaded examples in this order; the last batch may be smaller.

        Returns the new state and the loss before each step; waits for both. Raises UsageError where ``order`` names
        an example that there is not.
        """
        n = len(loaded)
        if order.size and not (order.min() >= 0 and order.max() < n):
            raise UsageError(
                f"order must hold indices from 0 to {n - 1}, got {order.min()} to {order.max()}: "
                "draw it as a permutation of the loaded examples"
            )
        new_state, losses = self._epoch(state, loaded, order, batch_size)
        return new_state, losses

    def _copies(self, named: Params) -> dict[str, Array]:
        own = self._compile(lambda arrays: arrays, "eager")(named)
        return {name: self.runtime.from_numpy(to_numpy(self.runtime, value)) for name, value in own.items()}

    def _compile(self, function: Callable[..., Any], how: How) -> Callable[..., Any]:
        return self.runtime.compile(function, self.dtype, how)

    @cached_property
    def _program(self) -> Callable[..., Any]:
        return self._compile(self._step, "step")

    @cached_property
    def _epoch(self) -> Callable[..., Any]:
        if isinstance(self.runtime, RunsEpochs):
            return self.runtime.epoch(self._step, self.spec, self.dtype)
        return self._one_by_one

    def _one_by_one(
        self, state: State, loaded: Examples, order: np.ndarray, batch_size: int
    ) -> tuple[State, np.ndarray]:
        losses = []
        for start in range(0, len(order), batch_size):
            state, loss = self(state, loaded.batch(order[start : start + batch_size], self.dtype))
            losses.append(to_numpy(self.runtime, loss))
        return state, np.array(losses, self.dtype)

    @cached_property
    def _step(self) -> Step:
        """The mathematics of a step, as every runtime compiles it."""
        spec, optimizer = self.spec, self.optimizer
        value_and_grad = self.functions.value_and_grad

        def step(state: State, batch: Batch) -> tuple[State, Array]:
            loss, gradients = value_and_grad(optimizer.params(state.params), batch)
            params, memory = optimizer.update(state.params, gradients, state.memory, state.step)
            return State(params, state.statistics, memory, state.step + 1), loss

        if not isinstance(spec, KeepsStatistics) or not spec.statistics:
            return step
        observing = self.functions.observing
        assert observing is not None  # train_step refuses this
        observe = observing(spec.observed)

        def step_with_statistics(state: State, batch: Batch) -> tuple[State, Array]:
            loss, gradients, values = observe(optimizer.params(state.params), batch)
            params, memory = optimizer.update(state.params, gradients, state.memory, state.step)
            return State(params, spec.update(state.statistics, values), memory, state.step + 1), loss

        return step_with_statistics
