"""``gradparity gradbench --backend jax``: a tool for GradBench's programs. What computes is imported when it runs."""

import sys
from typing import Annotated

import typer

from gradparity.errors import unknown
from gradparity_gradbench.eval import BACKENDS

app = typer.Typer(add_completion=False)


@app.command(epilog="Example:  gradbench run --eval 'python …/evals/gmm/run.py' --tool 'gradparity gradbench'")
def gradbench_command(
    backend: Annotated[str, typer.Option("--backend", help=f"One of {', '.join(BACKENDS)}.")] = "numpy",
    naive: Annotated[
        bool, typer.Option("--naive", help="Compute by the definition, without structural shortcuts.")
    ] = False,
) -> None:
    """Speak GradBench's protocol: a message a line on standard input, a response a line on standard output.

    All twelve evaluations, by hand or by machine, in float64. Timings named "evaluate" end when the result is there.
    """
    from gradparity_gradbench.protocol import only_json, serve
    from gradparity_gradbench.tool import eval_named, evaluations
    from gradparity_manual.runtime import keep_freed_memory

    if backend not in BACKENDS:
        raise unknown("backend", backend, BACKENDS)
    keep_freed_memory()
    evaluate = evaluations(backend, naive=naive)
    with only_json() as write:
        serve(sys.stdin, write, f"gradparity {backend}{' naive' if naive else ''}", eval_named, evaluate)
