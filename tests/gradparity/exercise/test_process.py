"""A file checked in a process of its own: whatever it does, one clear sentence, and the file as it was."""

import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from gradparity.errors import UsageError
from gradparity.exercise import judge_file, start

Solved = Callable[..., Path]

PATIENCE = 60.0
"""Seconds for a file that is not stuck, on a busy machine."""


def untouched(path: Path) -> Callable[[], bool]:
    """Return whether, from now on, a file has kept its bytes and its time, and its folder what it holds."""

    def seen() -> object:
        return path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.rglob("*"))

    before = seen()
    return lambda: seen() == before


def test_a_right_file_agrees_and_prints_and_files_are_kept_apart(
    solved: Solved, capfd: pytest.CaptureFixture[str]
) -> None:
    noisy = (
        'print("secret", d["logits"])\n    import os\n'
        '    os.system("echo secret")\n    np.save("here.npy", d["logits"])\n'
    )
    path = solved(
        {"b": noisy + '    d["b"] = d["logits"].sum(axis=0)'}, ("import numpy as np", "import numpy as np, neighbour")
    )
    Path("neighbour.py").write_text('print("hello")\n')
    same = untouched(path)
    outcome = judge_file(path, PATIENCE)
    assert same()
    assert capfd.readouterr() == ("", "")
    assert (outcome.right, outcome.wrong, outcome.wrote) == (("logits", "W", "b"), None, True)
    printed = outcome.printed.splitlines()
    assert printed[0] == "hello"
    assert printed[-1] == "secret"
    assert printed[1].startswith("secret [[")  # what it wrote itself, for one draw
    assert len(printed) == 2 + 11 + 1 - 1
    assert outcome.witness in ("torch", "jax")


@pytest.mark.fault(kind="exercise")
def test_a_file_that_opens_itself_changes_a_copy(solved: Solved) -> None:
    path = solved({"b": 'open(__file__, "w").close()\n    d["b"] = -d["logits"].sum(axis=0)'})
    same = untouched(path)
    outcome = judge_file(path, PATIENCE)
    assert same()
    assert outcome.wrong is not None
    assert (outcome.wrong.line, outcome.wrong.symptom) == ("b", "it has the wrong sign")
    assert (outcome.printed, outcome.wrote) == ("", False)


def test_the_first_blank_is_named() -> None:
    path = start("softmax-regression")
    same = untouched(path)
    outcome = judge_file(path, PATIENCE)
    assert same()
    assert outcome.wrong is not None
    assert outcome.wrong.blank
    number = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "= ..." in text)
    assert outcome.wrong.place == f"softmax_regression.py:{number}"


@pytest.mark.fault(kind="exercise")
@pytest.mark.parametrize(
    "loop", ["while True:\n        print(0)", "sum(iter(int, 1))", "import time\n    time.sleep(1e6)"]
)
def test_a_loop_that_never_ends_is_ended_and_its_line_named(loop: str, solved: Solved) -> None:
    path = solved({"W": loop})
    same = untouched(path)
    with pytest.raises(UsageError, match=r"^my_answer\.py:(\d+): it still ran after 2 seconds") as caught:
        judge_file(path, 2.0)
    assert same()
    first = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if loop.splitlines()[0] in text)
    assert int(str(caught.value).split(":")[1]) in (first, first + 1)


ENDS = {
    "exit(3)": r"my_answer\.py:\d+: code that is checked must not end the process",
    "import torch": r"my_answer\.py:\d+: backward raised ImportError: torch derives by machine",
    "np.ones(10**10)": r"my_answer\.py:\d+: backward raised MemoryError: Unable to allocate",
    "import os\n    os._exit(0)": r"my_answer\.py: Python ended before the check was done, with status 0",
    "input()": r"my_answer\.py:\d+: backward raised EOFError",
    "import numpi": r"my_answer\.py:\d+: backward raised ModuleNotFoundError: No module named 'numpi'$",
    'raise ValueError(str(d["logits"]))': r"my_answer\.py:\d+: backward raised ValueError: \[\[",
    "import time, threading as t\n    t.Thread(target=time.sleep, args=[1e6]).start()\n    1 / 0": "ZeroDivisionError",
}


@pytest.mark.fault(kind="exercise")
@pytest.mark.parametrize("statement", ENDS)
def test_whatever_ends_early_is_one_sentence(statement: str, solved: Solved) -> None:
    path = solved({"W": statement})
    same = untouched(path)
    said = _reason(path)
    assert same()
    assert re.search(ENDS[statement], said)
    assert "\n" not in said


def _reason(path: Path) -> str:
    """Return why a file is not judged to its end."""
    try:
        wrong = judge_file(path, PATIENCE).wrong
    except UsageError as error:
        return str(error)
    assert wrong is not None
    assert wrong.raised
    return f"{wrong.place}: {wrong.symptom}"


def test_a_file_in_another_folder_is_named_as_it_was_given(solved: Solved) -> None:
    Path("sub").mkdir()
    wrong = judge_file(solved({"b": 'd["b"] = 0.0'}, name="sub/mine.py"), PATIENCE).wrong
    assert wrong is not None
    assert wrong.place == "sub/mine.py:35"
    with pytest.raises(UsageError, match=r"^sub/mine\.py:35: backward raised ZeroDivisionError"):
        judge_file(solved({"b": "1 / 0"}, name="sub/mine.py"), PATIENCE)


UNRUN = {
    'd["b"] =': r"my_answer\.py:35: Python cannot read the file, invalid syntax",
    "\0": "my_answer.py.*: Python cannot read the file",
}


@pytest.mark.fault(kind="exercise")
@pytest.mark.parametrize("text", UNRUN)
def test_a_file_that_does_not_parse_is_not_run(text: str, solved: Solved) -> None:
    with pytest.raises(UsageError, match=UNRUN[text]):
        judge_file(solved({"b": text}))


HIDES = """\
import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            time.sleep(1000)
        os._exit(0)
    print(*[each for each in os.listdir("/proc") if each.isdecimal()])
    d["b"] = d["logits"].sum(axis=0)"""


@pytest.mark.fault(kind="exercise")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux hands over the orphans, and has /proc")
def test_a_fork_that_hides_and_stays_is_ended(solved: Solved) -> None:
    file = solved({"b": HIDES})
    # Under a name of its own, for other tests judge files at the same time.
    hiding = file.rename(file.with_name("hiding.py"))
    outcome = judge_file(hiding, PATIENCE)
    assert outcome.wrong is None
    assert not psutil.Process().children(recursive=True)
    assert not [p for p in psutil.process_iter(["cmdline"]) if "hiding.py" in (p.info["cmdline"] or [])]


CHEATS = {
    "reads the recorder": 'd["b"] = d._witness["b"]',
    "writes the answer itself": """import os, sys
    from pathlib import Path
    Path(sys.argv[3]).write_text('{"right": ["logits", "W", "b"], "wrong": null, "witness": "torch"}')
    os._exit(0)""",
    "refuses itself into nothing": "import os, sys\n    open(sys.argv[3] + '.refused', 'w').close()\n    os._exit(0)",
    "replaces what judges": """import gradparity.exercise.judge as judge, gradparity.parity.judge as limits
    judge.judge = lambda *_: (("logits", "W", "b"), None)
    limits.FLOAT64_LIMIT = 1e9
    d["b"] = 0 * p["b"]""",
    "looks for the truth in memory": """import gc
    found = [x for x in gc.get_objects() if isinstance(x, dict) and isinstance(x.get("b"), np.ndarray)]
    d["b"] = next((x["b"] for x in found if x["b"] is not p["b"]), 0 * p["b"])""",
    "changes its numbers": 'batch.x.flags.writeable = True\n    batch.x[...] = 0\n    d["b"] = 0 * p["b"]',
}


@pytest.mark.fault(kind="exercise")
@pytest.mark.parametrize("cheat", CHEATS)
def test_a_file_cannot_make_itself_right(cheat: str, solved: Solved) -> None:
    try:
        wrong = judge_file(solved({"b": CHEATS[cheat]}), PATIENCE).wrong
    except UsageError:
        return
    assert wrong is not None


@pytest.mark.fault(kind="words")
def test_what_it_prints_cannot_steer_the_terminal(solved: Solved) -> None:
    printed = judge_file(solved({"b": 'print("\\x1b[2J", "x" * 9999)'}), PATIENCE).printed
    assert printed.startswith("\\x1b[2J xxx")
    assert printed.endswith("x\n…")
    assert len(printed) < 2100
