"""What people write for where their data is: a path, often pasted with something around it, a glob, a URL, a split."""

from __future__ import annotations

import difflib
import glob
import http.client
import os
import re
import sys
import urllib.error
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import fsspec

from diet_explorer.data.readers.data_file import DataFile, spooled
from diet_explorer.errors import BadInputError, DietExplorerError
from diet_explorer.redaction import hide_in_address
from diet_explorer.store.public_web import NotPublicError, open_url
from diet_explorer.store.reach import EVERYWHERE, Reach
from diet_explorer.store.remote import extra_of

STDIN = "-"
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“"}
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SELECTION = re.compile(r"(?P<base>.+?)\[(?P<splits>[\w.\- +,]+)\]", re.DOTALL)
_WILD = re.compile(r"[*?\[]")
_TIMEOUT = 60.0
_WRITTEN_BY = {
    "DataFrame": "frame.to_parquet('data.parquet') or frame.write_parquet('data.parquet').",
    "Series": "frame.to_parquet('data.parquet'), with a column of texts and one of labels.",
    "Table": "pyarrow.parquet.write_table(table, 'data.parquet').",
    "Dataset": "dataset.save_to_disk('data').",
    "DatasetDict": "dataset.save_to_disk('data').",
    "IterableDataset": "datasets.Dataset.from_list(list(dataset)).save_to_disk('data').",
}
_HUB_PAGE = re.compile(
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/datasets/(?P<name>[\w.-]+(?:/[\w.-]+)?)/?"
    r"(?:(?P<file>(?:blob|resolve|raw)/.+)|(?:tree/(?P<revision>[^/?#]+)|viewer/?(?P<config>[^/?#]*).*)?/?)"
)


def as_path(location: str, reach: Reach = EVERYWHERE) -> Path:
    """The path that a location means: what is there as it is written, else without blanks and quotes around it.

    BadInputError where it is out of reach, be it there or not.
    """
    written = _expanded(location)
    if reach.permits(written) and _is_there(written):
        return written
    return reach.check(_expanded(cleaned(location)), cleaned(location))


def check_is_location(given: Any) -> None:
    """BadInputError for what is no list of paths, such as the data themselves."""
    name = next((kind.__name__ for kind in type(given).__mro__ if kind.__name__ in _WRITTEN_BY), None)
    if name is not None:
        raise BadInputError(f"A {type(given).__name__} is no file.", f"Write it, and import that: {_WRITTEN_BY[name]}")
    is_list = isinstance(given, Sequence) and not isinstance(given, bytes | bytearray)
    if not is_list or not given or not all(isinstance(entry, str | os.PathLike) for entry in given):
        raise BadInputError(
            f"A {type(given).__name__} of what is no path names no file."
            if is_list
            else f"A {type(given).__name__} names no file.",
            "Give a path, or a list of paths; write rows into a file first, for instance with "
            "pandas.DataFrame(rows).to_parquet('data.parquet').",
        )


def cleaned(location: str) -> str:
    """A location without blanks, quotes and ``file://`` around it, as they come with pasting."""
    text = location.strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    if text.lower().startswith("file:"):
        parts = urlsplit(text)
        return url2pathname(parts.path) if "%" in parts.path else unquote(parts.path)
    return text


def from_hub_page(location: str) -> str:
    """``hub:NAME`` for the address of a dataset's page on the Hub, and the address of the file for that of its page."""
    match = _HUB_PAGE.fullmatch(location)
    if match is None:
        return location
    if match["file"]:
        return location.replace("/blob/", "/resolve/", 1)
    config = f":{match['config']}" if match["config"] not in (None, "", "default") else ""
    return f"hub:{match['name']}{config}{'@' + match['revision'] if match['revision'] else ''}"


def is_url(location: str) -> bool:
    """Whether a location is of another machine."""
    return _URL.match(location) is not None and not location.lower().startswith("file:")


def selection(location: str) -> tuple[str, tuple[str, ...]]:
    """Take apart ``LOCATION[SPLIT]`` or ``LOCATION[SPLIT,SPLIT]``; no splits where none are written."""
    match = _SELECTION.fullmatch(location)
    if match is None:
        return location, ()
    return match["base"], tuple(name for split in re.split(r"[,+]", match["splits"]) if (name := split.strip()))


def matches_of(pattern: str, reach: Reach = EVERYWHERE) -> list[Path]:
    """Files within reach that a glob finds, in order; none for what is no glob."""
    if not _WILD.search(pattern):
        return []
    # where names leave what may be read, such as folder/*/../.., no folder is looked into
    parts = Path(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if _WILD.search(part))
    if reach.is_limited and (".." in parts[fixed:] or not reach.permits(Path(*parts[:fixed]))):
        return []
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207  it takes absolute patterns
    return [path for path in map(Path, sorted(found)) if reach.permits(path) and path.is_file()]


def nothing_there(path: Path) -> BadInputError:
    """The error for a path without a file or folder, with a name that is like it."""
    message = f"There is no file or folder {path}."
    if re.match(r"[A-Za-z]:[\\/]|\\\\", str(path)):
        return BadInputError(message, "This is a path of Windows; give one of the machine that the program runs on.")
    names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.7)
    hint = f"Did you mean {path.parent / near[0]}? " if near else ""
    return BadInputError(message, f"{hint}Check the path; give a dataset of the Hub as hub:NAME.")


def from_stdin(reach: Reach = EVERYWHERE) -> DataFile:
    """What is piped into the command, kept in a temporary file since it is read more than once."""
    if reach.is_limited:
        raise BadInputError("Only the command line reads what is piped into it.", "Upload the file.")
    if sys.stdin is None or sys.stdin.isatty():
        raise BadInputError(
            "Nothing is piped into the command, so that - has nothing to read.",
            "Write for instance: zcat reviews.csv.gz | diet-explorer import - --text text --label label",
        )
    return spooled(sys.stdin.buffer, "stdin", "standard input")


def from_pipe(path: Path, reach: Reach = EVERYWHERE) -> DataFile:
    """What comes out of a named pipe; only the command line may wait for that."""
    if reach.is_limited:
        raise BadInputError(f"{path} is no file.", "Give a data file, or a folder of them.")
    with path.open("rb") as stream:
        return spooled(stream, path.name, str(path))


def downloaded(url: str, reach: Reach = EVERYWHERE) -> DataFile:
    """The file at a URL, in a temporary place; BadInputError where that address is out of reach."""
    reach.check_address(url)
    hide_in_address(url)
    scheme = url.split(":", 1)[0].lower()
    name = PurePosixPath(unquote(urlsplit(url).path)).name or "download"
    if scheme in ("http", "https"):
        return _from_web(url, name, public_only=not reach.private)
    try:
        with fsspec.open(url, "rb") as stream:
            return spooled(stream, name, url)
    except (ImportError, ValueError) as error:
        extra = extra_of(url) if isinstance(error, ImportError) else None
        remedy = f"Install what it needs: pip install 'diet-explorer[{extra}]'. " if extra else ""
        raise BadInputError(
            f"{url} cannot be read: {str(error).rstrip('.')}.", f"{remedy}Or download the file, and give its path."
        ) from error
    except FileNotFoundError as error:
        raise BadInputError(f"There is no file {url}.", "Check the address.") from error
    except (DietExplorerError, OSError):
        raise
    except Exception as error:  # the packages of stores raise what they like
        raise BadInputError(
            f"{url} cannot be reached: {' '.join(str(error).split())}.",
            "Check the address, the credentials and the network; or download the file, and give its path.",
        ) from error


def _from_web(url: str, name: str, *, public_only: bool) -> DataFile:
    try:
        with open_url(url, _TIMEOUT, public_only=public_only) as answer:
            kind = answer.headers.get_content_type()
            file = spooled(answer, name, url)
    except NotPublicError as error:
        raise BadInputError(
            f"The server of {url} cannot be found, or is none of the public internet.",
            "Check the address; or upload the file. Only the operator can allow other servers "
            "(DIET_EXPLORER_PRIVATE_SOURCES).",
        ) from error
    except urllib.error.HTTPError as error:
        raise BadInputError(f"{url} answers {error.code} {error.reason}.", "Check the address in a browser.") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise BadInputError(
            f"{url} cannot be reached: {reason}.", "Check the address and the network; or download the file first."
        ) from error
    if kind == "text/html" or file.beginning.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise BadInputError(
            f"At {url} is a web page, not a data file.",
            "Give the address of the file itself, such as that of the button Raw or Download.",
        )
    return file


def _expanded(location: str) -> Path:
    """A path with ``~`` understood; a name that no user has stays as it is written."""
    try:
        return Path(location).expanduser()
    except RuntimeError:
        return Path(location)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long a name, a NUL character
        return False
