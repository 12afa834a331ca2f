"""``python -m tests.matrix``: install the wheel on every Python that is here, and write docs/versions.md.

Each Python has the wheel with NumPy alone, with JAX, with PyTorch and with all, in an environment of its own, and what
a newcomer types first is run in each. It needs an index of packages; what cannot be installed is said in its cell.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "versions.md"
CONSTRAINTS = ROOT / "constraints.txt"
OLDEST = (3, 11)
LIBRARIES = ("numpy", "jax", "torch")
EXTRAS = {"NumPy alone": "", "with JAX": "[jax]", "with PyTorch": "[torch]", "all": "[all]"}
COMMANDS = (
    ("check", "softmax_regression"),
    ("check", "mlp", "--draws", "2"),
    ("explain", "mlp", "-q"),
    ("train", "--epochs", "1"),
)
HEAD = """# Versions

The wheel on each Python that NumPy, JAX and PyTorch all support, beside each of them: installed in an environment of
its own, where a check, a sweep, an explanation and an epoch of training must end with status 0. A cell has the versions
that agree there, or what was missing. `make matrix` writes this page.

"""


def pythons() -> dict[str, Path | None]:
    """Return each version that all libraries name in their classifiers -> its interpreter here, or None."""
    known = [set(map(_minor, metadata(library).get_all("Classifier", []))) for library in LIBRARIES]
    versions = sorted(minor for minor in set.intersection(*known) if (3, minor) >= OLDEST)
    return {f"3.{minor}": _interpreter(f"3.{minor}") for minor in versions}


def _minor(classifier: str) -> int:
    found = re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", classifier)
    return int(found[1]) if found else 0


def _interpreter(version: str) -> Path | None:
    """Look on PATH, and where pyenv keeps them, whose command there may stand for none."""
    own = [Path(path) for path in (shutil.which(f"python{version}"),) if path]
    for path in [*own, *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]:
        if _run([path, "--version"]).stdout.startswith(f"Python {version}."):
            return path
    return None


def cell(python: Path, wheel: Path, extra: str) -> str:
    """Install the wheel with an extra and run every command; return what there is to say of it."""
    wanted = [f"{wheel}{extra}"]
    if extra in ("[torch]", "[all]") and sys.platform == "linux":
        # The builds for a GPU bring gigabytes that no check uses.
        pinned = next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("torch=="))
        wanted.append(f"{pinned.partition('+')[0]}+cpu")
    with TemporaryDirectory() as folder:
        bin_ = Path(folder) / "bin"
        _run([python, "-m", "venv", folder])
        pip = [bin_ / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "-c", CONSTRAINTS]
        for build in wanted[1:]:
            if _run([*pip, "--dry-run", "--no-deps", build]).returncode:
                return f"pip finds no {build} for it"
        installed = _run([*pip, *wanted])
        if installed.returncode:
            return f"not installed: {_last(installed.stderr, 'ERROR')}"
        for command in COMMANDS:
            done = _run([bin_ / "gradparity", *command], folder)
            if done.returncode:
                return f"`{' '.join(command)}` exits with {done.returncode}: {_last(done.stderr)}"
        found = _run([bin_ / "python", "-m", "pip", "list", "--format", "freeze"]).stdout.split()
        return ", ".join(each.replace("==", " ") for each in found if each.partition("==")[0] in LIBRARIES)


def _last(text: str, begins: str = "") -> str:
    lines = [line for line in text.splitlines() if line.startswith(begins)]
    return lines[-1].removeprefix(f"{begins}: ") if lines else ""


def _run(command: Sequence[object], folder: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, check=False)


def table(rows: Mapping[str, Iterable[str]]) -> str:
    """Write the cells as a table: a row for each Python."""
    lines = [["Python", *EXTRAS], ["---"] * (1 + len(EXTRAS)), *([version, *cells] for version, cells in rows.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Fill the table, a row at a time, and write the page."""
    with TemporaryDirectory() as folder:
        _run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT]).check_returncode()
        (wheel,) = Path(folder).glob("*.whl")
        rows = {}
        for version, python in pythons().items():
            rows[version] = [cell(python, wheel, extra) if python else "not here" for extra in EXTRAS.values()]
            print(version, *rows[version], sep="\n  ", flush=True)
    PAGE.write_text(f"{HEAD}{table(rows)}", encoding="utf-8")


if __name__ == "__main__":
    main()
