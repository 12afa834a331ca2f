"""The cell magic ``%%gradparity``: the cell's gradients are checked, and then the cell runs as if it were not there.

%load_ext gradparity

%%gradparity --loss "cross_entropy(P, Y)" --names grad_logits=logits
P = softmax(X @ W + b)
...
"""

import argparse
import shlex
import sys
from typing import Any, NoReturn

from gradparity.errors import UsageError
from gradparity.subjects.plain import check_cell


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%gradparity [FUNCTION] [--loss EXPRESSION] [--names GRADIENT=NAME]: {message}")


def load_ipython_extension(shell: Any) -> None:
    """Give a shell the magic."""

    def gradparity(line: str, cell: str) -> None:
        try:
            given = _read(line)
            report = check_cell(cell, shell.user_ns, given.function, names=given.names, loss=given.loss)
        except UsageError as error:
            print("gradparity:", error, file=sys.stderr)
        else:
            from IPython.display import display

            display(report)  # type: ignore[no-untyped-call]
        shell.run_cell(cell)

    shell.register_magic_function(gradparity, "cell", "gradparity")


def _read(line: str) -> argparse.Namespace:
    parser = _Arguments(prog="%%gradparity", add_help=False)
    parser.add_argument("function", nargs="?", default="")
    parser.add_argument("--loss", default="")
    parser.add_argument("--names", action="append", default=[])
    return parser.parse_args(shlex.split(line))
