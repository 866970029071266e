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


@dataclass(frozen=True)
class DatasetCard:
    """What the head of a card tells."""

    configurations: dict[str, Configuration]  # by name; empty where it describes none
    classes: dict[str, dict[str, list[str]]]  # names of classes by configuration and column

    def classes_of(self, config: str | None) -> dict[str, list[str]]:
        """Names of classes by column, of a configuration or of the only one that is described."""
        only = next(iter(self.classes.values())) if len(self.classes) == 1 else {}
        return self.classes.get(config or "default", only)


NO_CARD = DatasetCard({}, {})


def read_card(file: DataFile) -> DatasetCard:
    """What a card describes; nothing where its head cannot be read."""
    with file.open() as stream:
        head = _HEAD.match(file.read(stream, _LONGEST).decode("utf-8", errors="replace"))
    try:
        facts = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError:
        return NO_CARD  # the names of the files tell as much as they do without a card
    if not isinstance(facts, dict):
        return NO_CARD
    configurations = {_config_name(entry): _configuration(entry) for entry in _entries(facts.get("configs"))}
    classes = {_config_name(entry): _classes(entry) for entry in _entries(facts.get("dataset_info"))}
    return DatasetCard(configurations, classes)


def _entries(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, dict)]


def _config_name(entry: dict[str, Any]) -> str:
    return str(entry.get("config_name", "default"))


def _classes(info: dict[str, Any]) -> dict[str, list[str]]:
    """Names of classes by column, from the features of one configuration."""
    named = {str(feature.get("name")): _class_names(feature) for feature in _entries(info.get("features"))}
    return {column: names for column, names in named.items() if names}


def _class_names(feature: dict[str, Any]) -> list[str]:
    """Names of the classes of a feature, also of a list of them; none for any other feature."""
    inner = feature.get("dtype")
    for kind in ("sequence", "list"):
        inner = feature.get(kind, inner)
    while isinstance(inner, dict) and "class_label" not in inner:
        inner = inner.get("dtype")
    described = inner.get("class_label") if isinstance(inner, dict) else None
    names = described.get("names") if isinstance(described, dict) else None
    if isinstance(names, dict):  # by code, written as texts or numbers
        codes = {int(code): str(name) for code, name in names.items() if str(code).isdecimal()}
        return [codes[code] for code in sorted(codes)] if sorted(codes) == list(range(len(names))) else []
    return [str(name) for name in names] if isinstance(names, list) else []


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
