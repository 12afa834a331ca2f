"""``gradparity trace``: every named value and gradient of a model in a file, for a program that does not run here."""

from pathlib import Path
from typing import Annotated

from gradparity.report.cli import options
from gradparity.report.cli.options import DrawnExamples, DrawSeed, DtypeName, ModelOrFile, Quiet, Set, Verbose


def trace_command(
    out: Annotated[Path, options.output("--out", "The safetensors file that is written.")],
    model: ModelOrFile = "softmax_regression",
    settings: Set = None,
    n: DrawnExamples = 11,
    dtype: DtypeName = "float64",
    seed: DrawSeed = 0,
    _quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Write parameters, batch, every named value and every named gradient; check another's with check --against."""
    from gradparity.drawing.terminal import telling
    from gradparity.output import require_writable
    from gradparity.subjects import plain, specs, traced

    options.require_drawable(n, seed)
    require_writable(out, inputs=(plain.split(model)[0],))
    with telling(f"computing every named value and gradient of {model}"):
        spec = specs.spec_of(model, settings or [])
        traced.write(out, spec, n=n, seed=seed, dtype=options.dtype_of(dtype))
    print(f"The trace is {out}")
