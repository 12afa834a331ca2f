"""From an argument to a model: what is found in the file, and each way in which it is not."""

import re
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.__main__ import run
from gradparity.errors import UsageError
from gradparity.subjects.model_file import is_file, load

BODY = """
    param_shapes = {"w": (3,)}
    input_shape = 3
    target_shape = ()

    def forward(self, p, batch, c):
        c["loss"] = ((batch.x @ p["w"] - batch.y) ** 2).sum()

    def backward(self, p, batch, c, d):
        d["w"] = 2 * batch.x.T @ (batch.x @ p["w"] - batch.y)
"""
FIRST, SECOND = f"class First:{BODY}", f"class Second:{BODY}"
FUNCTIONS = textwrap.dedent(BODY).replace("self, ", "")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "my_model.py") -> str:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
        return name

    return write


@pytest.mark.parametrize(
    ("argument", "file"),
    [("a.py", True), ("b/a.py:Name", True), ("a.py:", True), ("mlp", False), ("a.pyc", False), ("pytorch", False)],
)
def test_a_file_is_told_from_a_name(argument: str, file: bool) -> None:
    assert is_file(argument) is file


@pytest.mark.parametrize(
    ("text", "suffix", "name"),
    [
        (FUNCTIONS, "", "my_model"),
        (FIRST, "", "First"),
        (FIRST + SECOND, ":Second", "Second"),
        (FIRST + FUNCTIONS, "", "my_model"),
        (f"{FIRST}\nbest = First()", ":best", "best"),
        (f"class Base:{BODY}\nclass Whole(Base):\n    param_shapes = {{'w': 3}}", ":Whole", "Whole"),
    ],
)
def test_finds_the_model(write: Callable[[str], str], text: str, suffix: str, name: str) -> None:
    model = load(write(text) + suffix)
    assert model.name == name
    assert model.param_shapes == {"w": (3,)}
    assert model.target_shape == ()
    assert model.num_classes is None


def test_an_imported_class_is_not_the_files_own(write: Callable[..., str]) -> None:
    write(SECOND, "other.py")
    assert load(write(f"from other import Second\n{FIRST}")).name == "First"


def test_a_file_may_import_its_neighbours_and_leaves_no_trace(write: Callable[..., str]) -> None:
    before, path = set(sys.modules), sys.path[:]
    text = FUNCTIONS.replace("(3,)", "sizes.N")
    for folder, n in (("one", 3), ("two", 5)):
        write(f"from pack.inner import N\nassert N == {n}", f"{folder}/sizes.py")
        Path(folder, "pack").mkdir()
        write(f"N = {n}", f"{folder}/pack/inner.py")
        assert load(write(f"import sizes\n{text}", f"{folder}/my_model.py")).param_shapes == {"w": (n,)}
    assert sys.path == path
    assert set(sys.modules) == before


def test_a_library_that_the_file_imports_first_stays_loaded(write: Callable[..., str]) -> None:
    sys.modules.pop("this_is_a_library", None)
    Path("lib").mkdir()
    write("N = 3", "lib/this_is_a_library.py")
    load(write(f"import sys\nsys.path.append('lib')\nimport this_is_a_library\n{FUNCTIONS}"))
    assert sys.modules.pop("this_is_a_library").N == 3
    assert "lib" not in sys.path


def test_a_dataclass_with_annotations_as_text_can_be_a_model(write: Callable[..., str]) -> None:
    text = (
        f"from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\n{FIRST}\n    n: int = 3\n"
    )
    assert load(write(text)).name == "First"


def test_a_changed_file_is_read_anew(write: Callable[..., str]) -> None:
    assert load(write(FUNCTIONS)).input_shape == (3,)
    assert load(write(FUNCTIONS.replace("input_shape = 3", "input_shape = 4"))).input_shape == (4,)


@pytest.mark.fault(kind="unruly")
def test_files_of_two_folders_loaded_by_two_threads_keep_their_own_neighbours(tmp_path: Path) -> None:
    body = FUNCTIONS.replace(
        "input_shape = 3", "import time\ntime.sleep(0.001)\nimport sizes\ninput_shape = sizes.SIZE"
    )
    files = []
    for size in (3, 4):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / "sizes.py").write_text(f"SIZE = {size}")
        (folder / "my_model.py").write_text(body)
        files.append(str(folder / "my_model.py"))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(load, files * 10))
    assert [model.input_shape for model in found] == [(3,), (4,)] * 10


def test_a_loaded_model_computes(write: Callable[..., str]) -> None:
    model = load(write(FIRST))
    rng = np.random.default_rng(0)
    p, batch, c, d = model.init(rng), model.example_batch(rng, 4), {}, {}  # type: ignore[var-annotated]
    model.hand.forward(p, batch, c)
    model.hand.backward(p, batch, c, d)
    assert c["loss"].shape == ()
    assert d["w"].shape == (3,)


MISTAKES: dict[str, tuple[str | None, str, str]] = {
    # name: (text, argument, message)
    "no such file": (None, "my_model.py", r"there is no model file 'my_model\.py': check the path"),
    "a folder": (None, ".", r"a model's file ends in \.py, got '\.'"),
    "another kind of file": ("", "my_model.txt", r"a model's file ends in \.py, got 'my_model\.txt'"),
    "not Python": ("x = 1\ndef forward(p batch):\n", "", r"my_model\.py:2: Python cannot read the file, "),
    "not text": ("x = '\0'", "", r"my_model\.py:?\d*: Python cannot read the file, "),
    "an exception at import": ("x = 1\n\ny = x / 0", "", r"my_model\.py:3: importing .* raised ZeroDivisionError: div"),
    "a library that is missing": ("import no_such", "", r"my_model\.py:1: .*'no_such': install it, or put it beside"),
    "an exit": ("import sys\nsys.exit('bye')", "", r"my_model\.py:2: importing .* it raised SystemExit: bye"),
    "an empty file": ("", "", r"my_model\.py: 'param_shapes' is missing: a model needs param_shapes, input_shape"),
    "forward alone": (FUNCTIONS[: FUNCTIONS.index("def back")], "", r"my_model\.py: 'backward' is missing"),
    "a function misspelt": (
        FUNCTIONS.replace("forward", "foward"),
        "",
        r".*'forward' is missing.* did you mean 'foward'",
    ),
    "two classes": (
        FIRST + SECOND,
        "",
        r"my_model\.py: .* is one model, got 2: choose my_model\.py:First or my_model\.py:Second",
    ),
    "a class misspelt": (
        FIRST + SECOND,
        "my_model.py:Frist",
        r"unknown model in my_model\.py 'Frist': there is First, Second; did you mean 'First'\?",
    ),
    "a name that is no model": (f"x = 1\n{FIRST}", "my_model.py:x", r"my_model\.py: 'param_shapes' is missing"),
    "a class with arguments": (
        FIRST.replace("input_shape = 3", "input_shape = 3\n    def __init__(self, width): pass"),
        "",
        r"my_model\.py:1: class First must be made without arguments, missing a required argument: 'width'",
    ),
    "a class that cannot be made": (
        FIRST.replace("input_shape = 3", "input_shape = 3\n    def __init__(self): self.n = len(3)"),
        "",
        r"my_model\.py:4: making a First raised TypeError: object of type 'int' has no len",
    ),
}


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake: str, write: Callable[..., str]) -> None:
    text, argument, says = MISTAKES[mistake]
    if text is not None:
        write(text)
    before = set(sys.modules), sys.path[:]
    with pytest.raises(UsageError) as caught:
        load(argument or "my_model.py")
    assert "\n" not in str(caught.value)
    assert re.match(says, str(caught.value)), caught.value
    assert (set(sys.modules), sys.path) == before


def test_the_command_line_says_it_in_one_line_too(check: Callable[..., Any]) -> None:
    found = check(("def forward(p, batch, c):", "def forward(p batch, c):"))
    assert (found.status, found.out) == (2, "")
    assert found.err.startswith(f"gradparity: my_model.py:{found.line('def forward')}: Python cannot read the file")
    assert found.err.count("\n") == 1


def test_settings_are_for_built_in_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "my_model.py", "--set", "n=3"]) == 2
    assert "settings are for built-in models, got n=3 for 'my_model.py': set it in the file" in capsys.readouterr().err
