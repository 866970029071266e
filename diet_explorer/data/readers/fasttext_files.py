"""Text files with one example per line, labelled as for fastText: ``__label__positive what a film``."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.formats import Format
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.readers.source import Batch, Source, in_batches
from diet_explorer.data.readers.text_files import TextFile
from diet_explorer.data.set_aside import BadRow, Reason, cut

_PREFIX = "__label__"
_ENOUGH = 2
_MAX_CHARACTERS = 1 << 24
_LINES_LOOKED_AT = 20


class FastTextSource(Source):
    """The columns ``text`` and ``label`` of a file in fastText's form."""

    typed = False
    kind = "fasttext"

    def __init__(self, file: TextFile) -> None:
        super().__init__(file.location, file.stem)
        self._file = file
        self.quoted_columns.update(self.columns())

    def columns(self) -> list[str]:
        return ["text", "label"]

    def sha256(self) -> str:
        return self._file.sha256()

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        for rows, lines in in_batches(self._rows(), size, _MAX_CHARACTERS):
            texts, labels = zip(*rows, strict=True)
            yield pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())}), lines
        self.fraction_read = 1.0

    def _rows(self) -> Iterator[tuple[int, tuple[str, str], int]]:
        """Line, text and label, and characters of every line with one label or none."""
        for line, written in self._file.lines():
            if not written.strip():
                self.set_aside(BadRow(line, Reason.BLANK_ROW, ""))
                continue
            text, labels = _taken_apart(written)
            names = [name.removeprefix(_PREFIX).rstrip(",") for name in labels]
            if len(names) > 1:
                self.set_aside(BadRow(line, Reason.SEVERAL_LABELS, cut(written)))
                continue
            yield line, (text.strip(), "".join(names)), len(written)


def _taken_apart(line: str) -> tuple[str, list[str]]:
    """The text of a line and its labels: the words with the prefix at its beginning, else those at its end.

    No more than two labels are looked for. A regular expression for the whole would take a time that grows with the
    square of the blanks in a line.
    """
    for split, position in ((str.split, 0), (str.rsplit, -1)):
        text, labels = line, list[str]()
        while len(labels) < _ENOUGH and (words := split(text, None, 1)) and words[position].startswith(_PREFIX):
            labels.append(words.pop(position))
            text = "".join(words)
        if labels:
            break
    return text, labels


def _looks_like(text: str) -> bool:
    lines = [line for line in text.splitlines()[:_LINES_LOOKED_AT] if line.strip()]
    return all(_taken_apart(line)[1] for line in lines)


def _open(file: DataFile, options: ReadingOptions) -> Source:
    options.check("a file in fastText's form", ("encoding",))
    return FastTextSource(TextFile(file, options.encoding))


FASTTEXT = Format(
    title="fastText",
    endings=(),
    open=_open,
    description="lines of the form `__label__NAME text`, whatever the file's ending",
    looks_like=_looks_like,
)
