"""The head of a Hub dataset's ``README.md``: which files make which configuration and split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.splits import TRAIN

_HEAD = re.compile(r"\s*---[ \t]*\r?\n(.*?)\r?\n---", re.DOTALL)
_WILD = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]/]+\])")
_REGEXES = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_LONGEST = 1 << 22


@dataclass(frozen=True)
class Configuration:
    """One of the sets that a card describes."""

    name: str
    is_default: bool
    folder: str | None  # the only one in which its files lie
    patterns: dict[str, list[str]]  # of files, by split; empty where the names of the files tell the splits

    def matches(self, path: PurePosixPath, pattern: str) -> bool:
        """Whether a file is meant by a pattern; ``**`` stands for any folders."""
        written = pattern.removeprefix("./")
        whole = written if self.folder is None else f"{self.folder}/{written}"
        return re.fullmatch("".join(map(_as_regex, _WILD.split(whole))), str(path)) is not None


def read_card(file: DataFile) -> dict[str, Configuration]:
    """The configurations of a card by name; empty where it describes none."""
    with file.open() as stream:
        head = _HEAD.match(file.read(stream, _LONGEST).decode("utf-8", errors="replace"))
    try:
        facts = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError:
        return {}  # the names of the files tell as much as they do without a card
    configurations = facts.get("configs") if isinstance(facts, dict) else None
    entries = [entry for entry in configurations or [] if isinstance(entry, dict)]
    return {str(entry.get("config_name", "default")): _configuration(entry) for entry in entries}


def _configuration(entry: dict[str, Any]) -> Configuration:
    folder = entry.get("data_dir")
    return Configuration(
        name=str(entry.get("config_name", "default")),
        is_default=bool(entry.get("default")),
        folder=str(folder).strip("/") if folder else None,
        patterns=_patterns(entry.get("data_files")),
    )


def _patterns(data_files: Any) -> dict[str, list[str]]:
    """Patterns by split from the three ways to write them: one, a list, or a list of splits with theirs."""
    if not data_files:
        return {}
    entries = data_files if isinstance(data_files, list) else [data_files]
    patterns: dict[str, list[str]] = {}
    for entry in entries:
        split, paths = (entry.get("split", TRAIN), entry.get("path")) if isinstance(entry, dict) else (TRAIN, entry)
        patterns.setdefault(str(split), []).extend(map(str, paths if isinstance(paths, list) else [paths]))
    return patterns


def _as_regex(piece: str) -> str:
    if piece.startswith("[") and piece.endswith("]"):
        return piece.replace("[!", "[^")
    return _REGEXES.get(piece) or re.escape(piece)
