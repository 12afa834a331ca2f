"""``python -m gradparity_bench.file_formats``: write the schema of every format of ours into docs/file-formats.*."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gradparity import formats
from gradparity.comparison_file import ComparisonFile
from gradparity.exercise.progress import Progress
from gradparity.explain.explanation import ExplanationFile
from gradparity.parity.report import ReportFile
from gradparity.sweep.draws import Draw, DrawOutcome, SweepHeader
from gradparity.training import TrainingFile
from gradparity_bench.engine.run import BenchHeader
from gradparity_bench.results import Measurement, Result

FORMATS: Mapping[str, tuple[Any, str]] = {
    "gradparity-check/1": (ReportFile, "`gradparity check --json`"),
    "gradparity-comparison/1": (ComparisonFile, "`gradparity compare --json`"),
    "gradparity-training/1": (TrainingFile, "`gradparity train --json`"),
    "gradparity-explanation/1": (ExplanationFile, "`gradparity explain --json`"),
    "gradparity-bench/1": (Result, "`gradparity bench --json`, read by `gradparity bench compare`"),
    "gradparity-draw/1": (Draw, "a counter-example that `check --draws` kept, read by `check --replay`"),
    "gradparity-journal/2 of a sweep": (SweepHeader, "the first line of a journal of `check --draws`"),
    "a line of a sweep": (DrawOutcome, "each further line of it"),
    "gradparity-journal/2 of a benchmark": (BenchHeader, "the first line of a journal of `bench --sweep`"),
    "a line of a benchmark": (Measurement, "each further line of it"),
    "gradparity-progress/1": (Progress, "what is done in `gradparity exercise`, and how far up the ladder of hints"),
}
"""Format -> what it holds, and who writes it."""
BEGIN, END = "<!-- written by python -m gradparity_bench.file_formats -->", "<!-- end -->"


def schemas() -> str:
    """Return the JSON Schema of every format, as one JSON document."""
    found = {name: formats.schema(form) for name, (form, _) in FORMATS.items()}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def page(text: str) -> str:
    """Return a page with the tables between its two marks written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{''.join(map(_table, FORMATS))}{END}{after}"


def _table(name: str) -> str:
    form, who = FORMATS[name]
    schema = formats.schema(form)
    own = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    lines = "\n".join(f"| `{field}` | {_words(what)} |" for field, what in own["properties"].items())
    return f"### {name}\n\n{who[:1].upper()}{who[1:]}.\n\n| field | what it holds |\n|---|---|\n{lines}\n\n"


def _words(what: Mapping[str, Any]) -> str:
    return " or ".join(_alternatives(what))


def _alternatives(what: Mapping[str, Any]) -> Iterator[str]:
    match what:
        case {"$ref": where}:
            yield f"`{where.rpartition('/')[2]}`"
        case {"enum": values}:
            yield " or ".join(f'`"{value}"`' for value in values)
        case {"anyOf": choices}:
            yield from dict.fromkeys(word for choice in choices for word in _alternatives(choice))
        case {"type": "array", "items": items} if items:
            least = f", at least {what['minItems']}" if "minItems" in what else ""
            yield f"a list of {_words(items)}{least}"
        case {"type": "array", "prefixItems": items}:
            yield f"a list of {', '.join(map(_words, items))}"
        case {"type": "object", "additionalProperties": dict(values)}:
            yield f"name → {_words(values)}"
        case _:
            least = f" of at least {what['minimum']}" if "minimum" in what else ""
            least += f" above {what['exclusiveMinimum']}" if "exclusiveMinimum" in what else ""
            yield f"{what.get('type', 'anything')}{least}"


if __name__ == "__main__":
    docs = Path("docs")
    (docs / "file-formats.json").write_text(schemas(), encoding="utf-8")
    about = docs / "file-formats.md"
    about.write_text(page(about.read_text(encoding="utf-8")), encoding="utf-8")
