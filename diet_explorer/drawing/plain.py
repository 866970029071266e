"""Texts as they are: never read as markup, and with every character that hides or turns text made visible."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from diet_explorer.data.short_names import cut_middle, short_names

# What has no picture of its own and can hide, split or turn around the text near it. Tabs and line breaks stay.
_HIDING = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, the escape of terminal colours among them
    "\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_JOINERS = "\u200c\u200d"  # emoji, Persian and Indic words are spelled with them, between two of their own letters
_LETTER = f"[^\x00-\x7f{_HIDING}{_JOINERS}]"
_HIDDEN = re.compile(rf"([{_HIDING}]|\r(?!\n)|(?<!{_LETTER})[{_JOINERS}]|[{_JOINERS}](?!{_LETTER}))\1*")
_NAME_CHARACTERS = 40
_PICTURES = 0x2400  # Unicode's pictures of the control characters, in their order
_DELETE, _DELETE_PICTURE = 0x7F, 0x2421


def visible(text: str) -> str:
    """The text with hidden characters written out: control characters as ␛, others as ⟦U+202E⟧.

    Characters that turn the direction of writing, have no width or steer a terminal can make a text look like another
    one, or disturb what stands around it. Where many of one kind follow each other, their number is given.
    """
    return _HIDDEN.sub(_written_out, text)


def escape(text: str) -> str:
    """HTML that shows the text as it is, in elements and in quoted attributes."""
    return html.escape(visible(text))


def in_chart(text: str) -> str:
    """The text for a chart's labels and hover, where plotly reads some HTML and fills in what stands in ``%{}``."""
    return escape(text).replace("%{", "&#37;{")


def cut_name(name: str, characters: int = _NAME_CHARACTERS) -> str:
    """A name as people see it, cut in its middle where it is long: names of one set often begin, or end, alike."""
    return cut_middle(visible(name), characters)


def class_titles(classes: Iterable[str], characters: int) -> Mapping[str, str]:
    """Each class with a title as people see it, of about so many characters at most, all titles different."""
    return _class_titles(tuple(classes), characters)


@lru_cache(maxsize=64)
def _class_titles(classes: tuple[str, ...], characters: int) -> Mapping[str, str]:
    shown = {name: visible(name) for name in classes}
    titles = short_names(shown.values(), characters)
    return {name: titles[text] for name, text in shown.items()}


def name_in_chart(name: str) -> str:
    """A name, cut where it is too long, for a chart's labels and hover; see `in_chart`."""
    return in_chart(cut_name(name))


def _written_out(match: re.Match[str]) -> str:
    character, count = match[1], len(match[0])
    code = ord(character)
    if code < ord(" "):
        shown = chr(_PICTURES + code)
    elif code == _DELETE:
        shown = chr(_DELETE_PICTURE)
    else:
        return f"⟦U+{code:04X}⟧" if count == 1 else f"⟦U+{code:04X} × {count:,}⟧"
    return shown if count == 1 else f"{shown}⟦× {count:,}⟧"
