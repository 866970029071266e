"""Loading an export with the `datasets` library, as people load it from the Hub, to see whether its values stay.

The library guesses the types of CSV and JSON cells and casts afterwards: a text 0001 comes out as 1, a text 2024-01-02
as a point in time, whatever the card says. What was loaded is written again, and must be the same bytes.
"""

from __future__ import annotations

import csv
import filecmp
import json
import tempfile
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from diet_explorer.data.json_texts import json_texts
from diet_explorer.errors import ChangedByLoadingError
from diet_explorer.pruning.export.card import CARD_NAME, merged_card
from diet_explorer.pruning.export.card_text import CardProof
from diet_explorer.pruning.export.formats import CsvWriter, JsonLinesWriter

BATCH_ROWS = 32_768
_SHOWN = 60


def check_loading(folder: Path, manifest: Mapping[str, Any], scratch: Path | None = None) -> None:
    """Load a finished export by its card, and hold what comes out against its files; memory stays flat.

    Parameters
    ----------
    folder : Path
    manifest : mapping
        Its ``manifest.json``.
    scratch : Path, optional
        A folder for what the library makes of it, twice as large as the export; by default the system's.

    Raises
    ------
    ChangedByLoadingError
        Something comes out as another value; the message names the first one.
    """
    with tempfile.TemporaryDirectory(prefix="loading-", dir=scratch) as temporary:
        place = Path(temporary)
        loaded = _load(folder, manifest, place)
        for entry in manifest["files"]:
            if entry["split"] is None:
                continue
            table = loaded[entry["split"]].data.table if entry["split"] in loaded else None
            if table is None:
                raise _changed(f"the split {entry['split']} is missing")
            _check_split(folder / entry["path"], table, manifest["options"]["format"], place / "again")


def _load(folder: Path, manifest: Mapping[str, Any], place: Path) -> Any:
    import datasets

    card = merged_card(None, manifest, "own/export", CardProof())
    (place / "export").mkdir()
    (place / "export" / CARD_NAME).write_text(card, encoding="utf-8")
    for entry in manifest["files"]:
        if entry["split"] is not None:
            link = place / "export" / entry["path"]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((folder / entry["path"]).absolute())
    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(str(place / "export"), cache_dir=str(place / "cache"))
    except Exception as error:  # whatever the library raises, people would meet it as well
        reason = (str(error.__cause__ or error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise _changed(f"the export is an error: {reason[:300]}") from error


def _check_split(path: Path, table: pa.Table, form: str, again: Path) -> None:
    if form not in ("csv", "jsonl"):
        _check_tables(path, table, form)
        return
    writer = CsvWriter(again, table.schema) if form == "csv" else JsonLinesWriter(again, table.schema)
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        writer.write(batch)
    writer.close()
    if not filecmp.cmp(path, again, shallow=False):
        raise _changed(_first_difference(path, again, form))
    again.unlink()


def _check_tables(path: Path, table: pa.Table, form: str) -> None:
    start = 0
    for batch in _batches(path, form):
        part = table.slice(start, batch.num_rows)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            own = pa.chunked_array([column])
            if name not in part.column_names or not _same(own, part[name]):
                raise _changed(f"column {name!r} has other values")
        start += batch.num_rows
    if start != table.num_rows:
        raise _changed(f"{path.name} has {table.num_rows:,} rows, not {start:,}")


def _batches(path: Path, form: str) -> Iterator[pa.RecordBatch]:
    if form == "parquet":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(BATCH_ROWS)
    else:
        with pa.memory_map(str(path)) as mapped, pa.ipc.open_stream(mapped) as stream:
            yield from stream


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """Whether two columns hold the same values, NaN being itself, and strings of any kind alike."""
    if one.type == other.type and one.equals(other):
        return True
    texts = [json_texts(column.combine_chunks()) for column in (one, other)]
    return bool(len(one) == len(other) and pc.all(pc.equal(*texts), min_count=0).as_py())


def _first_difference(path: Path, again: Path, form: str) -> str:
    """In words, what differs first between an export's file and what was loaded of it."""
    for row, (own, other) in enumerate(zip_longest(_records(path, form), _records(again, form)), start=1):
        if own is None or other is None or list(own) != list(other):
            return f"row {row:,} is another one"
        for name, value in own.items():
            if value != other[name] or type(value) is not type(other[name]):
                return f"{_cut(value)} in row {row:,} of column {name!r} becomes {_cut(other[name])}"
    return "missing values become empty texts, or the other way round"


def _records(path: Path, form: str) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream) if form == "csv" else map(json.loads, stream)


def _changed(what: str) -> ChangedByLoadingError:
    return ChangedByLoadingError(f"Loaded by the datasets library, {what}.", "Export in Parquet, then push that.")


def _cut(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
