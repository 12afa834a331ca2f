"""A suite run on a rule with a mistake: in a process of its own, and without a change to any file of the user's."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from gradparity.errors import UsageError
from gradparity.output import scratch
from gradparity_mutants.suite import hook
from gradparity_mutants.suite.edits import Mistake, RuleSource, edits

Verdict: TypeAlias = Literal["caught", "survives", "changes nothing", "never runs"]
PATIENCE = 10.0
"""A mutant may take this many times what the right rule takes, and as many seconds: then it hangs, which is seen."""
Off: TypeAlias = tuple[float, float]
"""How far an entry of a gradient is off, and how large it should be."""
TOLERANCES = tuple(float(f"{digit}e{power}") for power in range(0, -13, -1) for digit in (5, 2, 1))


@dataclass(frozen=True)
class TriedMistake:
    """What a suite said of one mistake."""

    line: int
    code: str
    what: str
    verdict: Verdict
    off: tuple[Off, ...]
    """The worst entries of the gradients that the suite asked for."""

    @property
    def relative(self) -> float | None:
        """The largest relative error that the suite could have seen."""
        return max((off / size for off, size in self.off if size), default=None)


class SuiteRun(NamedTuple):
    """One run of a suite."""

    passed: bool
    output: str
    called: bool
    """Whether the rule was."""
    off: tuple[Off, ...]
    seconds: float


def try_all(
    rule: RuleSource, command: Sequence[str], progress: Callable[[str], None] = lambda _: None
) -> Iterator[TriedMistake]:
    """Run a suite once as it is and once with each mistake.

    Raises UsageError where it fails as it is, where it does not run the rule, and where there is nothing to mistake.
    """
    planned = list(edits(rule))
    if not planned:
        raise UsageError(f"{rule.file}: {rule.name} computes nothing that a mistake could be made in")
    with scratch() as folder:
        progress("the suite as it is")
        first = _run(rule, None, command, folder, None)
        _require_sound(rule, command, first)
        for i, edit in enumerate(planned, start=1):
            progress(f"{i} of {len(planned)}: {rule.file.name}:{edit.line}, {edit.what}")
            ran = _run(rule, edit, command, folder, PATIENCE * (1 + first.seconds))
            yield TriedMistake(edit.line, rule.source(edit.line), edit.what, _verdict(ran), ran.off)


def tolerances(tried: Sequence[TriedMistake]) -> tuple[float, float] | None:
    """Return the loosest rtol, and with it the loosest atol, at which |a − b| ≤ atol + rtol·|b| passes no mistake.

    Both are 1, 2 or 5 times a power of ten. None where the suite saw no mistake change a number.
    """
    seen = [each.off for each in tried if each.off]

    def catch(rtol: float, atol: float) -> bool:
        return all(any(off > atol + rtol * size for off, size in each) for each in seen)

    rtol = next((rtol for rtol in TOLERANCES if catch(rtol, 0.0)), None)
    if not seen or rtol is None:
        return None
    # Halfway, so that the other one has room.
    tighter = next(each for each in TOLERANCES if each <= rtol / 2)
    atol = next((atol for atol in TOLERANCES if catch(tighter, atol)), 0.0)
    return tighter, atol


def _require_sound(rule: RuleSource, command: Sequence[str], first: SuiteRun) -> None:
    shown = " ".join(command)
    if not first.passed:
        last = first.output.strip().splitlines()[-1:] or ["it printed nothing"]
        raise UsageError(f"'{shown}' fails before any mistake is made, {last[0]}: make it pass first")
    if not first.called:
        raise UsageError(
            f"'{shown}' never runs {rule.name} of {rule.file}: name a suite that does; a rule in a test's own file, or "
            "in a script that is run, must move to a module that it imports"
        )


def _verdict(ran: SuiteRun) -> Verdict:
    if not ran.passed:
        return "caught"
    if not ran.called:
        return "never runs"
    return "survives" if ran.off else "changes nothing"


def _run(rule: RuleSource, edit: Mistake | None, command: Sequence[str], folder: Path, limit: float | None) -> SuiteRun:
    notes = folder / "notes.jsonl"
    notes.unlink(missing_ok=True)
    plan = {"file": os.path.realpath(rule.file)}
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / "tree.pickle").write_bytes(pickle.dumps(rule.mutated(edit)))
    shutil.copy(hook.__file__, folder / "gradparity_mutate_hook.py")
    start = f"import gradparity_mutate_hook\ngradparity_mutate_hook.install({str(folder)!r})\n"
    (folder / "sitecustomize.py").write_text(start, encoding="utf-8")
    began = time.perf_counter()
    with _started(command, folder) as process:
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return SuiteRun(False, "", True, (), limit or 0.0)
    found = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()] if notes.exists() else []
    off = tuple(dict.fromkeys((float(a), float(b)) for pairs in found for a, b in pairs))
    worst = sorted(off, key=lambda pair: pair[0])[-1:] + sorted(off, key=lambda p: p[0] / p[1] if p[1] else 0.0)[-1:]
    seconds = time.perf_counter() - began
    return SuiteRun(process.returncode == 0, output, bool(found), tuple(dict.fromkeys(worst)), seconds)


@contextmanager
def _started(command: Sequence[str], folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start the suite; whatever happens here, such as Ctrl-C, it does not go on alone."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONDONTWRITEBYTECODE": "1",
        # The first failure decides, and a cache of what failed would be left behind.
        "PYTEST_ADDOPTS": f"{os.environ.get('PYTEST_ADDOPTS', '')} -x -p no:cacheprovider".strip(),
    }
    try:
        process = subprocess.Popen(
            _found(command),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(f"'{command[0]}' cannot be run, {error.strerror}: check the command after --") from None
    with process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the processes that it has started itself


def _found(command: Sequence[str]) -> list[str]:
    """Take this environment's own pytest and python where the shell would find others, or none."""
    beside = Path(sys.executable).parent / command[0]
    if command[0] in ("python", "python3"):
        return [sys.executable, *command[1:]]
    return [str(beside) if os.sep not in command[0] and beside.is_file() else command[0], *command[1:]]
