"""How a source is to be read, as far as a person says so; what is left open, the reader finds out."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, fields
from typing import Any

from diet_explorer.errors import BadInputError, ReadingError

_DELIMITER_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "bar": "|", "space": " "}
_NO_DELIMITERS = {'"', "\n", "\r", "\\"}


@dataclass(frozen=True)
class ReadingOptions:
    """Choices that the content of a file does not settle by itself.

    Parameters
    ----------
    encoding : str, optional
        Codec of a text file, by Python's name; by default its byte order mark decides, else UTF-8.
    delimiter : str, optional
        What separates the cells of a CSV or TSV file: one character, or ``comma``, ``semicolon``, ``tab``, ``pipe`` or
        ``space``; by default it is guessed from the first rows.
    header : bool, optional
        Whether the first line of a CSV or TSV file names the columns; by default its looks decide.
    column_names : tuple of str, optional
        What to call the columns of a CSV or TSV file, instead of the names in its header or where it has none.
    sheet : str, optional
        Which sheet of an Excel workbook; by default the first that has rows.

    Raises
    ------
    BadInputError
        A codec is unknown, a delimiter is no single character, or two columns would have one name.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    column_names: tuple[str, ...] | None = None
    sheet: str | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None:
            object.__setattr__(self, "encoding", _codec(self.encoding))
        if self.delimiter is not None:
            object.__setattr__(self, "delimiter", _delimiter(self.delimiter))
        if self.column_names is not None:
            object.__setattr__(self, "column_names", _names(self.column_names))

    def given(self) -> dict[str, Any]:
        """The choices that were made, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def check(self, kind: str, known: tuple[str, ...] = ()) -> None:
        """Refuse choices that mean nothing for a kind of source.

        Parameters
        ----------
        kind : str
            The kind of source in words, such as ``"a Parquet file"``.
        known : tuple of str
            Names of the choices that it takes.

        Raises
        ------
        BadInputError
            Another choice was made.
        """
        for name in self.given():
            if name not in known:
                choice = _TITLES[name]
                raise BadInputError(f"There is no {choice} to choose for {kind}.", f"Leave out the {choice}.")


DEFAULT_OPTIONS = ReadingOptions()
_TITLES = {
    "encoding": "encoding",
    "delimiter": "delimiter",
    "header": "header",
    "column_names": "column names",
    "sheet": "sheet",
}


def _codec(name: str) -> str:
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise BadInputError(
            f"The encoding {name!r} is unknown.", "Use a name such as utf-8, cp1252, latin-1 or utf-16."
        ) from error


def _delimiter(given: str) -> str:
    delimiter = _DELIMITER_NAMES.get(given.lower(), given)
    if len(delimiter) != 1 or delimiter in _NO_DELIMITERS or not delimiter.isascii():
        raise BadInputError(
            f"The delimiter {given!r} is not a single character that can separate cells.",
            "Give one such as , or ; or |, or the word tab.",
        )
    return delimiter


def _names(given: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(name, str) for name in given):
        raise BadInputError(f"The column names are {given!r}.", "Give a list of names, in the order of the columns.")
    names = tuple(name.strip() for name in given)
    for name in names:
        if not name:
            raise ReadingError("A column name is empty.", "Name every column.", "column_names")
        if names.count(name) > 1:
            message = f"The column name {name!r} is given twice."
            raise ReadingError(message, "Give each column a name of its own.", "column_names")
    return names
