"""From words on a command line to a spec: a model's name and its settings, ``name=value`` each."""

import ast
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from gradparity.data import Dataset
from gradparity.errors import UsageError, unknown
from gradparity.models import MLP, SoftmaxRegression, require_model

Spec = SoftmaxRegression | MLP


def default_spec(model: str, settings: Sequence[str] = ()) -> Spec:
    """Return the model at its default sizes. Raises UsageError for an unknown model or setting."""
    cls = require_model(model)
    return cls(**_parse(model, settings, [field.name for field in fields(cls)]))


def spec_for_data(model: str, dataset: Dataset, settings: Sequence[str] = ()) -> Spec:
    """Return the model at the sizes of a data set. Raises UsageError where they do not go together."""
    cls = require_model(model)
    of_data = inspect.signature(cls.for_data).parameters
    fitted = {name for name, p in of_data.items() if p.kind is p.POSITIONAL_OR_KEYWORD}
    extra = {name for name, p in of_data.items() if p.kind is p.KEYWORD_ONLY}
    settable = ({field.name for field in fields(cls)} | extra) - fitted
    return cls.for_data(dataset.features, dataset.classes, dataset.outputs, **_parse(model, settings, settable))


def _parse(model: str, settings: Sequence[str], known: Iterable[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"a setting is written name=value, got '{setting}'")
        if name not in known:
            raise unknown(f"setting of {model}", name, known)
        parsed[name] = _literal(value)
    return parsed


def _literal(text: str) -> Any:
    """Read a number or numbers with commas; anything else is the word itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
