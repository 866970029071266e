"""The table of the formats that can be read; a package adds one by an entry point of ``diet_explorer.readers``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from diet_explorer.data.readers.data_file import CONTAINER_ENDINGS, DataFile
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.data.readers.source import Source
from diet_explorer.data.readers.text_files import encoding_of
from diet_explorer.errors import BadInputError

GROUP = "diet_explorer.readers"
_PACKAGE = "diet_explorer.data.readers"


def _never(beginning: bytes | str) -> bool:
    return False


@dataclass(frozen=True)
class Format:
    """One format of data files.

    Parameters
    ----------
    title : str
        What people call it, such as ``"CSV"``.
    endings : tuple of str
        Endings of its files in lower case, such as ``".csv"``.
    open : callable
        From a `DataFile` and `ReadingOptions` to a `Source`; a BadInputError for what is not of the format.
    description : str
        What is read of it, for the table of formats.
    has_signature : callable, optional
        Whether the first bytes of a file are of this format for sure, whatever its ending says.
    looks_like : callable, optional
        Whether the first characters of a text look like this format; asked where the ending says nothing, formats that
        come late in the table first.
    """

    title: str
    endings: tuple[str, ...]
    open: Callable[[DataFile, ReadingOptions], Source]
    description: str
    has_signature: Callable[[bytes], bool] = _never
    looks_like: Callable[[str], bool] = _never


# In the order in which they are listed.
_BUILT_IN = (
    EntryPoint("csv", f"{_PACKAGE}.csv_files:CSV", GROUP),
    EntryPoint("tsv", f"{_PACKAGE}.csv_files:TSV", GROUP),
    EntryPoint("json-lines", f"{_PACKAGE}.json_documents:JSON_LINES", GROUP),
    EntryPoint("json", f"{_PACKAGE}.json_documents:JSON", GROUP),
    EntryPoint("excel", f"{_PACKAGE}.excel_files:EXCEL", GROUP),
    EntryPoint("parquet", f"{_PACKAGE}.parquet_files:PARQUET", GROUP),
    EntryPoint("arrow", f"{_PACKAGE}.arrow_files:ARROW", GROUP),
    EntryPoint("fasttext", f"{_PACKAGE}.fasttext_files:FASTTEXT", GROUP),
)


@functools.cache
def all_formats() -> tuple[Format, ...]:
    """Every format, those of other packages last.

    Raises
    ------
    BadInputError
        The reader of another package cannot be loaded.
    """
    return tuple(_load(entry) for entry in (*_BUILT_IN, *entry_points(group=GROUP)))


def all_endings() -> tuple[str, ...]:
    """Endings of all formats and of the compressions and archives around them."""
    return (*(ending for known in all_formats() for ending in known.endings), *CONTAINER_ENDINGS)


def formats_in_words() -> str:
    """All formats as a list for people."""
    titles = [known.title + (f" ({', '.join(known.endings)})" if known.endings else "") for known in all_formats()]
    return f"{', '.join(titles)}; also as {', '.join(CONTAINER_ENDINGS)}"


def table_of_formats() -> str:
    """All formats as a table in Markdown."""
    rows = [
        f"| {known.title} | {' '.join(f'`{ending}`' for ending in known.endings) or 'any'} | {known.description} |"
        for known in all_formats()
    ]
    return "\n".join(["| Format | Endings | What is read |", "|---|---|---|", *rows])


def format_of(file: DataFile) -> Format | None:
    """The format of a file by its first bytes, its ending, or its looks; None where nothing tells."""
    known = all_formats()
    by_signature = (entry for entry in known if entry.has_signature(file.beginning))
    by_ending = (entry for entry in known if file.ending in entry.endings)
    return next(by_signature, None) or next(by_ending, None) or format_by_looks(file.beginning)


def format_by_looks(beginning: bytes) -> Format | None:
    """The format that the beginning of a text looks like; None also where it is no text."""
    text = beginning.decode(encoding_of(beginning), errors="ignore")
    if not text.strip() or "\0" in text:
        return None
    return next((entry for entry in reversed(all_formats()) if entry.looks_like(text)), None)


def _load(entry: EntryPoint) -> Format:
    try:
        loaded = entry.load()
    except Exception as error:
        raise BadInputError(
            f"The reader {entry.name} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}.",
            "Update or uninstall the package that brings it.",
        ) from error
    if not isinstance(loaded, Format):
        raise BadInputError(
            f"The reader {entry.name} ({entry.value}) is no Format.",
            "Update or uninstall the package that brings it.",
        )
    return loaded
