"""Settings that are switches or choices: not among the models' own tests, where types are checked at run time."""

from dataclasses import fields

import pytest

from gradparity.errors import UsageError
from gradparity.models import default_spec, names, require_model

SWITCHES = [
    (name, field.name) for name in names() for field in fields(require_model(name)) if isinstance(field.default, bool)
]


@pytest.mark.parametrize(("model", "switch"), SWITCHES)
def test_a_switch_is_true_or_false_and_no_other_word(model: str, switch: str) -> None:
    assert getattr(default_spec(model, [f"{switch}=false"]), switch) is False
    with pytest.raises(UsageError, match=f"{model}: {switch} must be True or False, got 'no'"):
        default_spec(model, [f"{switch}=no"])


def test_a_choice_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="unknown rnn reduction 'mean': there is positions, sequences, sum"):
        default_spec("rnn", ["reduction=mean"])
