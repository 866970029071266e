"""Sources that the `datasets` library reads: folders of ``save_to_disk`` and datasets of the Hub."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.formats import all_endings
from diet_explorer.data.readers.schema_source import SchemaSource, bounded_batch_size
from diet_explorer.data.readers.source import Batch, Source
from diet_explorer.data.readers.split_names import chosen_names
from diet_explorer.data.readers.split_sources import Part, SplitsSource
from diet_explorer.data.report import Notice
from diet_explorer.errors import BadInputError
from diet_explorer.store.files import file_sha256
from diet_explorer.store.names import is_hub_id
from diet_explorer.store.network import network_trouble, status_of
from diet_explorer.store.reach import EVERYWHERE, Reach

HUB_PREFIX = "hub:"
_HUB_NAME = re.compile(r"hub:(?P<name>[^:@]+)(?::(?P<config>[^@]+))?(?:@(?P<revision>.+))?")
_AS_READ = "Numbers may have lost leading zeros, and words such as NA are empty; give the files themselves to avoid it."
_ON_HUB = "hf://datasets/"
Token = bool | None  # None for this machine's own token, False for none
OpenFolder = Callable[[Path, str | None, Sequence[str]], Source]
_GRAMMAR = "Write hub:OWNER/NAME, hub:OWNER/NAME:CONFIG or hub:OWNER/NAME:CONFIG[SPLIT]."


class DatasetSource(SchemaSource):
    """One split of the `datasets` library."""

    def __init__(self, data: Any, location: str, name: str, kind: str) -> None:
        super().__init__(location, name)
        self.kind = kind
        self._data = data
        self.schema = data.features.arrow_schema
        self.check_names()

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for cached in self._data.cache_files:
            digest.update(bytes.fromhex(file_sha256(cached["filename"])))
        return digest.hexdigest()

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        rows = 0
        batch_size = bounded_batch_size(size, self._data.data.nbytes / max(len(self._data), 1))
        for table in self._data.with_format("arrow").iter(batch_size=batch_size):
            _check_offsets(table, self.location)
            lines = np.arange(rows + 1, rows + 1 + table.num_rows)
            rows += table.num_rows
            self.fraction_read = rows / len(self._data)
            yield table, lines


def was_saved(path: Path) -> bool:
    """Whether `datasets` wrote a folder with ``save_to_disk``."""
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def open_saved(path: Path, splits: Sequence[str] = (), reach: Reach = EVERYWHERE) -> Source:
    """Open a folder that `datasets` wrote with ``save_to_disk``, or some of its splits."""
    from datasets import load_from_disk

    _check_facts(path)
    _check_saved(path, reach)
    try:
        loaded = load_from_disk(str(path))
    except Exception as error:
        raise BadInputError(
            f"The folder {path} cannot be read by datasets: {_first_line(error)}.", "Write it again with save_to_disk."
        ) from error
    return _source(loaded, str(path), path.resolve().name, "datasets", splits)


def _check_saved(path: Path, reach: Reach) -> None:
    """Hold against the folder what its files say of others: none may lie beside it, by name or by a link."""
    splits = _entries(_inside(path, path / "dataset_dict.json", reach), "splits")
    for folder in (path, *(path / str(split) for split in splits)):
        state = _entries(_inside(path, folder / "state.json", reach), "_data_files")
        for name in ("dataset_info.json", *(entry.get("filename", "") for entry in state if isinstance(entry, dict))):
            _inside(path, folder / str(name), reach)


def _inside(path: Path, file: Path, reach: Reach) -> Path:
    """A file that the files of a folder name; BadInputError where it lies elsewhere."""
    below = file.is_relative_to(path) and ".." not in file.parts[len(path.parts) :]
    if not below or "::" in str(file):  # two colons make fsspec read something else
        raise BadInputError(f"The folder {path} names files that lie beside it.", "Write it again with save_to_disk.")
    return reach.check(file)


def _entries(file: Path, key: str) -> list[Any]:
    """A list in one of the small files that `datasets` writes; empty where it is not there or damaged."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return entries if isinstance(entries, list) else []


def _check_facts(path: Path) -> None:
    """Refuse a folder whose own JSON files are too large, too deep, or none."""
    limits = current_limits()
    for file in [path / "dataset_dict.json", *path.glob("**/state.json"), *path.glob("**/dataset_info.json")]:
        if not file.is_file():
            continue
        if file.stat().st_size > limits.document_bytes:
            raise limits.error(
                "document_mb", f"The file {file} is longer than {limits.document_mb:,} MB.", "Write it again."
            )
        try:
            facts = json.loads(file.read_bytes())
        except RecursionError as error:
            raise limits.too_deep(f"The file {file}") from error
        except ValueError as error:
            raise BadInputError(
                f"The folder {path} cannot be read by datasets: {file.name} is no JSON: {error}.",
                "Write it again with save_to_disk.",
            ) from error
        limits.check_depth(facts, f"The file {file}")
        if not isinstance(facts, dict):
            raise BadInputError(f"The file {file} holds no JSON object.", "Write it again with save_to_disk.")


def _check_offsets(table: pa.Table, location: str) -> None:
    try:
        table.validate(full=True)  # else its offsets may lead anywhere
    except pa.ArrowException as error:
        raise BadInputError(
            f"The data of {location} is damaged: {_first_line(error)}.", "Write it again with save_to_disk."
        ) from error


def open_hub(location: str, splits: Sequence[str], open_folder: OpenFolder, *, with_token: bool = True) -> Source:
    """Download (or take from the cache) a dataset of the Hub, or some of its splits.

    `with_token` lets this machine's own token open private datasets.

    `datasets` reads CSV by guesses that change values (``007`` becomes 7, ``NA`` nothing), and refuses splits with
    other columns; the files of such datasets are read by `open_folder`.
    """
    match = _HUB_NAME.fullmatch(location)
    if match is None or not is_hub_id(match["name"]):
        raise BadInputError(f"{location!r} does not name a dataset of the Hub.", _GRAMMAR)
    _check_no_reader(match["name"])

    def read_files() -> Source:
        source = open_folder(_downloaded(match["name"], match["revision"], token), match["config"], splits)
        source.location, source.name, source.kind = location, name, "hub"
        return source

    name = match["name"].split("/")[-1]
    token = None if with_token else False
    if not with_token:
        _check_open(match["name"])
    try:
        loaded = _loaded(match["name"], match["config"], match["revision"], token)
    except BadInputError:
        raise
    except Exception as error:
        if _is_unlike(error):
            return read_files()
        raise _hub_error(match["name"], error, token) from error
    source = _source(loaded, location, name, "hub", splits)
    if not _is_of_csv(loaded):
        return source
    try:
        return read_files()
    except BadInputError as error:
        source.notices.append(Notice(f"The CSV files are read as datasets reads them: {error.message}", _AS_READ))
        return source


def _check_no_reader(name: str) -> None:
    """Refuse what `datasets` takes for one of its readers of files."""
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as READERS

    if name in READERS:
        raise BadInputError(f"There is no dataset {name} on the Hub.", "Give its whole name, OWNER/NAME.")


def _loaded(name: str, config: str | None, revision: str | None, token: Token) -> Any:
    """What `datasets` reads of a dataset of the Hub, never of a folder or a reader of the same name."""
    from datasets import load_dataset_builder

    builder = load_dataset_builder(f"{_ON_HUB}{name}", config, revision=revision, token=token)
    files = builder.config.data_files or {}
    if not all(str(file).startswith(_ON_HUB) for entries in files.values() for file in entries):
        raise BadInputError(
            f"The dataset {name} of the Hub names files that are not on the Hub.",
            "Download its files and give one of them instead.",
        )
    builder.download_and_prepare()
    return builder.as_dataset()


def _is_of_csv(loaded: Any) -> bool:
    parts = loaded.values() if isinstance(loaded, dict) else [loaded]
    return any(part.info.builder_name == "csv" for part in parts)


def _is_unlike(error: Exception) -> bool:
    """Whether `datasets` failed to make one table of files that it could read."""
    kinds = {kind.__name__ for cause in (error, error.__cause__) for kind in type(cause).__mro__}
    return bool(kinds & {"DatasetGenerationCastError", "DatasetGenerationError", "CastError"})


def _downloaded(name: str, revision: str | None, token: Token) -> Path:
    """The files of a dataset's repository, as a folder."""
    from huggingface_hub import snapshot_download

    patterns = ["README.md", *(f"*{ending}" for ending in all_endings())]
    try:
        folder = snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=patterns, token=token)
    except Exception as error:
        raise _hub_error(name, error, token) from error
    return Path(folder)


def _source(loaded: Any, location: str, name: str, kind: str, splits: Sequence[str]) -> Source:
    from datasets import DatasetDict

    if not isinstance(loaded, DatasetDict):
        chosen_names([], splits, location)
        return DatasetSource(loaded, location, name, kind)
    if not loaded:
        raise BadInputError(f"{location} holds no split.", "Write it again with save_to_disk.")
    names = chosen_names(list(loaded), splits, location)
    if len(names) == 1 and splits:
        return DatasetSource(loaded[names[0]], location, name, kind)
    parts = [Part(DatasetSource(loaded[split], location, name, kind), split, f"split {split}") for split in names]
    return SplitsSource(parts, location, name, kind)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _hub_error(name: str, error: Exception, token: Token) -> BadInputError:
    """Say in one line why a dataset could not be had."""
    kinds = {cls.__name__ for cls in type(error).__mro__}
    text = str(error)
    if "Config name is missing" in text or "BuilderConfig" in text:
        choices = re.search(r"\[.*\]", text)
        return BadInputError(
            f"The dataset {name} of the Hub has several configurations.",
            f"Name one as hub:{name}:CONFIG{f'; there are {choices.group(0)}' if choices else ''}.",
        )
    cause = _own_words(name, token) if kinds & {"ConnectionError", "DatasetNotFoundError"} else None
    status, trouble = status_of(cause or error), network_trouble(cause or error)
    if token is False and ("GatedRepoError" in str(type(cause)) or status in (401, 403, 404)):
        return BadInputError(
            f"There is no dataset {name} on the Hub that everybody may read.",
            "Check the name; or upload its files. Only the operator can let the server's own token open private ones "
            "(DIET_EXPLORER_PRIVATE_SOURCES).",
        )
    if status == 401 and _has_token():
        return BadInputError(
            f"The Hub does not accept the token, or there is no dataset {name}.",
            "Log in again with `hf auth login`, or correct HF_TOKEN; check the name.",
        )
    if "GatedRepoError" in str(type(cause)) or status == 403:
        return BadInputError(
            f"The dataset {name} of the Hub may not be read without leave.",
            "Ask for access on its page, and log in with `hf auth login` or HF_TOKEN.",
        )
    if status == 429:
        return BadInputError(
            "The Hub lets no more requests through for now (error 429).",
            "Try again in some minutes; who is logged in (`hf auth login`) may ask more often.",
        )
    if status is not None and status >= 500:
        return BadInputError(f"The Hub answers with error {status}.", "Try again in some minutes.")
    if trouble is not None:
        return BadInputError(
            f"The Hub cannot be reached to load the dataset {name}: {trouble.reason}.",
            f"{trouble.remedy} Or give a file or a folder on this machine.",
        )
    if "DatasetNotFoundError" in kinds or status in (401, 404):
        return BadInputError(
            f"There is no dataset {name} on the Hub, or it is private.", "Check the name; log in for a private one."
        )
    if "ConnectionError" in kinds:
        return BadInputError(
            f"The Hub cannot be reached to load the dataset {name}.",
            "Check the network connection, or give a file or a folder on this machine.",
        )
    return BadInputError(
        f"The dataset {name} of the Hub cannot be loaded: {_first_line(error)}.",
        "Download its files and give one of them instead.",
    )


def _check_open(name: str) -> None:
    """BadInputError for a dataset that not everybody may read, though it be in the cache of somebody who may."""
    trouble = _own_words(name, False)
    if trouble is not None:
        raise _hub_error(name, trouble, False)


def _own_words(name: str, token: Token) -> Exception | None:
    """What the Hub or the network says of a dataset, which `datasets` keeps to itself."""
    from huggingface_hub import HfApi

    try:
        HfApi(token=token).dataset_info(name, timeout=10)
    except Exception as error:  # noqa: BLE001  handed on
        return error
    return None


def _has_token() -> bool:
    from huggingface_hub import get_token

    return get_token() is not None
