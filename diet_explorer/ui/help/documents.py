"""The documentation that comes with the program, as parts that a page of the app can draw."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from diet_explorer.data.packaged import packaged
from diet_explorer.errors import NotFoundError

TOPICS = {
    "Start": {"index": "Start", "tutorial": "Tutorial"},
    "Guides": {
        "guides/index": "Guides",
        "guides/install": "Installation",
        "guides/own-data": "Your own data",
        "guides/looking": "Looking at the scores",
        "guides/noisy-labels": "Noisy labels",
        "guides/reviewing": "Reviewing labels",
        "guides/labelling-tools": "Other labelling tools",
        "guides/prune-prove-ship": "Prune, prove, ship",
        "guides/hub": "The Hub",
        "guides/own-training": "Your own training script",
        "guides/python": "In Python",
        "guides/terminal": "In the terminal",
        "large-sets": "Large sets",
        "guides/gpu": "GPU",
        "running-for-a-team": "Running it for a team",
        "who-can-do-what": "Who can do what",
        "guides/backup": "Backup, restore and move",
    },
    "The scores": {"scores": "The scores", "exact-grand": "How exact GraNd is computed"},
    "Evidence": {
        "evidence/index": "Evidence",
        "does-pruning-help": "Does pruning help?",
        "evidence/wrong-labels": "Does it find real label errors?",
        "finding-wrong-labels": "Why suspects are ranked as they are",
        "evidence/gradient-engine": "The gradient engine",
    },
    "Reference": {"reference/settings": "Settings", "security": "Security", "changelog": "Changes"},
}
"""What the app shows of the documentation, by group: topic to title, as in the site's navigation."""

SITE = "https://diet-explorer.github.io/diet-explorer"
REPOSITORY = "https://github.com/diet-explorer/diet-explorer/blob/main"
_PATHS = {"security": "SECURITY.md", "changelog": "CHANGELOG.md"}
_BY_PATH = {_PATHS.get(topic, f"docs/{topic}.md"): topic for topics in TOPICS.values() for topic in topics}
_FENCE = re.compile(r"\s*```")
_HEADING = re.compile(r"(#{1,4}) (.+)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)$")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMENT = re.compile(r"<!--.*?-->")


@dataclass(frozen=True)
class Picture:
    """A picture between the texts of a document, with what it shows in words."""

    path: Path
    words: str


@dataclass(frozen=True)
class Heading:
    """A heading of a document; the first is its title, of level 1."""

    level: int
    title: str
    anchor: str


@dataclass(frozen=True)
class Document:
    """One page of the documentation.

    Attributes
    ----------
    parts : tuple of str or Picture
        Markdown and pictures in turn; every heading is one level lower than in the file, below the page's own.
    headings : tuple of Heading
        In their order.
    """

    parts: tuple[str | Picture, ...]
    headings: tuple[Heading, ...]


def read_document(topic: str) -> Document:
    """One page of the documentation, its links leading to pages of the app or to the project's site.

    Raises
    ------
    NotFoundError
        There is no such topic.
    """
    path = next((path for path, known in _BY_PATH.items() if known == topic), None)
    if path is None:
        raise NotFoundError(f"The help has no page {topic!r}.", "Choose one from the list of pages.")
    return parse(packaged(path).read_text(encoding="utf-8"), path)


def parse(text: str, path: str) -> Document:
    """Take a Markdown file apart; `path` is its own, from the checkout's root, for what it links to."""
    parts: list[str | Picture] = []
    headings: list[Heading] = []
    lines: list[str] = []
    in_code = False
    for line in text.splitlines():
        if _FENCE.match(line):
            in_code = not in_code
        elif not in_code:
            picture = _PICTURE.match(line)
            if picture:
                parts += ["\n".join(lines), Picture(packaged(_beside(path, picture[2])), picture[1])]
                lines = []
                continue
            heading = _HEADING.match(line)
            if heading:
                headings.append(_heading(heading, headings))
                line = f"#{line}"
            line = _LINK.sub(lambda found: f"]({_target(found[1], path)})", _COMMENT.sub("", line))
        lines.append(line)
    return Document((*parts, "\n".join(lines)), tuple(headings))


def link(topic: str, section: str = "") -> str:
    """Where a link leads on the help page, relative to it."""
    return f"?topic={quote(f'{topic}#{section}' if section else topic, safe='')}"


def _heading(found: re.Match[str], before: list[Heading]) -> Heading:
    """A heading with the anchor that the site gives it."""
    title = re.sub(r"[`*]|\[|\]\([^)]*\)", "", found[2]).strip()
    ascii_only = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    anchor = base = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_only).strip().lower())
    taken = {heading.anchor for heading in before}
    number = 0
    while anchor in taken:
        number += 1
        anchor = f"{base}_{number}"
    return Heading(len(found[1]), title, anchor)


def _target(target: str, path: str) -> str:
    """What a link of a file becomes: a page of the app, else one of the site or a file of the repository."""
    if re.match(r"[a-z]+:", target):
        return target
    file, _, section = target.partition("#")
    whole = _beside(path, file) if file else path
    if whole in _BY_PATH:
        return link(_BY_PATH[whole], section)
    if whole.startswith("docs/") and whole.endswith(".md"):
        return f"{SITE}/{whole.removeprefix('docs/').removesuffix('.md')}.html" + (f"#{section}" if section else "")
    return f"{REPOSITORY}/{whole}"


def _beside(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
