"""Tools that must fail, of which GradBench's own comparison says that they are valid."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity_gradbench.conversation import Ask, converse, tool
from gradparity_gradbench.referee import WAITED, share_waited, wrong

TOOL = """
import json, sys, time
for line in sys.stdin:
    message = json.loads(line)
    response = {"id": message["id"], "success": True, "output": [1.0], "timings": []}
    for _ in range(message.get("input", {}).get("min_runs", 1)):
        began = time.perf_counter_ns()
        %s
        response["timings"].append({"name": "evaluate", "nanoseconds": time.perf_counter_ns() - began})
    %s
    print(json.dumps(response), flush=True)
"""
EVALUATION = """
import json, sys
for id, kind in enumerate(["start", "define", "evaluate", "analysis"]):
    print(json.dumps({"id": id, "kind": kind, "module": "hello", "function": "square", "input": {}}), flush=True)
    assert json.loads(sys.stdin.readline())["id"] == id
"""
SLEEPS = "time.sleep(0.01)"
SLEEPS_LATER = "time.sleep(0.01 * len(response['timings']))"


def bad_tool(within: str = "pass", after: str = "pass") -> AbstractContextManager[Ask]:
    return tool([sys.executable, "-c", TOOL % (within, after)])


def message(id: int = 0, **given: Any) -> dict[str, Any]:
    return {"id": id, "kind": "evaluate", "module": "hello", "function": "square", "input": given}


def as_gradbench_compares(expected: np.ndarray, received: np.ndarray) -> bool:
    """|a − b| / max(1, |a| + |b|) at most 1e-4: its documented tolerance."""
    return bool((np.abs(received - expected) / np.maximum(1, np.abs(expected) + np.abs(received)) <= 1e-4).all())


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


def test_a_gradient_of_zeros_is_wrong_where_gradbench_lets_it_pass() -> None:
    right = softmax(np.random.default_rng(0).uniform(size=20_000))
    zeros = np.zeros_like(right)
    assert as_gradbench_compares(right, zeros)
    assert list(wrong(right.tolist(), zeros.tolist())) == [
        "output has a relative error of 1.0e+00, allowed are 1e-10, every number of it is zero"
    ]


@pytest.mark.parametrize(
    ("received", "said"),
    [
        ([1.0, float("nan")], "is NaN"),
        ([1.0, None], "is NaN"),
        ([1.0, "two"], "must be numbers"),
        ([1.0], "in the shape"),
        ([1.0, 2.0 + 1e-9], "relative error of"),
        (None, "in the shape"),
    ],
)
def test_what_is_not_the_answer_is_wrong(received: Any, said: str) -> None:
    (sentence,) = wrong([1.0, 2.0], received)
    assert said in sentence


def test_named_outputs_are_judged_one_by_one() -> None:
    assert list(wrong({"a": 1.0, "b": [0.0]}, {"a": 1.0, "b": [0.0]})) == []
    assert [s.partition(" ")[0] for s in wrong({"a": 1.0, "b": [1.0]}, {"a": 1.0, "b": [0.0]})] == ["output.b"]
    assert list(wrong({"a": 1.0}, {"b": 1.0})) == ["output must have a, got b"]


def asked_twice(own: AbstractContextManager[Ask]) -> float:
    with own as ask:
        ask(message(0, min_runs=1))
        return share_waited(ask(message(1, min_runs=2)), ask(message(2, min_runs=8)))


def test_a_clock_that_does_not_wait_for_the_result_is_found() -> None:
    assert asked_twice(bad_tool(within=SLEEPS)) > WAITED
    assert asked_twice(bad_tool(after=SLEEPS_LATER)) < WAITED


@pytest.mark.parametrize("output", ["response['output'] = [float('nan')]", "print('warning: slow')", "sys.exit()"])
def test_what_is_not_json_is_refused(output: str) -> None:
    with bad_tool(after=output) as ask, pytest.raises(UsageError, match="answers each message with a line of JSON"):
        ask(message())


def test_a_program_of_gradbench_talks_with_a_tool(tmp_path: Path) -> None:
    program = tmp_path / "run.py"
    program.write_text(EVALUATION)
    with bad_tool() as ask:
        said = list(converse([sys.executable, "run.py"], ask, tmp_path))
    assert [exchange.message["kind"] for exchange in said] == ["start", "define", "evaluate", "analysis"]
    assert all(exchange.succeeded for exchange in said)


def test_an_answer_with_another_id_is_no_success() -> None:
    with bad_tool(after="response['id'] += 1") as ask:
        assert not ask(message()).succeeded
