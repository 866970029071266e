"""A labelling tool's file as JSON objects with their numbers: a list of them, or one a line."""

from __future__ import annotations

import json
from typing import Any

from diet_explorer.errors import BadInputError

Records = list[tuple[int, dict[str, Any]]]


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 where it begins so."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"The file is not in {encoding[:6].upper().rstrip('-')}: byte {error.start:,} cannot be read.",
            "Save or export it in UTF-8.",
        ) from error


def records_of(content: bytes) -> Records:
    """Objects of a JSON list, numbered from 1, or of JSON Lines, with the number of their line."""
    text = decoded(content)
    if text.lstrip(" \t\r\n").startswith("["):
        entries = list(enumerate(_parsed(text, "The file"), 1))
    else:
        lines = enumerate(text.split("\n"), 1)  # not at the other ends of lines that a text may hold
        entries = [(number, _parsed(line, f"Line {number}")) for number, line in lines if line.strip()]
    for number, entry in entries:
        if not isinstance(entry, dict):
            raise BadInputError(f"Entry {number} is no JSON object.", "Give the file that the tool exported.")
    return entries


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{what} is not JSON: {error}.", "Give the file that the tool exported.") from error


def listed(value: Any) -> list[Any]:
    """A value that a tool writes as a list, or alone, or not at all."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def part(record: dict[str, Any], name: str) -> dict[str, Any]:
    """An object inside another; an empty one where there is none."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}
