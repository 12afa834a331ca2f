"""Files of ours, read back: one type says what a format holds, and one sentence what is wrong with a file.

The type is a dataclass or a TypedDict, whose first field is the format's name and version. Nothing may be missing,
nothing may be added, and every number is finite.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from gradparity.errors import UsageError

Form = TypeVar("Form")
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Positive: TypeAlias = Annotated[float, msgspec.Meta(gt=0)]
Setting: TypeAlias = int | float | str | bool | tuple[int | float | str | bool, ...] | None
"""The value of a field of a model's spec."""

DEEPEST = 100
"""Brackets within brackets that a file may have; no format of ours has ten."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},:]|[^][{},:"\s]+')


def read(path: Path, form: type[Form], what: str, fix: str) -> Form:
    """Return what a file holds. Raises UsageError where that is anything else: place, field, rule and fix."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{what} '{path}' cannot be read: {error.strerror}: {fix}") from None
    return decoded(content, form, str(path), f"is not {what}", fix)


def decoded(content: bytes, form: type[Form], place: str, rule: str, fix: str, line: int | None = None) -> Form:
    """Return what JSON of this form holds. Raises UsageError; ``line`` is where all of it stands, if on one line."""
    try:
        found = msgspec.json.decode(content, type=form)
        wrong = _difference(msgspec.json.decode(content), msgspec.to_builtins(found))
    except RecursionError:
        wrong = "", f"nests more than {DEEPEST} brackets"
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at `$")
        wrong = where.rstrip("`"), said[:1].lower() + said[1:]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        at = re.search(r"\(byte (\d+)\)", str(error))
        line = line or content.count(b"\n", 0, int(at[1]) if at else len(content)) + 1
        raise UsageError(f"{place}:{line}: {rule}, {_lowered(str(error))}: {fix}") from None
    if wrong is None:
        return found
    field, said = wrong
    line = line or _line_of(content.decode(errors="replace"), field)
    named = f", field {field.lstrip('.')}" if field else ""
    raise UsageError(f"{place}:{line}: {rule}{named}: {said}: {fix}")


def schema(form: Any) -> dict[str, Any]:
    """Return a format's JSON Schema. What has a default in Python may not be missing in a file."""
    found: dict[str, Any] = msgspec.json.schema(form)
    for each in found["$defs"].values():
        fields = each["properties"]
        defaults = [name for name, field in fields.items() if field.pop("default", field) is not field]
        each["required"] = [name for name in fields if name in (*each["required"], *defaults)]
        each["additionalProperties"] = False
    return found


def _lowered(said: str) -> str:
    return said if said.startswith("JSON") else said[:1].lower() + said[1:]


def _difference(raw: Any, own: Any, path: str = "") -> tuple[str, str] | None:
    """Return the first field that is missing or that no format has, and which of the two; None where all are there."""
    if isinstance(raw, Mapping) and isinstance(own, Mapping):
        for name in (*raw, *own):
            if name not in own:
                return f"{path}.{name}", "there is no such field"
            if name not in raw:
                return f"{path}.{name}", "it is missing"
            if (found := _difference(raw[name], own[name], f"{path}.{name}")) is not None:
                return found
    elif isinstance(raw, list) and isinstance(own, list | tuple):
        for i, (ours, theirs) in enumerate(zip(raw, own, strict=True)):
            if (found := _difference(ours, theirs, f"{path}[{i}]")) is not None:
                return found
    return None


def _line_of(text: str, field: str) -> int:
    """Return the line of a field, or that of the innermost thing around it that is found."""
    best, line = 0, 1
    for path, position in _paths(text):
        if field.startswith(path) and len(path) >= best:
            best, line = len(path), text.count("\n", 0, position) + 1
        if path == field:
            break
    return line


def _paths(text: str) -> Iterator[tuple[str, int]]:
    """Yield the path of every value, such as ``.rows[0].flops``, with its place in the text."""
    around: list[list[Any]] = []
    key, before = "", 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "]}":
            del around[-1:]
        elif word == ",":
            if around and around[-1][1] is not None:
                around[-1][1] += 1
        elif word == ":":
            continue
        elif around and around[-1][1] is None and text[token.end() :].lstrip()[:1] == ":":
            key, before = word[1:-1], token.start()
        else:
            path, count = around[-1] if around else ("", 0)
            inner = "" if not around else f"{path}.{key}" if count is None else f"{path}[{count}]"
            yield inner, before if around and count is None else token.start()
            if word in "[{":
                around.append([inner, 0 if word == "[" else None])
