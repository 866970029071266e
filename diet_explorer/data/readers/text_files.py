"""Text files as UTF-8 byte streams, whatever their encoding and compression, and what is wrong with them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.likely_encodings import likely_encodings
from diet_explorer.errors import BadInputError, ReadingError

CHUNK = 1 << 22
_LOOKED_AT = 4_096
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class TextFile:
    """A file of text, as UTF-8 whatever its encoding.

    The encoding is one of `ReadingOptions`. Without one, a byte order mark decides, or the zero bytes of UTF-16 without
    a mark; and UTF-8 where there is none. A file that is not in its encoding is a BadInputError.
    """

    def __init__(self, file: DataFile, encoding: str | None = None) -> None:
        self._file = file
        self.location = file.location
        self.stem = file.stem
        beginning = file.beginning
        self.encoding = encoding or encoding_of(beginning)
        self._mark_length = 3 if self.encoding == "utf-8" and beginning.startswith(codecs.BOM_UTF8) else 0
        self._check_encoding()

    def chunks(self, skip: int = 0) -> Iterator[bytes]:
        """Yield the content from byte `skip` on as UTF-8, without a byte order mark, in chunks of bounded size."""
        stream = self.open(skip)
        while chunk := self._file.read(stream, CHUNK):
            yield chunk

    def open(self, skip: int = 0) -> Any:
        """Open the content as an Arrow stream of UTF-8 bytes, without a byte order mark, from byte `skip` on."""
        stream = self._file.open()
        if self.encoding != "utf-8":
            stream = pa.transcoding_input_stream(stream, self.encoding, "utf-8")
        if skip + self._mark_length:
            self._file.read(stream, skip + self._mark_length)
        return stream

    def blocks(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the first line, and lines without their ends, in blocks of bounded size.

        LimitError for a line that is longer than a row may be.
        """
        limits = current_limits()
        number, rest = 1, b""
        for chunk in self.chunks():
            complete, newline, rest_of_chunk = chunk.rpartition(b"\n")
            if newline:
                lines = (rest + complete).decode("utf-8").split("\n")
                yield number, lines
                number += len(lines)
                rest = b""
            rest += rest_of_chunk
            if len(rest) > limits.row_bytes:
                raise limits.long_row(f"Line {number:,} of {self.location}")
        if rest:
            yield number, [rest.decode("utf-8")]

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield number and content of every line."""
        for first, block in self.blocks():
            yield from enumerate(block, first)

    def sha256(self) -> str:
        """Return the SHA-256 of the file's bytes as they are on disk."""
        return self._file.sha256()

    def fraction(self) -> float:
        """Return how much of the file on disk the latest opened stream has consumed, from 0 to 1."""
        return self._file.fraction()

    def _check_encoding(self) -> None:
        """Decode everything once, so that a wrong encoding shows before any row is read."""
        decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        stream, read, line = self._file.open(), 0, 1
        while True:
            chunk = self._file.read(stream, CHUNK)
            waiting = len(decoder.getstate()[0])
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                rest = error.object[error.object.rfind(b"\n", 0, error.start) + 1 :]
                raise self._wrong_encoding(read - waiting + error.start, line, rest) from error
            if not chunk:
                return
            read += len(chunk)

    def _wrong_encoding(self, offset: int, line: int, content: bytes) -> BadInputError:
        """The error for `content`, which begins with the line that cannot be decoded."""
        readings = likely_encodings(content)
        name, text = readings[0] if readings else ("cp1252", "")
        return ReadingError(
            f"The file {self.location} is not {self.encoding.upper()} text: "
            f"byte {offset} (line {line}) cannot be decoded.",
            f"Save it as UTF-8, or name its encoding; as {name} that line reads: {text}",
            "encoding",
            readings,
        )


def _codec(name: str) -> str:
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except LookupError as error:
        raise BadInputError(
            f"The encoding {name!r} is unknown.", "Use a name such as utf-8, cp1252, latin-1 or utf-16."
        ) from error


def encoding_of(beginning: bytes) -> str:
    """The encoding that the first bytes of a text tell; UTF-8 where they tell none."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if beginning.startswith(mark):
            return encoding
    even, odd = beginning[:_LOOKED_AT:2], beginning[1:_LOOKED_AT:2]
    if odd.count(0) > len(odd) // 2 and not even.count(0):
        return "utf-16-le"
    if even.count(0) > len(even) // 2 and not odd.count(0):
        return "utf-16-be"
    return "utf-8"
