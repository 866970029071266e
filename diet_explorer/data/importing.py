"""Write the usable rows of a source as a dataset of the workspace."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from diet_explorer.data.column_types import as_strings, parse_column, plain
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.example_order import write_example_order
from diet_explorer.data.manifest import DISAGREEMENT, METADATA_PREFIX, DatasetManifest
from diet_explorer.data.readers.nested import settle
from diet_explorer.data.readers.source import Source
from diet_explorer.data.set_aside import BadRow, written_row
from diet_explorer.data.survey import REASONS, Progress, Survey, survey
from diet_explorer.data.validation import report_of
from diet_explorer.errors import BadInputError
from diet_explorer.redaction import redacted
from diet_explorer.store.files import Files
from diet_explorer.store.layout import MANIFEST_NAME, DatasetPaths, Layout
from diet_explorer.store.names import name_or

ROW_GROUP = 32_768
# Shares of the whole import that the two readings take.
_SURVEYED = 0.7
_SET_ASIDE_SCHEMA = pa.schema(
    [("line", pa.int64()), *((name, pa.string()) for name in ("reason", "remedy", "raw", "file"))]
)


def import_examples(
    source: Source,
    mapping: ColumnMapping,
    files: Files,
    *,
    name: str | None = None,
    progress: Progress | None = None,
) -> DatasetManifest:
    """Import a source: read it once to know it, once more to write `examples.parquet`.

    Rows that cannot be used go to `set_aside.parquet` with line, reason and remedy. Importing the same content under
    the same name (by default the source's) and mapping again returns the dataset that is there. A refusal of the report
    is a BadInputError, and so is a source that changes while it is read. An error leaves nothing half-written behind.
    """
    name = name_or(name, source.name)
    source, mapping = settle(source, mapping)
    facts = survey(source, mapping, progress=_scaled(progress, 0.0, _SURVEYED))
    report = report_of(source, mapping, facts)
    for refusal in report.refusals:
        raise BadInputError(refusal.message, refusal.remedy)
    dataset_id = f"{_slug(name)}-{facts.content_hash[:10]}"
    paths = Layout(files).dataset(dataset_id)
    if not files.exists(paths.manifest):
        manifest = DatasetManifest(
            id=dataset_id,
            name=name,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            source={"location": redacted(source.location), "kind": source.kind, "sha256": source.sha256()},
            content_hash=facts.content_hash,
            rows=report.rows_kept,
            classes=facts.classes,
            label_type=facts.label_type,
            mapping=mapping,
            columns=_describe_columns(facts, mapping),
            splits=report.splits,
            report=report.to_json(),
        )
        with files.new_folder(paths.folder, MANIFEST_NAME) as building:
            temporary = DatasetPaths(building.root)
            _write_rows(source, mapping, facts, building, temporary, _scaled(progress, _SURVEYED, 1.0))
            write_example_order(building, temporary)
            building.write_json(temporary.manifest, manifest.to_json())
    if progress is not None:
        progress(1.0, f"Imported {report.rows_kept:,} rows")
    return DatasetManifest.load(files, dataset_id)


def _write_rows(
    source: Source, mapping: ColumnMapping, facts: Survey, files: Files, paths: DatasetPaths, progress: Progress | None
) -> None:
    rows = _RowBuilder(source, mapping, facts)
    with (
        files.atomic_writer(paths.examples) as stream,
        files.atomic_writer(paths.set_aside) as aside,
        pq.ParquetWriter(stream, rows.schema, compression="zstd", use_dictionary=_repeated(rows.schema)) as examples,
        pq.ParquetWriter(aside, _SET_ASIDE_SCHEMA, compression="zstd") as set_aside,
    ):
        for table, lines in source.batches(size=ROW_GROUP):
            usable, unusable = rows.build(table, lines)
            if usable.num_rows:
                examples.write_table(usable)
            if unusable:
                set_aside.write_table(_set_aside_table(source, unusable))
            if progress is not None:
                progress(source.fraction_read, f"Wrote {rows.written:,} rows")
        rows.check_complete()
        set_aside.write_table(_set_aside_table(source, rows.trailing_bad_rows()))


def _repeated(schema: pa.Schema) -> list[str]:
    """Columns whose values may repeat; a dictionary of the others would be as long as they are, and slower to read."""
    distinct = ("row", "id", "text", "text_pair")
    return [field.name for field in schema if field.name not in distinct and not pa.types.is_floating(field.type)]


class _RowBuilder:
    """Turns batches of a second reading into rows of `examples.parquet`, with what the survey knows about each."""

    def __init__(self, source: Source, mapping: ColumnMapping, facts: Survey) -> None:
        self.written = 0
        self._source = source
        self._mapping = mapping
        self._facts = facts
        self._read = 0
        self._bad_rows = sorted(facts.bad_rows, key=lambda row: row.line)
        self._bad_lines = np.array([row.line for row in self._bad_rows], dtype=np.int64)
        self._bad_rows_written = 0
        mapped = {column for _, column in mapping.roles()}
        self._metadata = {name: kind for name, kind in facts.types.items() if name not in mapped}
        self._split_names = pa.array(facts.split_names, pa.string())
        fields = [("row", pa.int32()), ("id", pa.string()), ("text", pa.string())]
        if mapping.text_pair is not None:
            fields.append(("text_pair", pa.string()))
        fields += [("label", pa.int32()), ("split", pa.string()), ("near_duplicate_group", pa.int32())]
        if facts.disagreement is not None:
            fields.append((DISAGREEMENT, pa.float64()))
        fields += [(METADATA_PREFIX + name, kind) for name, kind in self._metadata.items()]
        self.schema = pa.schema(fields)

    def build(self, table: pa.Table, lines: npt.NDArray[np.int64]) -> tuple[pa.Table, list[BadRow]]:
        """Return the usable rows of the next batch, and those to set aside up to its last line, by line."""
        here = slice(self._read, self._read + table.num_rows)
        self._read += table.num_rows
        if not np.array_equal(self._facts.lines[here], lines):
            raise self._changed()
        problems = self._facts.problems[here]
        unusable = [
            BadRow(int(lines[row]), REASONS[problems[row] - 1], written_row(table, row))
            for row in np.flatnonzero(problems).tolist()
        ]
        if len(lines):
            unusable += self._bad_rows_until(int(lines[-1]))
        return self._usable(table, lines, here), sorted(unusable, key=lambda row: row.line)

    def check_complete(self) -> None:
        """Raise if the second reading ended before the first."""
        if self._read != len(self._facts.lines):
            raise self._changed()

    def trailing_bad_rows(self) -> list[BadRow]:
        """Rows that were no rows of the table and stand behind the last batch."""
        return self._bad_rows_until(None)

    def _usable(self, table: pa.Table, lines: npt.NDArray[np.int64], here: slice) -> pa.Table:
        kept = self._facts.problems[here] == 0
        mask = pa.array(kept)
        count = int(kept.sum())
        columns = {name: plain(table.column(name)).filter(mask) for name in table.column_names}
        groups = self._facts.duplicates.near[here][kept]
        splits = pa.array(self._facts.splits[here][kept])
        values: dict[str, Any] = {
            "row": pa.array(np.arange(self.written, self.written + count), pa.int32()),
            "id": self._ids(columns, lines, here, kept),
            "text": as_strings(columns[self._mapping.text], self._mapping.text),
            "label": pa.array(self._facts.labels[here][kept]),
            "split": self._split_names.take(splits),
            "near_duplicate_group": pa.array(groups, mask=groups < 0),
        }
        if self._mapping.text_pair is not None:
            values["text_pair"] = as_strings(columns[self._mapping.text_pair], self._mapping.text_pair)
        if self._facts.disagreement is not None:
            shares = self._facts.disagreement[here][kept]
            values[DISAGREEMENT] = pa.array(shares, mask=np.isnan(shares))
        for name, kind in self._metadata.items():
            column = columns.get(name, pa.nulls(count, pa.string()))
            values[METADATA_PREFIX + name] = column if self._source.typed else parse_column(column, kind)
        self.written += count
        return pa.table({field.name: values[field.name] for field in self.schema}, schema=self.schema)

    def _ids(
        self, columns: dict[str, pa.Array], lines: npt.NDArray[np.int64], here: slice, kept: npt.NDArray[np.bool_]
    ) -> pa.Array:
        if self._mapping.id is not None:
            return as_strings(columns[self._mapping.id], self._mapping.id)
        # 1-based among all rows of the source, those that were not well-formed included.
        numbers = np.arange(here.start + 1, here.start + 1 + len(lines)) + np.searchsorted(self._bad_lines, lines)
        digits = pc.utf8_lpad(pa.array(numbers[kept]).cast(pa.string()), 7, "0")
        return pc.binary_join_element_wise("row", digits, "-")

    def _bad_rows_until(self, line: int | None) -> list[BadRow]:
        """Take the rows that are not well-formed up to a line, or all that are left."""
        start = self._bad_rows_written
        end = len(self._bad_rows) if line is None else int(np.searchsorted(self._bad_lines, line))
        self._bad_rows_written = end
        return self._bad_rows[start:end]

    def _changed(self) -> BadInputError:
        return BadInputError(f"{self._source.location} changed while it was being read.", "Import it again.")


def _set_aside_table(source: Source, rows: list[BadRow]) -> pa.Table:
    return pa.Table.from_pylist([source.written(row) for row in rows], schema=_SET_ASIDE_SCHEMA)


def _describe_columns(facts: Survey, mapping: ColumnMapping) -> list[dict[str, str]]:
    roles = {column: role for role, column in mapping.roles()}
    columns = [
        {"name": name, "role": roles.get(name, "metadata"), "type": str(kind)} for name, kind in facts.types.items()
    ]
    if mapping.label is None:
        name = next(name for name in _majority_names() if name not in facts.types)
        columns.append({"name": name, "role": "label", "type": "string"})
    return columns


def _majority_names() -> Iterator[str]:
    """What the column of the majority may be called, the best first."""
    yield "label"
    yield "majority_label"
    yield from (f"majority_label_{number}" for number in count(2))


def _slug(name: str) -> str:
    plain_letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    letters = re.sub(r"[^a-z0-9]+", "-", plain_letters.lower())[:60].strip("-")
    return letters or f"dataset-{hashlib.sha256(name.encode()).hexdigest()[:6]}"  # such as a name in Chinese


def _scaled(progress: Progress | None, start: float, end: float) -> Progress | None:
    """Report a part of the work as its share of the whole."""
    if progress is None:
        return None
    report = progress
    return lambda share, message: report(start + (end - start) * share, message)
