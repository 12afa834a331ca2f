"""The options that read alike in every command, and what their words mean."""

import os
import traceback
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from gradparity.errors import UsageError, unknown
from gradparity.output import STANDARD_OUTPUT

if TYPE_CHECKING:
    from gradparity.data import Dataset
    from gradparity.protocol import Dtype, ModelSpec

# The groups of options in --help.
CHOSEN, TRAINED, SWEPT, WRITTEN = "What is computed", "Training", "Sweeps", "What is written"


@contextmanager
def _silent() -> Iterator[None]:
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


@contextmanager
def _traced() -> Iterator[None]:
    try:
        yield
    except UsageError:
        traceback.print_exc()
        raise


def _trace(context: Any, wanted: bool) -> bool:
    if wanted:
        context.with_resource(_traced())
    return wanted


def _quieten(context: Any, wanted: bool) -> bool:
    if wanted:
        context.with_resource(_silent())
    return wanted


def _place(context: Any, path: Path | None) -> Path | None:
    """Fix the place of a file before any code of a user's runs; where it is standard output, print nothing else."""
    if path == STANDARD_OUTPUT:
        context.with_resource(_silent())
    return path if path in (None, STANDARD_OUTPUT) else path.absolute()


def output(name: str, help: str) -> Any:
    """Return the option of a file that is written."""
    return typer.Option(name, metavar="FILE", help=help, callback=_place, rich_help_panel=WRITTEN)


def _models(incomplete: str) -> list[str]:
    from gradparity.models import names

    return [name for name in names() if name.startswith(incomplete)]


def backend_names(incomplete: str) -> list[str]:
    """Return how a shell may complete backends' names, after commas too."""
    from gradparity.registry import names

    before, comma, begun = incomplete.rpartition(",")
    return [before + comma + name for name in names() if name.startswith(begun)]


def _settings(incomplete: str) -> list[str]:
    """Return how a shell may complete a setting of the model that is named already."""
    from dataclasses import fields

    from gradparity.models import names, require_model

    # As each shell hands over the line, which is not parsed yet where it ends in an option.
    words = (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or "").split()
    model = next((word for word in words if word in names()), "softmax_regression")
    return [f"{field.name}=" for field in fields(require_model(model)) if field.name.startswith(incomplete)]


def _data_sets(incomplete: str) -> list[str]:
    from gradparity.data import DATASETS

    return [name for name in DATASETS if name.startswith(incomplete)]


ModelOrFile = Annotated[
    str,
    typer.Argument(
        metavar="MODEL|FILE",
        help="A name that `gradparity models` lists, or your own my_model.py or my_model.py:Name.",
        autocompletion=_models,
    ),
]
Backends = Annotated[
    str | None,
    typer.Option(
        "--backends",
        help="Names that `gradparity backends` lists, with commas; without it numpy, jax, torch if installed.",
        autocompletion=backend_names,
        rich_help_panel=CHOSEN,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the model, as `gradparity models` lists them.",
        autocompletion=_settings,
        rich_help_panel=CHOSEN,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="digits, mnist, fashion_mnist, text, synthetic, or a .npz, .csv or .txt file; without it digits, or text "
        "for a model of the next characters.",
        autocompletion=_data_sets,
        rich_help_panel=CHOSEN,
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where MNIST's files are, if not in $GRADPARITY_DATA.", rich_help_panel=CHOSEN),
]
DtypeName = Annotated[str, typer.Option("--dtype", help="float32 or float64.", rich_help_panel=CHOSEN)]
BatchSize = Annotated[int, typer.Option("--batch-size", help="Examples of a step.", rich_help_panel=CHOSEN)]
EpochCount = Annotated[
    int, typer.Option("--epochs", help="Passes over the training examples.", rich_help_panel=TRAINED)
]
LearningRate = Annotated[float, typer.Option("--lr", help="Learning rate.", rich_help_panel=TRAINED)]
OptimizerName = Annotated[
    str,
    typer.Option(
        "--optimizer",
        metavar="NAME[,SETTING=NUMBER…]",
        help="sgd, momentum, adagrad, rmsprop, adam or adamw; as in adamw,weight_decay=0.1,clip_norm=1.",
        rich_help_panel=TRAINED,
    ),
]
ScheduleName = Annotated[
    str,
    typer.Option(
        "--schedule",
        metavar="NAME[,SETTING=NUMBER…]",
        help="How the learning rate changes: constant; step,every=100,factor=0.5; cosine,warmup=100,final=0.1.",
        rich_help_panel=TRAINED,
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", help="Seed of initial weights, batches and random data.", rich_help_panel=CHOSEN)
]
DrawnExamples = Annotated[int, typer.Option("--batch-size", help="Examples that are drawn.", rich_help_panel=CHOSEN)]
DrawSeed = Annotated[int, typer.Option("--seed", help="Seed of parameters and examples.", rich_help_panel=CHOSEN)]
JsonFile = Annotated[
    Path | None, output("--json", "Write the results as JSON; - is standard output, and nothing else is printed.")
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print nothing: the exit status is the answer.",
        callback=_quieten,
        rich_help_panel=WRITTEN,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Print the traceback of what is refused.", callback=_trace, rich_help_panel=WRITTEN
    ),
]
Open = Annotated[
    bool, typer.Option("--open", help="Show the page that is written in the browser.", rich_help_panel=WRITTEN)
]


def require_page(page: Path | None, opened: bool) -> None:
    """Raise UsageError, before any work, where there will be no page to open."""
    if opened and page in (None, STANDARD_OUTPUT):
        raise UsageError("--open shows a page that is written to a file: name one, or leave it out")


def tell_page(page: Path | None, opened: bool) -> None:
    """Say where the page is, and open it where that is wanted."""
    if page is None:
        return
    print(f"The page is {page}")
    if opened and not webbrowser.open(page.as_uri()):
        print("No browser was found: open it yourself.")


def names_of(backends: str) -> list[str]:
    """Split names at commas. Raises UsageError where there is none."""
    names = [name.strip() for name in backends.split(",") if name.strip()]
    if not names:
        raise UsageError(f"--backends needs at least one name, got '{backends}': try --backends numpy,jax,torch")
    return names


def refuse_given(context: Any, rule: str, *names: str) -> None:
    """Raise UsageError, the option and then the rule, where one of these is given: it would change nothing."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in names and source is not None and source.name == "COMMANDLINE":
            said = option.opts[0] if option.opts[0].startswith("-") else option.name.upper()
            raise UsageError(f"{said} {rule}")


def require_drawable(n: int, seed: int) -> None:
    """Raise UsageError for numbers of examples and seeds that nothing can be drawn with."""
    if n < 1:
        raise UsageError(f"--batch-size must be at least 1, got {n}")
    if seed < 0:
        raise UsageError(f"--seed must be at least 0, got {seed}")


def dtype_of(name: str) -> "Dtype":
    """Return a dtype. Raises UsageError for one that no backend computes in."""
    from gradparity.protocol import Dtype

    for dtype in get_args(Dtype):
        if dtype == name:
            return dtype  # type: ignore[no-any-return]  # get_args loses the Literal
    raise unknown("dtype", name, get_args(Dtype))


def load_for(
    model: str, settings: list[str] | None, data: str | None, data_dir: Path | None, seed: int
) -> "tuple[ModelSpec, Dataset]":
    """Load a data set and fit the model to it, or it to a user's model; labels become one-hot targets where needed."""
    from gradparity.subjects.model_file import dataset_for, is_file
    from gradparity.subjects.specs import user_model

    if is_file(model):
        own = user_model(model, settings or [])
        return own, dataset_for(own, data, data_dir, seed)

    from gradparity.data import load, with_inputs_for, with_real_targets
    from gradparity.inputs import require_fits
    from gradparity.models import data_of, spec_for_data

    dataset = load(data or data_of(model), data_dir=data_dir, seed=seed)
    spec = spec_for_data(model, dataset, settings or [])
    require_fits(spec, 0)
    if spec.real_targets:
        dataset = with_real_targets(dataset)
    return spec, with_inputs_for(dataset, spec)
