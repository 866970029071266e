"""Which split a data file is of, from its name and the folders it lies in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from diet_explorer.data.readers.data_file import CONTAINER_ENDINGS
from diet_explorer.data.splits import TEST, TRAIN, VALIDATION, split_role
from diet_explorer.errors import BadInputError

_SHARD = re.compile(r"(?P<split>[^/]+?)[-_.](?P<number>\d{4,6})-of-(?P<count>\d{4,6})(?:[-_.][0-9a-f]{8,})?")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_PART = re.compile(r"(?:part|shard|chunk|batch)?\d*")
_TRAILING = re.compile(r"(?:sets?|data|files?|texts?)?\d*$")
_ORDER = {TRAIN: 0, VALIDATION: 1, TEST: 2}


@dataclass(frozen=True)
class NamedFile:
    """A file with what its path says."""

    path: PurePosixPath  # below the folder
    split: str | None  # the split it is of; None where the path names none
    group: str  # what of the path is left without the split and the number of a part


def named(path: PurePosixPath) -> NamedFile:
    """Read the path of a data file."""
    stem = _stem(path)
    shard = _SHARD.fullmatch(stem)
    folders = [part for part in path.parent.parts if part != "data"]
    if shard is not None:
        split = _known_word(shard["split"]) or shard["split"]
        return NamedFile(path, split, _group(folders, [] if split == shard["split"] else _tokens(shard["split"])))
    split = _known_word(stem)
    if split is not None:
        return NamedFile(path, split, _group(folders, _tokens(stem)))
    split = next(filter(None, map(_known_word, reversed(folders))), None)
    return NamedFile(path, split, _group(folders, []))


def in_order_of_splits(files: Iterable[NamedFile]) -> list[NamedFile]:
    """Files of train first, then of validation, of test and of others; parts of a split by their numbers."""
    return sorted(files, key=lambda file: (_ORDER.get(split_role(file.split or ""), 3), file.split or "", _key(file)))


def chosen_names(there: Sequence[str], asked: Sequence[str], location: str) -> list[str]:
    """The splits that were asked for, by their names or the usual spellings of them; all where none was.

    Raises
    ------
    BadInputError
        There is no such split.
    """
    for split in asked:
        if not any(_is_split(split, name) for name in there):
            has = f"It has {', '.join(there)}." if there else f"It has no splits; leave out [{split}]."
            raise BadInputError(f"{location} has no split {split!r}.", has)
    return [name for name in there if not asked or any(_is_split(split, name) for split in asked)]


def missing_part(files: Sequence[NamedFile]) -> str | None:
    """The name of a part that is not there, where files are numbered as ``00000-of-00002``; None if all are."""
    parts: dict[tuple[str, str, int], dict[int, str]] = {}
    for file in files:
        stem = _stem(file.path)
        if (shard := _SHARD.fullmatch(stem)) is not None:
            key = (str(file.path.parent), shard["split"], int(shard["count"]))
            parts.setdefault(key, {})[int(shard["number"])] = stem
    for (_, split, count), numbers in parts.items():
        for number in range(count):
            if number not in numbers:
                return f"{split}-{number:05}-of-{count:05}"
    return None


def _is_split(asked: str, name: str) -> bool:
    return asked == name or split_role(asked) == split_role(name)


def _stem(path: PurePosixPath) -> str:
    if path.suffix.lower() in CONTAINER_ENDINGS:
        path = path.with_suffix("")
    return path.stem


def _tokens(name: str) -> list[str]:
    return [token for token in _SEPARATORS.split(name.lower()) if token]


def _group(folders: Sequence[str], tokens: Sequence[str]) -> str:
    """What distinguishes a set from others beside it: neither its splits nor the numbers of its parts."""
    rest = [token for token in tokens if not _PART.fullmatch(token) and _as_word(token) is None]
    return "/".join([*(folder for folder in folders if _known_word(folder) is None), *filter(None, ["-".join(rest)])])


def _as_word(token: str) -> str | None:
    """The word for a split that a token is, without what follows it in names such as ``trainset`` or ``test2``."""
    for word in (token, _TRAILING.sub("", token)):
        if split_role(word) in _ORDER and word:
            return word
    return None


def _known_word(name: str) -> str | None:
    return next((word for token in _tokens(name) if (word := _as_word(token)) is not None), None)


def _key(file: NamedFile) -> list[tuple[int, str]]:
    """Sorts part 2 before part 10."""
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d+)", str(file.path))]
