"""The further columns on a card: as they are written in filters and exports, cut or folded where they are long."""

from __future__ import annotations

import json
from collections.abc import Mapping

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.store.in_words import counted

_MOST_ENTRIES, _SHOWN_ENTRIES = 12, 8
_MOST_CHARACTERS, _SHOWN_CHARACTERS = 300, 120


def facts_html(facts: Mapping[str, str | None]) -> str:
    """Names and values; every digit of a number is there without separators, so that it can be copied into a filter."""
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{_shown(text)}</dd></div>" for name, text in facts.items())
    return f'<dl class="de-facts">{cells}</dl>'


def _shown(text: str | None) -> str:
    if text is None:
        return words.NOT_THERE
    text = _cut_list(text)
    if len(text) <= _MOST_CHARACTERS:
        return escape(text)
    more = counted(len(text) - _SHOWN_CHARACTERS, "more character")
    return (
        f'<details><summary><span class="de-start">{escape(text[:_SHOWN_CHARACTERS])}… </span>'
        f'<span class="de-quiet">{more}</span></summary>{escape(text)}</details>'
    )


def _cut_list(text: str) -> str:
    """A long list, such as an embedding, by its first entries and their number; any other text as it is."""
    if not text.startswith("["):
        return text
    try:
        entries = json.loads(text)
    except ValueError:  # a text that only begins like a list
        return text
    if not isinstance(entries, list) or len(entries) <= _MOST_ENTRIES:
        return text
    noun = "numbers" if all(isinstance(entry, int | float) for entry in entries) else "values"
    start = json.dumps(entries[:_SHOWN_ENTRIES], ensure_ascii=False)
    return f"{start[:-1]}, … {len(entries):,} {noun}]"
