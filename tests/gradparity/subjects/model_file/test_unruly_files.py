"""Whatever a user's file is, raises or leaves behind, it is one line that names the place."""

import subprocess
import sys
from pathlib import Path

import pytest

from gradparity.errors import UsageError
from gradparity.subjects.specs import check

RIGHT = """
import threading, time

param_shapes = {"w": (3,)}
input_shape = (3,)
target_shape = ()

def init(rng):
    return {"w": rng.normal(size=3)}

def forward(p, batch, c):
    c["z"] = batch.x @ p["w"]
    c["loss"] = ((c["z"] - batch.y) ** 2).sum()

def backward(p, batch, c, d):
    d["z"] = 2 * (c["z"] - batch.y)
    d["w"] = batch.x.T @ d["z"]
"""
SILENT = """
class Silent(Exception):
    def __repr__(self):
        raise ValueError("no")
    __str__ = __repr__
"""
THREAD = "threading.Thread(target=time.sleep, args=(0.5,)).start()"
D_Z, C_Z, SHAPES, INIT = 'd["z"] =', 'c["z"] =', "param_shapes =", "rng.normal(size=3)"
UNRULY = {
    "GeneratorExit": (D_Z, f"raise GeneratorExit; {D_Z}", r":16: backward raised GeneratorExit$"),
    "BaseException": (D_Z, f"raise BaseException('so'); {D_Z}", r":16: backward raised BaseException: so$"),
    "MemoryError": (C_Z, f"raise MemoryError; {C_Z}", r":12: forward raised MemoryError$"),
    "RecursionError": (C_Z, f"forward(p, batch, c); {C_Z}", r":12: forward raised RecursionError: maximum"),
    "SystemExit": (C_Z, f"exit(0); {C_Z}", r":12: code that is checked must not end the process"),
    "at its import": (SHAPES, f"raise GeneratorExit; {SHAPES}", r":4: importing the file must not fail"),
    "no words": (SHAPES, f"{SILENT}raise Silent; {SHAPES}", r"raised Silent: it cannot say what$"),
    "no repr": ('{"w": (3,)}', f"3{SILENT}{SHAPES} Silent()", r"from parameter name to shape, got Silent:"),
    "async": ("def forward", "async def forward", r":11: forward must run when it is called, got one that waits"),
    "a generator": (D_Z, f"yield; {D_Z}", r":15: backward must run when it is called, got one that waits"),
    "NaN": (INIT, "[float('nan')] * 3", r":8: init must .* all finite, got NaN or infinity in w$"),
    "words": (INIT, "'abc'", r":8: init must return .* of real numbers, got w as 'abc'$"),
    "a ragged list": (INIT, "[[1], [2, 3]]", r":8: init must .* got w as \[\[1\], \[2, 3\]\]$"),
    "brackets": (SHAPES, f"x = {'[' * 1000}\n{SHAPES}", r":4: Python cannot read the file, too many"),
    "depth": (SHAPES, f"x = {'-' * 99_999}1\n{SHAPES}", r"the file, its expressions nest too deep"),
    "a thread": (SHAPES, f"{THREAD}; {SHAPES}", r"must not leave a thread running, it left 'Thread-"),
    "a later thread": (D_Z, f"{THREAD}; {D_Z}", r":11: .* must not leave a thread running, it left 'Thread-"),
}


@pytest.mark.fault(kind="unruly")
@pytest.mark.parametrize("kind", UNRULY)
def test_an_unruly_file_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    old, new, said = UNRULY[kind]
    file = tmp_path / "mine.py"
    file.write_text(RIGHT.replace(old, new, 1))
    with pytest.raises(UsageError, match=said) as refused:
        check(file, backends=["numpy"])
    assert "\n" not in str(refused.value)
    assert "mine.py" in str(refused.value)


@pytest.mark.fault(kind="unruly")
def test_a_thread_that_never_ends_does_not_keep_the_command(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(RIGHT.replace("param_shapes", f"{THREAD.replace('0.5', '1000')}\nparam_shapes", 1))
    command = [sys.executable, "-m", "gradparity", "check", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
