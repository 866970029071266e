"""Markdown that people have written, as HTML that does nothing but show it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from diet_explorer.drawing.plain import escape, visible

_SCHEMES = ("http", "https", "mailto")
_DEEPER = 1  # headings of the text stand below the title of the page
_DEEPEST = 6
_MOST_BRACKETS = 1_000  # each that is never closed is looked for up to the end of the text


class _Shown(RendererHTML):
    """Shows images as links: a browser that fetches one tells a stranger who is reading, and when."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return escape(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<code>{escape(tokens[idx].content)}</code>"

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<pre><code>{escape(tokens[idx].content)}</code></pre>\n"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return self.code_block(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        address = str(tokens[idx].attrs.get("src", ""))
        name = f"Image: {tokens[idx].content or address}"
        if not is_safe(address):
            return escape(name)
        return f'<a href="{escape(address)}" {_AWAY}>{escape(name)}</a>'

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        address = str(tokens[idx].attrs.get("href", ""))
        return f'<a href="{escape(address)}" title="{escape(address)}" {_AWAY}>' if is_safe(address) else "<a>"

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<h{_level(tokens[idx].tag)}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"</h{_level(tokens[idx].tag)}>\n"


_AWAY = 'target="_blank" rel="noopener noreferrer nofollow"'
_markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Shown).enable(["table", "strikethrough"])


@lru_cache(maxsize=64)
def markdown_html(text: str) -> str:
    """HTML of a text in Markdown: its own HTML is shown as it is written, images are links, and links lead to web pages
    and mail addresses alone. A text with very many brackets is shown as it is written."""
    if text.count("[") > _MOST_BRACKETS:
        return f'<div class="de-markdown" dir="auto"><pre>{escape(text)}</pre></div>'
    return f'<div class="de-markdown" dir="auto">{_markdown.render(text)}</div>'


def is_safe(address: str) -> bool:
    """Whether a link may lead to an address: a whole one of a web page or a mailbox."""
    try:
        return urlsplit(visible(address)).scheme.lower() in _SCHEMES
    except ValueError:
        return False


def _level(tag: str) -> int:
    return min(int(tag.removeprefix("h")) + _DEEPER, _DEEPEST)
