"""The models: what each computes, in no framework. A file of this folder is a model of its name.

A model from elsewhere is a package that is registered in the entry-point group ``gradparity.models`` under the model's
name, and has four modules: ``spec``, ``manual``, ``jax`` and ``torch``.

    [project.entry-points."gradparity.models"]
    my_model = "my_package"

A model is imported when it is asked for, and no other with it.
"""

import ast
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np

from gradparity.errors import UsageError, unknown
from gradparity.protocol import ModelSpec
from gradparity.spec_traits import PredictsNextTokens

if TYPE_CHECKING:
    from gradparity.models.convnet import ConvNet as ConvNet
    from gradparity.models.gru import GRU as GRU
    from gradparity.models.linear_regression import LinearRegression as LinearRegression
    from gradparity.models.logistic_regression import LogisticRegression as LogisticRegression
    from gradparity.models.lstm import LSTM as LSTM
    from gradparity.models.mlp import MLP as MLP
    from gradparity.models.rnn import RNN as RNN
    from gradparity.models.softmax_regression import SoftmaxRegression as SoftmaxRegression
    from gradparity.models.transformer import Transformer as Transformer

    SpecClass: TypeAlias = type["RegisteredSpec"]
else:
    SpecClass = type  # Python checks no class against a protocol with properties

GROUP = "gradparity.models"


@runtime_checkable
class RegisteredSpec(ModelSpec, Protocol):
    """A spec that is known by its model's name: a frozen dataclass, each field with a default."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __hash__(self) -> int: ...

    @property
    def real_targets(self) -> bool:
        """Whether y is real numbers (n, outputs), not labels."""

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "RegisteredSpec":
        """Fit the sizes to a data set, ``classes`` None for real targets. Raises UsageError where they do not go."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["RegisteredSpec", int]:
        """Draw a random variant, and a number of examples, for a sweep."""

    @classmethod
    def variants(cls) -> Mapping[str, "RegisteredSpec"]:
        """Return the few settings that between them have every line, by what they are called; "" needs no name."""


@runtime_checkable
class Sizes(Protocol):
    """What a spec is fitted to: a data set, or whatever has its sizes."""

    @property
    def features(self) -> int:
        """The number of columns of x."""

    @property
    def classes(self) -> int | None:
        """The number of classes; None for real targets."""

    @property
    def outputs(self) -> int:
        """The number of classes, or of target columns."""

    @property
    def vocabulary(self) -> str:
        """The characters of a text; empty where x is no text."""


def names() -> list[str]:
    """Return the name of every model, those of this folder first; nothing is imported."""
    return [*_built_in(), *sorted(set(_registered()) - set(_built_in()))]


def specs() -> dict[str, SpecClass]:
    """Import every model; return the spec classes by name, the simplest first. Raises as ``require_model``."""
    found = {name: require_model(name) for name in names()}
    return dict(sorted(found.items(), key=lambda item: len(item[1]().derivation)))


def require_model(name: str) -> SpecClass:
    """Return the spec class of a model.

    Raises UsageError where there is none of that name, and where its file does not hold exactly one spec.
    """
    if name in _built_in():
        module = importlib.import_module(f"{__name__}.{name}")
    elif (entry := _registered().get(name)) is not None:
        module = _import(f"{entry.module}.spec", f"model '{name}'")
    else:
        raise unknown("model", name, names())
    own = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]
    found = [c for c in own if hasattr(c, "derivation")]
    if len(found) != 1:
        raise UsageError(
            f"model '{name}': {module.__name__} must hold one spec, got {len(found)}: write one dataclass "
            "with the members of gradparity.models.RegisteredSpec"
        )
    cls: SpecClass = found[0]
    return cls


def module_of(spec: ModelSpec, backend: str) -> ModuleType:
    """Return a backend's file of a model, by the backend's package: ``gradparity_jax/mlp.py`` for "gradparity_jax".

    A model from elsewhere has it beside its spec, under the last word of the package: ``my_package/jax.py``.
    Raises UsageError where there is none.
    """
    package, _, file = type(spec).__module__.rpartition(".")
    short = backend.removeprefix("gradparity_")
    if file == "spec":
        return _import(f"{package}.{short}", f"model '{spec.name}'")
    if importlib.util.find_spec(f"{backend}.{spec.name}") is None:
        known = [name for name in _built_in() if importlib.util.find_spec(f"{backend}.{name}")]
        raise unknown(f"model of backend '{short}'", spec.name, known)
    return importlib.import_module(f"{backend}.{spec.name}")


def default_spec(model: str, settings: Sequence[str] = ()) -> RegisteredSpec:
    """Return the model at its default sizes. Raises UsageError for an unknown model or setting."""
    cls = require_model(model)
    return cls(**_parse(model, settings, _fields(cls)))


def data_of(model: str) -> str:
    """Return the name of the embedded data set that a model learns from. Raises UsageError for an unknown model."""
    return "text" if hasattr(require_model(model), "next_tokens") else "digits"


def spec_for_data(model: str, data: Sizes, settings: Sequence[str] = ()) -> RegisteredSpec:
    """Return the model at the sizes of a data set. Raises UsageError where they do not go together."""
    cls = require_model(model)
    of_data = inspect.signature(cls.for_data).parameters
    fitted = {name for name, p in of_data.items() if p.kind is p.POSITIONAL_OR_KEYWORD}
    extra = {name for name, p in of_data.items() if p.kind is p.KEYWORD_ONLY}
    settable = ({*_fields(cls)} | extra) - fitted
    spec = cls.for_data(data.features, data.classes, data.outputs, **_parse(model, settings, settable))
    if isinstance(spec, PredictsNextTokens) and not data.vocabulary:
        raise UsageError(f"{model} learns the next characters of a text, got labels or targets: use --data text")
    if data.vocabulary and not isinstance(spec, PredictsNextTokens):
        raise UsageError(f"{model} learns labels or targets, got a text: use the model rnn, lstm, gru or transformer")
    return spec


def _fields(cls: Any) -> list[str]:
    return [field.name for field in fields(cls)]


def _parse(model: str, settings: Sequence[str], known: Iterable[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"a setting is written name=value, got '{setting}'")
        if name not in known:
            raise unknown(f"setting of {model}", name, known)
        if name in parsed:
            raise UsageError(f"--set gives '{name}' twice, got '{setting}' too: leave one out")
        parsed[name] = _literal(value)
    return parsed


def _literal(text: str) -> Any:
    """Read a number, numbers with commas, true or false; anything else is the word itself."""
    text = text.capitalize() if text in ("true", "false") else text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # the last two of many brackets
        return text


def _built_in() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__)]


def _registered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _import(path: str, whose: str) -> ModuleType:
    """Import a module of a package from elsewhere. Raises UsageError where the file is missing."""
    package, _, file = path.rpartition(".")
    try:
        missing = importlib.util.find_spec(path) is None
    except ModuleNotFoundError:
        raise UsageError(f"{whose} is registered as the package '{package}', which cannot be imported") from None
    if missing:
        raise UsageError(f"{whose} has no {package.replace('.', '/')}/{file}.py: write it as CONTRIBUTING.md says")
    return importlib.import_module(path)


def __getattr__(name: str) -> Any:
    """A spec class of this folder, by its own name: the file's in capitals or in CamelCase."""
    file = next((file for file in _built_in() if file.replace("_", "") == name.lower()), None)
    if file is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return require_model(file)
