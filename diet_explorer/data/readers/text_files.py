"""Text files as UTF-8 byte streams, whatever their encoding and compression, and what is wrong with them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from diet_explorer.errors import BadInputError
from diet_explorer.store.files import file_sha256

CHUNK = 1 << 22
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_FOREIGN_FORMATS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "In Excel, save the sheet as CSV UTF-8."),
    (b"PAR1", "a Parquet file", "Rename it to end in .parquet."),
    (b"\x1f\x8b", "compressed with gzip", "Let its name end in .gz."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV."),
    (b"%PDF", "a PDF document", "Give a table: CSV, TSV, JSON Lines or Parquet."),
)


class TextFile:
    """A CSV, TSV or JSON Lines file; if its name ends in ``.gz`` it is read through gzip.

    The encoding is one of `ReadingOptions`. Without one, a byte order mark decides, and UTF-8 where there is none. An
    empty file, one of another format or one that is not in its encoding is a BadInputError.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        self._is_compressed = path.suffix.lower() == ".gz"
        self.size = path.stat().st_size
        beginning = self._beginning()
        if not beginning:
            raise BadInputError(f"The file {path} is empty.", "Give a file with a header and rows.")
        for magic, what, remedy in _FOREIGN_FORMATS:
            if beginning.startswith(magic):
                raise BadInputError(f"The file {path} is {what}, not text.", remedy)
        self.encoding = encoding or _encoding_by_mark(beginning)
        self._mark_length = 3 if self.encoding == "utf-8" and beginning.startswith(codecs.BOM_UTF8) else 0
        self._check_encoding()

    @property
    def stem(self) -> str:
        """The file's name without its endings."""
        return Path(self.path.stem).stem if self._is_compressed else self.path.stem

    def chunks(self, skip: int = 0) -> Iterator[bytes]:
        """Yield the content from byte `skip` on as UTF-8, without a byte order mark, in chunks of bounded size."""
        stream = self.open(skip)
        while chunk := self._read(stream, CHUNK):
            yield chunk

    def open(self, skip: int = 0) -> Any:
        """Open the content as an Arrow stream of UTF-8 bytes, without a byte order mark, from byte `skip` on."""
        stream = self._open_raw()
        if self.encoding != "utf-8":
            stream = pa.transcoding_input_stream(stream, self.encoding, "utf-8")
        if skip + self._mark_length:
            self._read(stream, skip + self._mark_length)
        return stream

    def sha256(self) -> str:
        """Return the SHA-256 of the file's bytes as they are on disk."""
        return file_sha256(self.path)

    def fraction(self) -> float:
        """Return how much of the file on disk the latest opened stream has consumed, from 0 to 1."""
        return float(self._on_disk.tell() / self.size)

    def _open_raw(self) -> Any:
        self._on_disk = pa.OSFile(str(self.path))
        return pa.CompressedInputStream(self._on_disk, "gzip") if self._is_compressed else self._on_disk

    def _read(self, stream: Any, size: int) -> bytes:
        try:
            data: bytes = stream.read(size)
        except OSError as error:
            raise BadInputError(
                f"The file {self.path} cannot be read to its end: {error}.", "Check that it is complete; copy it again."
            ) from error
        return data

    def _beginning(self) -> bytes:
        return self._read(self._open_raw(), 64)

    def _check_encoding(self) -> None:
        """Decode everything once, so that a wrong encoding shows before any row is read."""
        decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        stream, read, line = self._open_raw(), 0, 1
        while True:
            chunk = self._read(stream, CHUNK)
            waiting = len(decoder.getstate()[0])
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise self._wrong_encoding(read - waiting + error.start, line) from error
            if not chunk:
                return
            read += len(chunk)

    def _wrong_encoding(self, offset: int, line: int) -> BadInputError:
        return BadInputError(
            f"The file {self.path} is not {self.encoding.upper()} text: byte {offset} (line {line}) cannot be decoded.",
            "Save it as UTF-8, or name its encoding, for instance cp1252 (Western European) or utf-16.",
        )


def _encoding_by_mark(beginning: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if beginning.startswith(mark):
            return encoding
    return "utf-8"
