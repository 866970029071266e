"""Writing rows, batch by batch, as CSV, JSON Lines, Parquet or a folder of the `datasets` library.

The same batches give the same bytes: nothing that is written hangs on time, path or number of processors.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from diet_explorer.data.column_types import string_bytes
from diet_explorer.data.formulas import FORMULA
from diet_explorer.data.json_texts import json_texts
from diet_explorer.data.value_texts import texts_of

ExportFormat = Literal["csv", "jsonl", "parquet", "datasets"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


class RowWriter(Protocol):
    """Takes the rows of one split, batch by batch; `neutralised` counts the cells that it changed."""

    neutralised: int

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""

    def close(self) -> None:
        """Finish the files; they are not complete before."""


class CsvWriter:
    """Comma-separated values in UTF-8, with a header; text is quoted, null is an empty cell without quotes.

    Lists, structures and maps are written as JSON, bytes as base64, durations as hours:minutes:seconds.

    Parameters
    ----------
    path : Path
    schema : pyarrow.Schema
    neutralise_formulas : bool
        Whether texts that a spreadsheet would run as a formula get an apostrophe in front.

    Attributes
    ----------
    neutralised : int
        Cells that got one.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, neutralise_formulas: bool = False) -> None:
        self._neutralise = neutralise_formulas
        self.neutralised = 0
        names = [self._safe(pa.array([name]))[0].as_py() for name in schema.names]
        fields = [(name, _csv_type(field.type)) for name, field in zip(names, schema, strict=True)]
        self._schema = pa.schema(fields)
        self._writer = pc_csv.CSVWriter(str(path), self._schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        columns = []
        for column, field in zip(batch.columns, self._schema, strict=True):
            columns.append(self._safe(texts_of(column)) if pa.types.is_string(field.type) else column)
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()

    def _safe(self, column: pa.StringArray) -> pa.StringArray:
        if not self._neutralise:
            return column
        risky = pc.fill_null(pc.match_substring_regex(column, FORMULA), False)
        self.neutralised += risky.true_count
        return pc.if_else(risky, pc.binary_join_element_wise("'", column, ""), column)


class JsonLinesWriter:
    """One JSON object per line, in UTF-8, its values as `data.json_texts` has them."""

    neutralised = 0

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._heads = [
            ("{" if number == 0 else ", ") + json.dumps(name, ensure_ascii=False) + ": "
            for number, name in enumerate(schema.names)
        ]
        self._stream = path.open("wb")

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        parts: list[Any] = []
        for head, column in zip(self._heads, batch.columns, strict=True):
            parts += [head, json_texts(column)]
        lines = pc.binary_join_element_wise(*parts, "}\n", "")
        self._stream.write(string_bytes(lines))

    def close(self) -> None:
        """Finish the file."""
        self._stream.close()


class ParquetRowWriter:
    """Parquet with a row group per batch, packed by zstd."""

    neutralised = 0

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(str(path), schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


class DatasetsSplitWriter:
    """One split as `Dataset.save_to_disk` lays it out, for `load_from_disk`.

    Parameters
    ----------
    folder : Path
        Of the split; is created.
    schema : pyarrow.Schema
        With the features in its metadata, see `with_features`.
    """

    neutralised = 0
    _DATA = "data-00000-of-00001.arrow"

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._schema = schema
        self._fingerprint = hashlib.sha256()
        self._writer = pa.ipc.new_stream(str(folder / self._DATA), schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        self._writer.write_batch(batch.replace_schema_metadata(self._schema.metadata))

    def close(self) -> None:
        """Finish the files."""
        self._writer.close()
        with (self._folder / self._DATA).open("rb") as stream:
            fingerprint = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        state: dict[str, Any] = {
            "_data_files": [{"filename": self._DATA}],
            "_fingerprint": fingerprint,  # names the library's cached results, so it must follow from the content
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": self._folder.name,
        }
        features = features_of(self._schema)
        info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
        (self._folder / "state.json").write_text(json.dumps(state, indent=2), encoding="utf-8")
        (self._folder / "dataset_info.json").write_text(json.dumps(info, indent=2), encoding="utf-8")


def with_features(schema: pa.Schema, label_columns: list[str], classes: list[str]) -> pa.Schema:
    """The schema with the `datasets` library's features as metadata; labels are ClassLabels of the classes."""
    from datasets import ClassLabel, Features

    features = Features.from_arrow_schema(schema)
    for name in label_columns:
        features[name] = ClassLabel(names=classes)
    described: pa.Schema = features.arrow_schema
    return schema.with_metadata(described.metadata)


def features_of(schema: pa.Schema) -> dict[str, Any]:
    """The features that `with_features` has put into a schema, as plain data."""
    features: dict[str, Any] = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    return features


def _csv_type(kind: pa.DataType) -> pa.DataType:
    is_float = pa.types.is_floating(kind) and not pa.types.is_float16(kind)
    return kind if pa.types.is_integer(kind) or is_float or pa.types.is_boolean(kind) else pa.string()
