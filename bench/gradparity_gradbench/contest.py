"""``python -m gradparity_gradbench.contest FILE NAME=TOOL…``: tools of GradBench in turns, on its own messages.

FILE holds GradBench's messages, a line each, as its own programs send them. A TOOL is a command that answers them, on
one thread, as GradBench runs its own. Each is asked in turns, round by round, and what is compared is the paired ratio
to the first of what they say that their runs took, beside a second copy of the first. What a run takes as it is seen
from outside says whose clock did not wait.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from gradparity.drawing import Table, table_of
from gradparity.drawing.terminal import Shown, console
from gradparity.errors import UsageError
from gradparity.timing import AGAIN, Timings
from gradparity_bench.engine.process import VARIABLES
from gradparity_gradbench.conversation import Ask, Exchange, tool
from gradparity_gradbench.protocol import Message
from gradparity_gradbench.referee import WAITED, share_waited

ROUNDS = 7
ONCE = 2
"""Runs of the first of two messages, whose difference shows what a run takes from outside."""
SEEN = 0.3
"""Seconds that the second one's further runs take at least, so that a message's own time does not count."""


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def contest(
    messages: Annotated[Path, typer.Argument(help="GradBench's messages, a line of JSON each.")],
    tools: Annotated[list[str], typer.Argument(help="NAME=COMMAND each; ratios are to the first.")],
    folder: Annotated[Path | None, typer.Option("--folder", help="Where the commands are run.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=3, help="Turns of each tool.")] = ROUNDS,
) -> None:
    """Time tools in turns on GradBench's own messages."""
    asked = [json.loads(line) for line in messages.read_text().splitlines()]
    commands = dict(_named(each) for each in tools)
    for message in (m for m in asked if m["kind"] == "evaluate"):
        found, waited = time_tools(message, commands, folder, rounds)
        console.print(Shown(contest_table(message, found, waited)))


def time_tools(
    message: Message, commands: Mapping[str, str], folder: Path | None, rounds: int
) -> tuple[Timings, dict[str, float]]:
    """Return the seconds of a run of each tool, round by round, and the share of a run that its clock tells.

    Raises UsageError where a tool does not answer with success.
    """
    with ExitStack() as stack:
        environment = os.environ | dict.fromkeys(VARIABLES, "1")
        asks = {
            name: stack.enter_context(tool(shlex.split(command), folder=folder, environment=environment))
            for name, command in {**commands, AGAIN: next(iter(commands.values()))}.items()
        }
        for name, ask in asks.items():
            _answered(name, ask({"id": 0, "kind": "start"}))
            _answered(name, ask({"id": 1, "kind": "define", "module": message["module"]}))
        more = {name: _enough(name, ask, message) for name, ask in asks.items()}
        seconds: dict[str, list[float]] = {name: [] for name in asks}
        shares: dict[str, list[float]] = {name: [] for name in asks}
        for _ in range(rounds):
            for name, ask in asks.items():
                once, twice = (_asked(name, ask, message, runs) for runs in (ONCE, more[name]))
                seconds[name].append(min(twice.evaluate_seconds))
                shares[name].append(share_waited(once, twice))
    again = tuple(seconds.pop(AGAIN))
    return Timings({name: tuple(own) for name, own in seconds.items()}, again), {
        n: median(s) for n, s in shares.items()
    }


def _enough(name: str, ask: Ask, message: Message) -> int:
    """Return runs that take SEEN longer than ONCE, seen from outside: a clock that does not wait tells too little."""
    _asked(name, ask, message, ONCE)  # compiles
    once, further = _asked(name, ask, message, ONCE).seconds, 1
    while _asked(name, ask, message, ONCE + further).seconds - once < SEEN:
        further *= 4
    return ONCE + further


def contest_table(message: Message, found: Timings, waited: dict[str, float]) -> Table:
    """Return one message's contest."""
    rows = []
    for name, own in found.seconds.items():
        ratio = found.ratio(name)
        said = "" if name == found.base else f"{ratio.low:.3g}–{ratio.high:.3g}"
        verdict = "" if name == found.base else found.verdict(name)
        clock = "" if waited[name] >= WAITED else f"tells {waited[name]:.0%} of its run"
        rows.append((name, f"{median(own) * 1e3:.3g} ms", f"{ratio.value:.3g}×", said, verdict, clock))
    title = f"{message['module']} {message['function']}, {message.get('description', '')}"
    return table_of(
        title,
        ("tool", "run", "ratio", "95% interval", "verdict", "clock"),
        [rows],
        caption=f"noise floor {found.noise_floor:.2f}×, from two copies of the first",
    )


def _named(text: str) -> tuple[str, str]:
    name, equals, command = text.partition("=")
    if not (name and equals and command):
        raise UsageError(f"a tool is written NAME=COMMAND, got '{text}': numpy='gradparity gradbench'")
    return name, command


def _asked(name: str, ask: Ask, message: Message, runs: int) -> Exchange:
    return _answered(name, ask({**message, "input": {**message["input"], "min_runs": runs, "min_seconds": 0}}))


def _answered(name: str, exchange: Exchange) -> Exchange:
    if not exchange.succeeded:
        error = str(exchange.response.get("error", "")).strip().splitlines()
        raise UsageError(f"'{name}' does not answer {exchange.message['kind']}: {error[-1] if error else 'no success'}")
    return exchange


def main(arguments: list[str]) -> int:
    """Run the contest, and return the exit status."""
    try:
        return int(app(arguments, standalone_mode=False) or 0)
    except UsageError as error:
        print(f"gradparity_gradbench.contest: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
