"""Open what the user named: a file, a folder of `datasets`, or a dataset of the Hub."""

from __future__ import annotations

from pathlib import Path

from diet_explorer.data.readers.csv_files import CsvSource
from diet_explorer.data.readers.datasets_folder import HUB_PREFIX, open_folder, open_hub
from diet_explorer.data.readers.json_lines import JsonLinesSource
from diet_explorer.data.readers.options import DEFAULT_OPTIONS, ReadingOptions
from diet_explorer.data.readers.parquet_files import ParquetSource
from diet_explorer.data.readers.source import Source
from diet_explorer.data.readers.text_files import TextFile
from diet_explorer.errors import BadInputError

__all__ = ["Source", "open_source"]

_KNOWN = ".csv, .tsv, .jsonl (also .gz of these), .parquet, a folder written by datasets' save_to_disk, or hub:NAME"


def open_source(location: str | Path, options: ReadingOptions = DEFAULT_OPTIONS) -> Source:
    """Open a CSV, TSV or JSON Lines file (also ``.gz``), a Parquet file, a folder of `datasets`, or a ``hub:NAME``.

    BadInputError, with the location and a remedy, if there is nothing there, or what is there is empty, of a kind that
    is not known, in another encoding, or damaged.
    """
    text = str(location)
    if text.startswith(HUB_PREFIX):
        options.check("a dataset of the Hub")
        return open_hub(text)
    path = Path(location).expanduser()
    try:
        return _open_path(path, options)
    except PermissionError as error:
        raise BadInputError(f"{path} may not be read.", "Give this user the right to read it.") from error
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read: {error.strerror or error}.", "Check the path and the disk."
        ) from error


def _open_path(path: Path, options: ReadingOptions) -> Source:
    if not path.exists():
        raise BadInputError(
            f"There is no file or folder {path}.", "Check the path; give a dataset of the Hub as hub:NAME."
        )
    if path.is_dir():
        options.check("a folder of datasets")
        return open_folder(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    is_compressed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[:-1][-1:] if is_compressed else suffixes[-1:])
    if suffix in (".csv", ".tsv", ".tab"):
        return CsvSource(TextFile(path, options.encoding), options, is_tsv=suffix != ".csv")
    if suffix in (".jsonl", ".ndjson", ".json"):
        options.check("a JSON Lines file", ("encoding",))
        return JsonLinesSource(TextFile(path, options.encoding))
    if suffix in (".parquet", ".pq") and not is_compressed:
        options.check("a Parquet file")
        return ParquetSource(path)
    raise BadInputError(f"The kind of {path} is not known from its ending.", f"Give one of {_KNOWN}.")
