"""What a tool says to each message, from its first line to the end of its input."""

import json
import subprocess
import sys
from typing import Any

import pytest

from gradparity.errors import UsageError
from gradparity_gradbench.protocol import Evaluation, respond, serve

COMMAND = [sys.executable, "-m", "gradparity", "gradbench"]


def define(module: str) -> None:
    if module != "there":
        raise UsageError(f"unknown evaluation '{module}'")


def evaluate(_module: str, function: str, _given: Any) -> Evaluation:
    def run() -> float:
        if function == "raises":
            raise ZeroDivisionError("of one line\nand another")
        if function == "ends":
            raise SystemExit(3)
        return float("nan") if function == "nan" else 2.0

    return Evaluation(run, lambda result: [result])


def ask(**message: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(respond(json.dumps(message), "mine", define, evaluate))
    return answer


def test_a_start_is_answered_with_the_tools_name() -> None:
    assert ask(id=0, kind="start", eval="llsq") == {"id": 0, "tool": "mine"}


@pytest.mark.parametrize("message", [{"kind": "analysis", "of": 2, "valid": False}, {"kind": "new"}, {}])
def test_what_is_only_told_is_answered_with_its_id(message: dict[str, Any]) -> None:
    assert ask(id=7, **message) == {"id": 7}


def test_a_module_is_there_or_why_not() -> None:
    answer = ask(id=1, kind="define", module="there")
    assert (answer["id"], answer["success"]) == (1, True)
    assert [timing["name"] for timing in answer["timings"]] == ["define"]
    assert ask(id=2, kind="define", module="lost") == {
        "id": 2,
        "success": False,
        "error": "unknown evaluation 'lost'",
    }


def timings(**given: Any) -> list[dict[str, Any]]:
    answer = ask(id=3, kind="evaluate", module="there", function="two", input=given)
    assert answer["output"] == [2.0]
    found: list[dict[str, Any]] = answer["timings"]
    assert all(type(timing["nanoseconds"]) is int and timing["nanoseconds"] >= 0 for timing in found)
    return found


def test_every_run_has_a_timing_and_what_is_done_once_has_a_name_of_its_own() -> None:
    assert [timing["name"] for timing in timings(min_runs=3, min_seconds=0)] == ["read", "warmup", *["evaluate"] * 3]
    assert [timing["name"] for timing in timings()] == ["read", "warmup", "evaluate"]


def test_runs_go_on_until_both_minima_are_reached() -> None:
    found = [timing["nanoseconds"] for timing in timings(min_runs=2, min_seconds=0.002) if timing["name"] == "evaluate"]
    assert len(found) >= 2
    assert sum(found) >= 2e6
    assert sum(found[:-1]) < 2e6 or len(found) == 2


@pytest.mark.parametrize(
    ("function", "error"),
    [("raises", "ZeroDivisionError: of one line and another"), ("ends", "SystemExit: 3"), ("nan", "ValueError")],
)
def test_what_is_raised_and_what_json_lacks_is_a_failure_of_one_line(function: str, error: str) -> None:
    answer = ask(id=4, kind="evaluate", module="there", function=function, input={})
    assert (answer["id"], answer["success"]) == (4, False)
    assert answer["error"].startswith(error)
    assert "\n" not in answer["error"]
    assert "output" not in answer


@pytest.mark.parametrize("message", [{"kind": "define"}, {"kind": "evaluate", "module": "there"}])
def test_a_message_without_what_it_needs_is_a_failure(message: dict[str, Any]) -> None:
    assert ask(id=5, **message)["success"] is False


@pytest.mark.parametrize("line", ["", "{", "[1]", '{"kind": "start"}'])
def test_a_line_that_is_no_message_is_answered_too(line: str) -> None:
    answer = json.loads(respond(line, "mine", define, evaluate))
    assert (answer["id"], answer["success"]) == (None, False)


def test_empty_lines_are_no_messages_and_the_end_of_input_is_the_end() -> None:
    said: list[str] = []
    serve(["\n", '{"id": 0, "kind": "start"}\n'], said.append, "mine", define, evaluate)
    assert [json.loads(line) for line in said] == [{"id": 0, "tool": "mine"}]


TRANSCRIPT = """
{"id": 0, "kind": "start", "eval": "hello"}
{"id": 1, "kind": "define", "module": "hello"}
{"id": 2, "kind": "evaluate", "module": "hello", "function": "square", "input": 3.0}
{"id": 3, "kind": "analysis", "of": 2, "valid": true}
{"id": 4, "kind": "evaluate", "module": "hello", "function": "double", "input": 9}
{"id": 5, "kind": "evaluate", "module": "hello", "function": "cube", "input": 9}
{"id": 6, "kind": "define", "module": "goodbye"}
{"id": 7, "kind": "evaluate", "module": "hello", "function": "square", "input": 1e300}
{"id": 8, "kind": "evaluate", "module": "lse", "function": "gradient", "input": {"x": [1.0, "two"]}}
"""


def test_the_command_writes_nothing_but_json_and_ends_quietly() -> None:
    done = subprocess.run(COMMAND, input=TRANSCRIPT, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == list(range(9))
    assert answers[0]["tool"] == "gradparity numpy"
    assert [answer.get("success") for answer in answers] == [None, True, True, None, True, False, False, False, False]
    assert (answers[2]["output"], answers[4]["output"]) == (9.0, 18.0)
    assert answers[5]["error"].startswith("unknown function of hello 'cube'")
    assert "is NaN or infinite" in answers[7]["error"]
    assert "Traceback" not in done.stderr


PRINTS = """
import os, sys
from gradparity_gradbench.protocol import only_json
with only_json() as write:
    print("said by Python")
    os.write(1, b"said past Python\\n")
    write("{}")
print("afterwards")
"""


def test_what_is_printed_does_not_come_between_the_lines_of_json() -> None:
    done = subprocess.run([sys.executable, "-c", PRINTS], capture_output=True, text=True, check=True)
    assert done.stdout == "{}\nafterwards\n"
    assert "said by Python" in done.stderr
    assert "said past Python" in done.stderr


@pytest.mark.parametrize("backend", ["numpyy", "numpy-autograd"])
def test_a_backend_that_has_no_ways_is_said_in_one_line(backend: str) -> None:
    done = subprocess.run([*COMMAND, "--backend", backend], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"gradparity: unknown backend '{backend}'")
    assert done.stdout == ""
