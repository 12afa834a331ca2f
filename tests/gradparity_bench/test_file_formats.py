"""The formats: what is written has them, what is not of them is refused, and the docs show them as they are."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fuzz import FORMATS, fuzz

from gradparity import formats
from gradparity.parity.report import ReportFile
from gradparity.subjects.specs import check
from gradparity_bench import file_formats

DOCS = Path(__file__).parents[2] / "docs"


def test_the_docs_show_the_formats_as_they_are() -> None:
    again = "they are old: run  python -m gradparity_bench.file_formats"
    assert (DOCS / "file-formats.json").read_text(encoding="utf-8") == file_formats.schemas(), again
    text = (DOCS / "file-formats.md").read_text(encoding="utf-8")
    assert text == file_formats.page(text), again


def test_every_schema_has_its_version_and_takes_no_other_field() -> None:
    for name, (form, _) in file_formats.FORMATS.items():
        schema = formats.schema(form)
        own = schema["$defs"][schema["$ref"].rpartition("/")[2]]
        assert own["additionalProperties"] is False
        version = name.partition(" of ")[0]
        assert name.startswith("a line") or any(f.get("enum") == [version] for f in own["properties"].values())


def test_what_check_writes_has_its_format() -> None:
    content = msgspec.json.encode(check("softmax_regression", backends=["numpy"], n=3, lanes=["float64"]).to_dict())
    found: Any = formats.decoded(content, ReportFile, "out.json", "is no report", "check again")
    assert found["format"] == "gradparity-check/1"


@pytest.mark.parametrize("name", FORMATS)
def test_the_file_that_is_changed_is_read_as_it_is(name: str) -> None:
    form = FORMATS[name]
    FORMATS[name].read(form.header if form.header else form.content)


def test_changed_files_are_refused_in_one_line_or_read() -> None:
    found = fuzz(1_500, seed=1)
    assert all(refused > 150 and taken > 0 for refused, taken in found.values())
