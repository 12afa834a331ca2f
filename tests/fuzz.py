"""``python -m tests.fuzz [COUNT]``: send changed files of every format of ours to its reader, and count.

Nothing but a UsageError of one line may come back; the first that does is printed with its input, and ends the run.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from gradparity import formats, journal
from gradparity.errors import UsageError
from gradparity.exercise.progress import Progress
from gradparity.parity.report import Report, ReportFile
from gradparity.parity.rows import Row, Unchecked
from gradparity.sweep.draws import Draw, DrawOutcome, SweepHeader
from gradparity_bench.engine.run import BenchHeader, point_of
from gradparity_bench.results import Limits, Measurement, Result
from gradparity_bench.standings import Phases, Point, Rounds, Standing

FILE = Path("file")
ROUNDS = Rounds((1e-3, 2e-3), (1e-2, 2e-2), (1e-4, 1e-4), (2e-4, 3e-4), (1.0, 1.1))
TIMED = Standing("numpy", "numpy", "hand", "timed", "", ROUNDS, Phases(0.5, None, 0.1, 0.25), 3, 9, 8, 2.0, {"a": "1"})
LOST = Standing("lost", "", None, "not installed", "'lost' is not installed")
POINT = Point("mlp", {"widths": (7, 6, 5), "activation": "relu"}, 32, "float32", 1)
MEASURED = Measurement(POINT, 10, 20, 30, (LOST, TIMED), TIMED, Limits((1e9, 2e9), (1e8, 2e8)))
RESULT = Result({"CPU": "a CPU"}, 3, (MEASURED,))
DRAW = Draw(3, "mlp", {"widths": (7, 6, 5), "activation": "relu"}, 11, 5, ("numpy", "torch"), ("float64",))
OUTCOMES = [DrawOutcome(index, True, {"float64": 0.25, "float32": 0.5}) for index in range(3)]
SWEEP = SweepHeader("mlp", 0, ("numpy",), ("float64",), "", {"numpy": "2"})
BENCH = BenchHeader(("numpy",), 3, 1, 0, {"CPU": "a CPU"}, {})
REPORT = Report(
    "mlp", 11, 0, ("numpy",), ("jax",), (Row("W", "gradient", "numpy", "jax", "float64", float("inf"), 1e-10, "NaN"),),
    unchecked=(Unchecked("d['b']", "numpy", "no witness"),),
)  # fmt: skip


class Format(NamedTuple):
    """A right file, and what reads it; a journal's lines are checksummed anew after they are changed."""

    content: bytes
    read: Callable[[bytes], Any]
    header: bytes = b""


def reading(form: Any, used: Callable[[Any], Any] = lambda _: None) -> Callable[[bytes], Any]:
    return lambda content: used(formats.decoded(content, form, "file", "is not one", "write it anew"))


def _of_a_result(result: Result) -> None:
    for measurement in result.measurements:
        for row in measurement.timed:
            row.seconds()
        measurement.roofline_seconds()


def _lines(header: Any, form: Any, key: Callable[[Any], Any]) -> Callable[[bytes], Any]:
    return lambda content: journal.lines_of(FILE, content, header, form, key)


FORMATS = {
    "result": Format(json.dumps(RESULT.to_dict(), indent=2).encode(), reading(Result, _of_a_result)),
    "draw": Format(json.dumps(asdict(DRAW), indent=2).encode(), reading(Draw, lambda draw: draw.spec)),
    "progress": Format(json.dumps(asdict(Progress({"/a": ("W", 2)}))).encode(), reading(Progress)),
    "report": Format(json.dumps(REPORT.to_dict(), indent=2).encode(), reading(ReportFile)),
    "sweep": Format(
        b"\n".join(json.dumps(asdict(each)).encode() for each in OUTCOMES),
        _lines(SWEEP, DrawOutcome, lambda outcome: (outcome.index, outcome.agrees)),
        journal.packed(SWEEP),
    ),
    "benchmark": Format(
        json.dumps(asdict(MEASURED)).encode(), _lines(BENCH, Measurement, point_of), journal.packed(BENCH)
    ),
}
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 2**64, 10**30, 0.5, -1e-300, "", "é\x00", "float16", "NaN", [], {}, [[]], [None], {"": 0},
    [1, 2, 3], {"a": [{}]}, "x" * 300,
)  # fmt: skip
BYTES = (
    b"NaN",
    b"Infinity",
    b"-",
    b"1e999",
    b"\xff\xfe",
    b"\x00",
    b'"',
    b"[" * 2000,
    b"{",
    b"}",
    b"]",
    b"\\u",
    b",",
    b"\n",
)


def fuzz(count: int, seed: int = 0) -> dict[str, tuple[int, int]]:
    """Send so many inputs; return format -> how many were refused, and how many are as good as the right one.

    Raises AssertionError, with the input, for what is neither a UsageError nor an answer.
    """
    rng = random.Random(seed)
    found = {name: [0, 0] for name in FORMATS}
    names = list(FORMATS)
    for number in range(count):
        name = names[number % len(names)]
        content = _changed(FORMATS[name], rng)
        try:
            FORMATS[name].read(content)
            found[name][1] += 1
        except UsageError as refused:
            if "\n" in str(refused):
                raise AssertionError(f"{name}: more than one line, {refused}, of {content!r}") from None
            found[name][0] += 1
        except BaseException as error:
            raise AssertionError(f"{name} raised {type(error).__name__}: {error} of {content!r}") from error
    return {name: (refused, taken) for name, (refused, taken) in found.items()}


def _changed(form: Format, rng: random.Random) -> bytes:
    """Change one or two things, in the data or in the bytes of it."""
    lines = form.content.split(b"\n") if form.header else [form.content]
    at = rng.randrange(len(lines))
    for _ in range(rng.randint(1, 2)):
        lines[at] = _in_data(lines[at], rng) if rng.random() < 0.6 else _in_bytes(lines[at], rng)
    if not form.header:
        return lines[0]
    if rng.random() < 0.2:
        lines.append(lines[at])
    # A checksum that fits, so that what stands behind it is reached.
    text = form.header + b"".join(b'{"line":%b,"crc32":%d}\n' % (line, crc32(line)) for line in lines)
    return _in_bytes(text, rng) if rng.random() < 0.3 else text


def _in_data(content: bytes, rng: random.Random) -> bytes:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return content
    holders: list[Any] = [data]
    for holder in holders:
        children = holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ()
        holders += [child for child in children if isinstance(child, dict | list)]
    holder = rng.choice(holders)
    kind = rng.randrange(4)
    if not isinstance(holder, dict | list) or not holder:
        return json.dumps(rng.choice(VALUES)).encode()
    key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[rng.choice(["more", f"{key}_", ""])] = deepcopy(holder[key])
    elif kind == 1 and isinstance(holder, list):
        holder.append(deepcopy(holder[key]))
    else:
        holder[key] = rng.choice(VALUES)
    return json.dumps(data, indent=rng.choice([None, 1])).replace("\n", " " if rng.random() < 0.5 else "\n").encode()


def _in_bytes(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    to = min(len(content), at + rng.choice([0, 1, 3, 40]))
    kind = rng.randrange(3)
    put = b"" if kind == 0 else rng.choice(BYTES) if kind == 1 else bytes([rng.randrange(256)])
    return content[:at] + put + content[to:]


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    began = time.perf_counter()
    for name, (refused, taken) in fuzz(wanted).items():
        print(f"{name}: {refused:,} refused in one line, {taken:,} read")
    print(f"{wanted:,} changed files in {time.perf_counter() - began:.0f} s: nothing but UsageError came back")
