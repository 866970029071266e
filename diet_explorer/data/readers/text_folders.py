"""Folders with one text per file, whose names are the classes: ``train/pos/0_9.txt``, as of IMDB or 20 Newsgroups."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.source import Batch, Source, in_batches
from diet_explorer.data.readers.split_names import chosen_names, named
from diet_explorer.data.readers.text_files import TextFile

_ENDINGS = ("", ".txt")
_UNLABELLED = {"unsup", "unsupervised", "unlabeled", "unlabelled"}
_FEWEST = 2  # texts per folder, on the average: fewer are more likely tables
_MAX_CHARACTERS = 1 << 24
Files = Mapping[PurePosixPath, Callable[[], DataFile]]


@dataclass(frozen=True)
class _Text:
    path: PurePosixPath
    label: str | None
    split: str | None


class TextFolderSource(Source):
    """The columns ``text`` and ``label``, and ``split`` where folders around those of the classes name splits.

    Every file is one row; its line is its number in the order of the paths.
    """

    typed = False
    kind = "text folders"

    def __init__(self, files: Files, texts: Sequence[_Text], location: str, name: str, encoding: str | None) -> None:
        super().__init__(location, name)
        self._files = files
        self._texts = texts
        self._encoding = encoding
        self._has_splits = any(text.split for text in texts)
        self.quoted_columns.update(self.columns())

    def columns(self) -> list[str]:
        return ["text", "label", *(["split"] if self._has_splits else [])]

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for text in self._texts:
            digest.update(f"{text.path}\0".encode())
            digest.update(bytes.fromhex(self._files[text.path]().sha256()))
        return digest.hexdigest()

    def place(self, line: int) -> tuple[str | None, int]:
        return str(self._texts[line - 1].path), 1

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        for rows, lines in in_batches(self._rows(), size, _MAX_CHARACTERS):
            cells = zip(*rows, strict=True)
            yield pa.table({name: pa.array(next(cells), pa.string()) for name in self.columns()}), lines
        self.fraction_read = 1.0

    def _rows(self) -> Iterator[tuple[int, tuple[str | None, ...], int]]:
        for number, text in enumerate(self._texts, start=1):
            content = self._content(text.path)
            self.fraction_read = number / len(self._texts)
            yield number, (content, text.label, text.split), len(content)

    def _content(self, path: PurePosixPath) -> str:
        file = self._files[path]()
        if not file.beginning:
            return ""
        limits, pieces, size = current_limits(), [], 0
        for chunk in TextFile(file, self._encoding).chunks():
            pieces.append(chunk)
            size += len(chunk)
            if size > limits.cell_bytes:
                raise limits.long_cell(f"The text {path} of {self.location}")
        return b"".join(pieces).decode("utf-8").strip()


def find_text_folders(
    files: Files, location: str, name: str, splits: Sequence[str], encoding: str | None
) -> TextFolderSource | None:
    """The texts of a folder by class; None where its files are not texts in folders of two classes or more."""
    paths = [path for path in files if path.suffix.lower() in _ENDINGS and len(path.parts) > 1]
    folders = Counter(path.parent for path in paths)
    common = Counter(len(folder.parts) for folder in folders)
    depth = max(common, key=lambda parts: common[parts], default=0)
    texts = [_text(path) for path in sorted(paths) if len(path.parts) == depth + 1 and _names_a_class(path.parent)]
    of_class = {text.path.parent for text in texts}
    if len({text.label for text in texts} - {None}) < 2 or len(texts) < _FEWEST * len(of_class):
        return None
    if splits:
        there = list(dict.fromkeys(text.split for text in texts if text.split))
        names = chosen_names(there, splits, location)
        texts = [text for text in texts if text.split in names]
    return TextFolderSource(files, texts, location, name, encoding)


def _text(path: PurePosixPath) -> _Text:
    label = path.parent.name
    split = named(path.parent.parent / "file").split
    return _Text(path, None if label.lower() in _UNLABELLED else label, split)


def _names_a_class(folder: PurePosixPath) -> bool:
    """Whether the last folder of a path is no split, as in ``train/0.txt``."""
    return named(PurePosixPath(folder.name) / "file").split is None
