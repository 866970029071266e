"""The head of a Hub dataset's ``README.md``: which files make which configuration and split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

import yaml

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.splits import TRAIN

_HEAD = re.compile(r"\s*---[ \t]*\r?\n(.*?)\r?\n---", re.DOTALL)
_WILD = re.compile(r"(\*\*/|\*\*|\*|\?|\[[^\]/]+\])")
_LONGEST = 1 << 22
_CODE = re.compile(r"[0-9]{1,9}")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
        return _matches(str(path), _WILD.split(whole))


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
        facts = _loaded(head[1], file.location) if head else None
    except (yaml.YAMLError, ValueError):  # a date or a number that there is not is a ValueError
        return NO_CARD  # the names of the files tell as much as they do without a card
    if not isinstance(facts, dict):
        return NO_CARD
    configurations = {_config_name(entry): _configuration(entry) for entry in _entries(facts.get("configs"))}
    classes = {_config_name(entry): _classes(entry) for entry in _entries(facts.get("dataset_info"))}
    return DatasetCard(configurations, classes)


def _entries(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, dict)]


def _config_name(entry: dict[str, Any]) -> str:
    return _word(entry.get("config_name")) or "default"


def _classes(info: dict[str, Any]) -> dict[str, list[str]]:
    """Names of classes by column, from the features of one configuration."""
    named = {_word(feature.get("name")): _class_names(feature) for feature in _entries(info.get("features"))}
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
        codes = {int(code): _word(name) for code, name in names.items() if _CODE.fullmatch(_word(code))}
        return [codes[code] for code in sorted(codes)] if sorted(codes) == list(range(len(names))) else []
    return [_word(name) for name in names] if isinstance(names, list) else []


def _loaded(text: str, location: str) -> Any:
    """What the YAML of a head says, whose levels are counted first: its loader calls itself for each of them."""
    limits, depth = current_limits(), 0
    for event in yaml.parse(text, _LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > limits.depth:
            raise limits.too_deep(f"The head of {location}, line {event.start_mark.line + 1:,},")
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<":
            raise yaml.YAMLError("merged mappings can become larger than any memory")
    return yaml.load(text, _LOADER)  # noqa: S506  one of the safe loaders


def _configuration(entry: dict[str, Any]) -> Configuration:
    return Configuration(
        name=_config_name(entry),
        is_default=bool(entry.get("default")),
        folder=_word(entry.get("data_dir")).strip("/") or None,
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
        written = map(_word, paths if isinstance(paths, list) else [paths])
        patterns.setdefault(_word(split) or TRAIN, []).extend(filter(None, written))
    return patterns


def _word(value: Any) -> str:
    """A name or a number as text; empty for lists and the like, whose text may be far longer than the card."""
    return str(value) if isinstance(value, str | int | float) else ""


def _matches(path: str, pieces: Sequence[str]) -> bool:
    """Whether a path is one of those that a pattern's pieces mean.

    From all positions that can be reached so far to those behind the next piece: a regular expression of many stars
    would take a time that grows with their number as a power.
    """
    reached = {0}
    for piece in filter(None, pieces):
        reached = {end for start in reached for end in _ends(path, start, piece)}
    return len(path) in reached


def _ends(path: str, start: int, piece: str) -> Iterable[int]:
    if piece == "**":
        return range(start, len(path) + 1)
    if piece == "**/":
        return [start, *(at + 1 for at in range(start, len(path)) if path[at] == "/")]
    if piece == "*":
        end = path.find("/", start)
        return range(start, (len(path) if end < 0 else end) + 1)
    if piece == "?" or (piece.startswith("[") and piece.endswith("]")):
        here = path[start : start + 1]
        return [start + 1] if here not in ("", "/") and fnmatchcase(here, piece) else []
    return [start + len(piece)] if path.startswith(piece, start) else []
