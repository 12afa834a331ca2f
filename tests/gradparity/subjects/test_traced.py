"""A trace in a file: what another program computed is held against the derivation, line by line."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gradparity import MLP, SoftmaxRegression
from gradparity.errors import UsageError
from gradparity.subjects import traced

SPEC = MLP(widths=(5, 4, 3))
C_PROGRAM = Path(__file__).parents[3] / "examples" / "c" / "softmax_regression.c"


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "trace.safetensors"
    traced.write(path, SPEC)
    return path


def _without_inputs(trace: Path) -> dict[str, np.ndarray]:
    return {name: a for name, a in load_file(trace).items() if name.startswith(("c/", "d/"))}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_written_agrees_when_it_is_read(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "trace.safetensors"
    traced.write(path, SPEC, dtype=dtype)  # type: ignore[arg-type]
    report = traced.against(path, SPEC)
    assert report.agrees
    assert {row.lane for row in report.rows} == {dtype}
    assert {row.kind for row in report.rows} == {"value", "gradient", "whole gradient"}


def test_the_one_line_that_is_wrong_is_named_though_it_spoils_those_after_it(trace: Path, tmp_path: Path) -> None:
    arrays = _without_inputs(trace)
    spoilt = ("d/z1", "d/W1", "d/b1")
    path = tmp_path / "mine.safetensors"
    save_file(arrays | {name: -arrays[name] for name in spoilt}, path)
    report = traced.against(path, SPEC)
    (finding,) = report.findings
    assert (finding.name, finding.diagnosis) == ("d['z1']", "d['z1'] has the wrong sign")
    assert {row.line for row in report.consequences} == {"W1", "b1"}


@pytest.mark.fault(kind="silence")
def test_a_name_that_is_left_out_is_said_and_a_parameter_without_gradient_is_not_agreement(
    trace: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.safetensors"
    arrays = _without_inputs(trace)
    save_file({name: a for name, a in arrays.items() if name != "c/a1"}, path)
    assert traced.against(path, SPEC).agrees
    save_file({name: a for name, a in arrays.items() if name not in ("c/a1", "d/W2")}, path)
    report = traced.against(path, SPEC)
    assert "mine.safetensors leaves out c['a1'], d['W2']" in report.remarks
    assert [str(each) for each in report.unchecked] == [
        "d['W2'] of mine.safetensors is not checked: the file has no 'd/W2'"
    ]


def test_a_shape_that_is_wrong_is_told_and_spoils_no_other_line(trace: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    arrays = _without_inputs(trace)
    save_file(arrays | {"d/z2": arrays["d/z2"].T.copy()}, path)
    assert [row.name for row in traced.against(path, SPEC).findings] == ["d['z2']"]


@pytest.mark.fault(kind="format")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"batch/x": np.zeros((11, 5))}, "was made of another 'batch/x' than this check draws: give the --seed"),
        ({"params/W9": np.zeros(3)}, "holds 'params/W9': this model has params/W1"),
        ({"d/z9": np.zeros(3)}, "holds 'd/z9', which the derivation does not name: it has"),
        ({"z1": np.zeros(3)}, r"a name must begin with params/, batch/, c/ or d/, got 'z1'"),
        ({"d/z1": np.zeros((11, 4), np.float32)}, "must all be float32 or all float64, got"),
    ],
)
def test_a_trace_of_something_else_is_refused(
    trace: Path, tmp_path: Path, change: dict[str, np.ndarray], says: str
) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(load_file(trace) | change, path)
    with pytest.raises(UsageError, match=says):
        traced.against(path, SPEC)


@pytest.mark.fault(kind="format")
def test_what_is_no_whole_file_is_refused(trace: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(trace.read_bytes()[:-8])
    with pytest.raises(UsageError, match="is not a whole safetensors file"):
        traced.against(cut, SPEC)
    with pytest.raises(UsageError, match="does not exist: write one with  gradparity trace"):
        traced.against(tmp_path / "none.safetensors", SPEC)


@pytest.mark.skipif(shutil.which("cc") is None, reason="the example needs a C compiler, cc")
@pytest.mark.parametrize(
    ("right", "wrong", "finds"),
    [
        ("", "", []),
        ("(k == y[i])) / n", "(k == y[i]))", ["d['logits']"]),
        ("db[k] += d", "db[k] = d", ["d['b']"]),
        ("z = b[k]", "z = -b[k]", ["c['logits']"]),
    ],
)
def test_a_program_in_c_is_checked_line_by_line(tmp_path: Path, right: str, wrong: str, finds: list[str]) -> None:
    source, spec = tmp_path / "program.c", SoftmaxRegression(7, 5)
    assert right in C_PROGRAM.read_text()
    source.write_text(C_PROGRAM.read_text().replace(right, wrong) if right else C_PROGRAM.read_text())
    traced.write(tmp_path / "trace.safetensors", spec)
    for command in (
        ["cc", "-O1", "-Wall", "-Werror", "program.c", "-lm", "-o", "program"],
        ["./program", "trace.safetensors", "mine.safetensors"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    assert [row.name for row in traced.against(tmp_path / "mine.safetensors", spec).findings] == finds
