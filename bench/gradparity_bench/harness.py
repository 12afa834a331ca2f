"""``python -m gradparity_bench.harness``: does the benchmark measure what it says? Exit status 1 where it does not.

A null backend shows what the benchmark adds to a step: at most 20 µs, less than 1% of a step of 5 ms. A backend that
does 2% more work is to be reported slower, and a copy of the first one a tie, each in 19 of 20 runs of a minute.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import gradparity_bench
from gradparity_bench import words
from gradparity_bench.points import points
from gradparity_bench.results import Measurement

OVERHEAD = 20e-6
"""Seconds that the benchmark may add to a step."""
RIGHT = 19 / 20
"""The least share of the runs that must come to the right verdict."""
TURNS, SITTINGS = 72, 12
"""Rounds and processes with which 2% can be told from noise in a minute: processes that start fast, as NumPy's do."""
BACKENDS = ("null", "steady", "copy", "slower")

app = typer.Typer(add_completion=False)


@app.command()
def harness(
    runs: Annotated[int, typer.Option("--runs", min=1, help="Runs that are to come to the right verdicts.")] = 20,
    rounds: Annotated[int, typer.Option("--rounds", min=3, help="Rounds of each run.")] = TURNS,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Processes of each backend.")] = SITTINGS,
) -> None:
    """Measure the benchmark's own overhead, and how often its verdicts are right."""
    with registered():
        null = measure_stand_ins(["null"], 3, 1, 0).row("null")
        overhead = null.seconds()
        right = overhead is not None and overhead <= OVERHEAD
        took = f"takes {words.seconds(overhead)}" if null.timed else f"{null.status}: {null.reason}"
        print(f"a step that does nothing {took}; allowed are {words.round_seconds(OVERHEAD)}", flush=True)
        verdicts: dict[str, list[str | None]] = {"copy": [], "slower": []}
        for seed in range(runs):
            began = time.perf_counter()
            found = measure_stand_ins(["steady", "copy", "slower"], rounds, processes, seed)
            for name, said in verdicts.items():
                said.append(found.verdict(name))
            print(f"run {seed + 1}, {time.perf_counter() - began:.0f} s: {run_in_words(found)}", flush=True)
    for name, expected in (("copy", "tie"), ("slower", "slower")):
        count = verdicts[name].count(expected)
        right = right and count >= RIGHT * runs
        print(f"{name} is called {expected} in {count} of {runs} runs")
    raise typer.Exit(0 if right else 1)


def measure_stand_ins(backends: list[str], rounds: int, processes: int, seed: int) -> Measurement:
    """Time stand-ins in turns."""
    where = points("softmax_regression")
    result = gradparity_bench.run(where, backends, rounds=rounds, processes=processes, seed=seed)
    if not result.complete:
        raise typer.Abort
    return result.measurements[0]


def run_in_words(measurement: Measurement) -> str:
    """Say in one line what was found."""
    said = [f"noise floor {measurement.noise_floor() or 0:.3f}"]
    for row in measurement.rows[1:]:
        ratio = measurement.ratio(row.backend)
        if ratio is None:
            said.append(f"{row.backend} {row.status}: {row.reason}")
        else:
            verdict = measurement.verdict(row.backend)
            said.append(f"{row.backend} {ratio.value:.3f} ({ratio.low:.3f}–{ratio.high:.3f}) {verdict}")
    return ", ".join([*said, *words.cautions([measurement])])


@contextmanager
def registered() -> Iterator[None]:
    """Install a distribution that registers the stand-ins, for this process and those that it starts."""
    before = os.environ.get("PYTHONPATH")
    with tempfile.TemporaryDirectory(prefix="gradparity-harness-") as folder:
        distribution = Path(folder, "gradparity_harness-1.0.dist-info")
        distribution.mkdir()
        (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: gradparity-harness\nVersion: 1.0\n")
        entries = [f"{name} = gradparity_bench.harness_backends:{name}" for name in BACKENDS]
        (distribution / "entry_points.txt").write_text("\n".join(["[gradparity.backends]", *entries, ""]))
        sys.path.append(folder)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [before, folder]))
        try:
            yield
        finally:
            sys.path.remove(folder)
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before


if __name__ == "__main__":
    app()
