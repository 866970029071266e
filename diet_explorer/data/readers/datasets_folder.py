"""Sources that the `datasets` library reads: folders of ``save_to_disk`` and datasets of the Hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from diet_explorer.data.readers.parquet_files import bounded_batch_size, check_unique, class_names_of
from diet_explorer.data.readers.source import Batch, Source
from diet_explorer.errors import BadInputError
from diet_explorer.store.files import file_sha256

HUB_PREFIX = "hub:"
_HUB_NAME = re.compile(r"hub:(?P<name>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[^@]+))?(?:@(?P<revision>.+))?")


class DatasetsSource(Source):
    """One or several splits of the `datasets` library, one after the other.

    With several splits, a column ``split`` (or ``split name``, if there is one of that name) distinguishes them. A
    single dataset has the name None.
    """

    typed = True

    def __init__(self, splits: dict[str | None, Any], location: str, name: str, kind: str) -> None:
        super().__init__(location, name)
        self.kind = kind
        self._splits = splits
        schemas = {split: data.features.arrow_schema for split, data in splits.items()}
        self._schema = next(iter(schemas.values()))
        for split, schema in schemas.items():
            if not schema.equals(self._schema):
                raise BadInputError(
                    f"Split {split!r} of {location} has other columns or types than split {next(iter(schemas))!r}.",
                    "Give all splits the same columns, or import one of them.",
                )
        check_unique(self._schema.names, location)
        self._split_column = "split" if "split" not in self._schema.names else "split name"

    def columns(self) -> list[str]:
        return [*self._schema.names, *([] if None in self._splits else [self._split_column])]

    def sha256(self) -> str:
        digest = hashlib.sha256()
        for split, data in self._splits.items():
            digest.update(f"{split}\0".encode())
            for cached in data.cache_files:
                digest.update(bytes.fromhex(file_sha256(cached["filename"])))
        return digest.hexdigest()

    def class_names(self, column: str) -> list[str] | None:
        return class_names_of(self._schema).get(column)

    def batches(self, size: int = 65_536) -> Iterator[Batch]:
        self.bad_rows, self.fraction_read = [], 0.0
        row, rows = 0, sum(len(data) for data in self._splits.values())
        for split, data in self._splits.items():
            batch_size = bounded_batch_size(size, data.data.nbytes / max(len(data), 1))
            for table in data.with_format("arrow").iter(batch_size=batch_size):
                if split is not None:
                    table = table.append_column(self._split_column, pa.repeat(pa.scalar(split), table.num_rows))
                lines = np.arange(row + 1, row + 1 + table.num_rows)
                row += table.num_rows
                self.fraction_read = row / max(rows, 1)
                yield table, lines


def open_folder(path: Path) -> DatasetsSource:
    """Open a folder that `datasets` wrote with ``save_to_disk``."""
    if not ((path / "dataset_dict.json").is_file() or (path / "state.json").is_file()):
        raise BadInputError(
            f"The folder {path} was not written by datasets' save_to_disk.",
            "Give such a folder, or a single CSV, TSV, JSON Lines or Parquet file.",
        )
    from datasets import load_from_disk

    try:
        loaded = load_from_disk(str(path))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise BadInputError(
            f"The folder {path} cannot be read by datasets: {_first_line(error)}.", "Write it again with save_to_disk."
        ) from error
    return DatasetsSource(_by_split(loaded), str(path), path.name, "datasets")


def open_hub(location: str) -> DatasetsSource:
    """Download (or take from the cache) a dataset of the Hub: ``hub:NAME[:CONFIG][@REVISION]``."""
    match = _HUB_NAME.fullmatch(location)
    if match is None:
        raise BadInputError(
            f"{location!r} does not name a dataset of the Hub.", "Write hub:OWNER/NAME or hub:OWNER/NAME:CONFIG."
        )
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        loaded = load_dataset(match["name"], match["config"], revision=match["revision"])
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise _hub_error(match["name"], error) from error
    return DatasetsSource(_by_split(loaded), location, match["name"].split("/")[-1], "hub")


def _by_split(loaded: Any) -> dict[str | None, Any]:
    from datasets import DatasetDict

    return dict(loaded) if isinstance(loaded, DatasetDict) else {None: loaded}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _hub_error(name: str, error: Exception) -> BadInputError:
    """Say in one line why a dataset could not be had."""
    kinds = {cls.__name__ for cls in type(error).__mro__}
    text = str(error)
    if "Config name is missing" in text or "BuilderConfig" in text:
        choices = re.search(r"\[.*\]", text)
        return BadInputError(
            f"The dataset {name} of the Hub has several configurations.",
            f"Name one as hub:{name}:CONFIG{f'; there are {choices.group(0)}' if choices else ''}.",
        )
    if "DatasetNotFoundError" in kinds:
        return BadInputError(
            f"There is no dataset {name} on the Hub, or it is private.", "Check the name; log in for a private one."
        )
    if kinds & {"ConnectionError", "OfflineModeIsEnabled", "ConnectError", "TimeoutError"}:
        return BadInputError(
            f"The Hub cannot be reached to load the dataset {name}.",
            "Check the network connection, or give a file or a folder on this machine.",
        )
    return BadInputError(
        f"The dataset {name} of the Hub cannot be loaded: {_first_line(error)}.",
        "Download its files and give one of them instead.",
    )
