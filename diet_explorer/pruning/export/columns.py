"""The columns of an export: those of the source, in its order and of its types, and the few that are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from diet_explorer.data.manifest import METADATA_PREFIX, DatasetManifest
from diet_explorer.data.value_texts import texts_of
from diet_explorer.pruning.export.formats import features_of, with_features
from diet_explorer.pruning.export.request import ExportOptions
from diet_explorer.pruning.export.types import as_exported, exported_type, how_written
from diet_explorer.pruning.plan import Plan
from diet_explorer.pruning.selection import REASONS
from diet_explorer.store.decisions import NOTE
from diet_explorer.store.ranking_files import RankingFile

_TAKEN = "_diet_explorer"


def added_name(columns: Sequence[Mapping[str, Any]], name: str) -> str | None:
    """How an added column is called among those of a manifest; None where there is none of it."""
    names = [entry["name"] for entry in columns if entry["role"] == "added"]
    return next((own for own in names if own.replace(_TAKEN, "") == name), None)


class ExportColumns:
    """Turns stored examples into rows of an export.

    Parameters
    ----------
    plan : Plan
    options : ExportOptions
    stored : pyarrow.Schema
        Of the stored examples.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of the rows that `build` returns.
    """

    def __init__(self, plan: Plan, options: ExportOptions, stored: pa.Schema) -> None:
        manifest, selection, material = plan.manifest, plan.selection, plan.material
        self._selection = selection
        self._given = material.labels
        self._classes = pa.array(manifest.classes, pa.string())
        self._is_json = options.format == "jsonl"
        self._ranking = plan.ranking
        self._notes = plan.notes
        self._as_codes = options.format == "datasets" or (
            options.format == "parquet" and manifest.label_type == "class label"
        )
        relabelled = bool(np.any(material.train & selection.keep & (selection.labels != material.labels)))
        self._roles = {entry["name"]: entry["role"] for entry in manifest.columns}
        fields = []
        self._written: dict[str, str | None] = {}
        for name, role in self._roles.items():
            source = METADATA_PREFIX + name if role == "metadata" else role
            kind = stored.field(source).type
            if role == "label":
                kind = self._label_type(manifest, options)
            elif role != "metadata":
                kind = _number_type(manifest, name) or kind
            fields.append((name, exported_type(kind)))
            self._written[name] = how_written(kind, options.format)
        taken = {name for name, _ in fields}
        self._added: dict[str, str] = {}
        label_type = self._label_type(manifest, options)
        added = [("keep", pa.bool_()), ("reason", pa.string())] if options.all_rows else []
        added += [("original_label", label_type)] if options.all_rows or relabelled else []
        added += [(NOTE, pa.string())] if options.all_rows and len(plan.notes) else []
        scores = self._ranking.scores if options.all_rows and self._ranking is not None else []
        added += [(name, pa.float32()) for name in scores]
        for name, kind in added:
            own = name
            while own in taken:
                own += _TAKEN
            taken.add(own)
            self._added[own] = name
            fields.append((own, kind))
        labels = [name for name, role in self._roles.items() if role == "label"]
        labels += [own for own, name in self._added.items() if name == "original_label"]
        self._described = with_features(pa.schema(fields), labels, manifest.classes)
        self.schema = self._described if self._as_codes else self._described.remove_metadata()
        self._with_nulls: set[str] = set()

    def build(self, batch: pa.RecordBatch, rows: NDArray[np.int64]) -> pa.RecordBatch:
        """Rows of the export.

        Parameters
        ----------
        batch : pyarrow.RecordBatch
            Stored examples.
        rows : int array
            Their rows in the dataset, ascending.
        """
        columns = []
        for field in self.schema:
            if field.name in self._added:
                columns.append(self._added_column(self._added[field.name], field.type, rows))
                continue
            role = self._roles[field.name]
            if role == "label":
                columns.append(self._labels(self._selection.labels[rows], field.type))
            else:
                column = batch[METADATA_PREFIX + field.name if role == "metadata" else role]
                column = as_exported(column)
                self._note_unknown_numbers(field.name, column)
                columns.append(column if column.type == field.type else column.cast(field.type))
        names = self.schema.names
        self._with_nulls |= {name for name, column in zip(names, columns, strict=True) if column.null_count}
        return pa.record_batch(columns, schema=self.schema)

    def _note_unknown_numbers(self, name: str, column: pa.Array) -> None:
        """Remember that a column has numbers which JSON does not know."""
        if self._is_json and pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column)).as_py():
            self._written[name] = "NaN and infinities as null"

    def facts(self) -> list[dict[str, Any]]:
        """``name, type, role, nulls, written`` of each column: the added ones have the role ``added``; whether a row
        that was built holds a null there; in words what stands for its values, None where they stand as they are."""
        return [
            {
                "name": field.name,
                "type": str(field.type),
                "role": self._roles.get(field.name, "added"),
                "nulls": field.name in self._with_nulls,
                "written": self._written.get(field.name),
            }
            for field in self.schema
        ]

    def features(self) -> dict[str, Any]:
        """The features by which the `datasets` library knows the columns; labels are ClassLabels."""
        return features_of(self._described)

    def label_names(self, codes: NDArray[np.integer]) -> pa.StringArray:
        """Names of classes."""
        return self._classes.take(pa.array(codes))

    def _label_type(self, manifest: DatasetManifest, options: ExportOptions) -> pa.DataType:
        if self._as_codes:
            return pa.int64()
        kinds = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
        if options.format == "csv" and manifest.label_type == "boolean":
            return pa.string()  # as the source wrote it, be it True, true or TRUE
        kind: pa.DataType = kinds.get(manifest.label_type, pa.string())
        if kind == pa.bool_():
            return kind if len({name.lower() for name in manifest.classes}) == len(manifest.classes) else pa.string()
        name = next(name for name, role in self._roles.items() if role == "label")
        kind = _number_type(manifest, name) or kind if kind != pa.string() else kind
        written = texts_of(self._classes.cast(kind))  # two classes 1 and 1.0 would be one as numbers
        return kind if written.equals(self._classes) else pa.string()

    def _labels(self, codes: NDArray[np.integer], kind: pa.DataType) -> pa.Array:
        return pa.array(codes, kind) if self._as_codes else self.label_names(codes).cast(kind)

    def _added_column(self, name: str, kind: pa.DataType, rows: NDArray[np.int64]) -> pa.Array:
        if name == "keep":
            return pa.array(self._selection.keep[rows])
        if name == "reason":
            return pa.array(REASONS).take(pa.array(self._selection.reasons[rows]))
        if name == "original_label":
            return self._labels(self._given[rows], kind)
        if name == NOTE:
            return pa.array(self._notes.of(rows), kind)
        return pa.nulls(len(rows), kind) if self._ranking is None else _score(self._ranking, name, rows)


def _score(ranking: RankingFile, name: str, rows: NDArray[np.int64]) -> pa.Array:
    """A score, null for rows that the run did not score."""
    if not len(ranking):
        return pa.nulls(len(rows), pa.float32())
    positions = rows if ranking.is_counted else np.searchsorted(ranking.rows, rows)
    inside = np.minimum(positions, len(ranking) - 1)
    there = ranking.at("row", inside) == rows
    return pa.array(ranking.at(name, inside), pa.float32(), mask=~there)


def _number_type(manifest: DatasetManifest, column: str) -> pa.DataType | None:
    """The type that a mapped column has in the source, if it holds numbers there; the program keeps it as text."""
    kinds = {entry["name"]: entry["type"] for entry in manifest.columns}
    names = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float", "double")
    return pa.type_for_alias(kinds[column]) if kinds.get(column) in names else None
