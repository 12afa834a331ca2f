"""Schedules: what they say of a step, and that no words but theirs are taken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.errors import UsageError
from gradparity.schedules import Cosine, StepDecay, scheduled
from gradparity_jax import update_rules as of_jax
from gradparity_manual import update_rules as of_numpy
from gradparity_torch import update_rules as of_torch


def test_a_step_decay_falls_at_once_and_a_cosine_rises_then_falls() -> None:
    steps = [of_numpy.learning_rate(StepDecay(1.0, every=2, factor=0.5), t) for t in range(6)]
    assert steps == [1, 1, 0.5, 0.5, 0.25, 0.25]
    cosine = [of_numpy.learning_rate(Cosine(1.0, steps=8, warmup=4, final=0.5), t) for t in range(10)]
    assert cosine[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert cosine[6] == pytest.approx(0.75)
    assert cosine[8:] == [0.5, 0.5]


@settings(max_examples=30)
@given(
    st.integers(1, 30), st.integers(0, 29), st.floats(0, 1), st.floats(1e-3, 1), st.integers(1, 40), st.integers(0, 60)
)
def test_the_three_ways_of_writing_a_schedule_give_the_same_rate(
    steps: int, warmup: int, final: float, factor: float, every: int, t: int
) -> None:
    import jax

    for lr in (Cosine(0.3, steps, min(warmup, steps - 1), final), StepDecay(0.3, every, factor)):
        by_hand = of_numpy.learning_rate(lr, t)
        assert of_torch.learning_rate(lr, t) == pytest.approx(by_hand, rel=1e-12, abs=1e-16)
        with jax.enable_x64(True):
            schedule = of_jax.learning_rate(lr)
            assert callable(schedule)
            assert float(schedule(t)) == pytest.approx(by_hand, rel=1e-12, abs=1e-16)


def test_words_give_the_schedule_with_the_rate_and_the_steps_of_training() -> None:
    assert scheduled("constant", 0.1, 80) == 0.1
    assert scheduled("step,every=7,factor=0.5", 0.1, 80) == StepDecay(0.1, 7, 0.5)
    assert scheduled("cosine,warmup=10", 0.1, 80) == Cosine(0.1, 80, 10)


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("linear", "unknown schedule 'linear': there is constant, cosine, step"),
        ("constant,every=3", "unknown setting of schedule 'constant' 'every'"),
        ("cosine,steps=3", "unknown setting of schedule 'cosine' 'steps': there is final, warmup"),
        (
            "cosine,warmup=80",
            "warmup must be a whole number from 0 to 79, one below the steps, got 80",
        ),
        ("cosine,final=2", "schedule 'cosine': final must be from 0 to 1, got 2"),
        ("step", "schedule 'step' needs a number of steps, got none: write step,every=100"),
        ("step,every=0", "schedule 'step': every must be a whole number of steps of at least 1, got 0"),
        ("step,every=2,factor=0", "schedule 'step': factor must be above 0 and at most 1, got 0"),
        ("step,often", "--schedule takes a name, then settings such as momentum=0.9 after commas, got 'often'"),
    ],
)
def test_words_that_are_no_schedule_are_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        scheduled(text, 0.1, 80)
    assert says in str(raised.value)
