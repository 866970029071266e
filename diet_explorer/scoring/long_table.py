"""The long table of a run: a line per example, seed and checkpoint, a part of a score file at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from diet_explorer.data.example_order import read_example_order
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.store.scores import ROW_GROUP, ScoreFiles

_PART = 4 * ROW_GROUP


def long_table(store: ScoreFiles, manifest: DatasetManifest, names: Sequence[str]) -> pa.RecordBatchReader:
    """``id, split, seed, checkpoint, label, predicted`` (class names) and scores, by seed, checkpoint and row."""
    schema = pa.schema(
        [("id", pa.string()), ("split", pa.string()), ("seed", pa.int32()), ("checkpoint", pa.float64())]
        + [(name, pa.string()) for name in ("label", "predicted")]
        + [(name, pa.float32()) for name in names]
    )
    return pa.RecordBatchReader.from_batches(schema, _batches(store, manifest, names, schema))


def _batches(
    store: ScoreFiles, manifest: DatasetManifest, names: Sequence[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    order, examples = read_example_order(store.files, manifest.id), ExampleRows(store.files, manifest)
    splits, classes = pa.array(order.split_names, pa.string()), pa.array(manifest.classes, pa.string())
    wanted = ["row", "label", "predicted", *names]
    for seed, points in store.landed().items():
        for point in points:
            for part in store.read_in_parts(seed, point, wanted, _PART):
                rows = part["row"].to_numpy()
                columns = {
                    "id": examples.ids(rows),
                    "split": splits.take(pa.array(order.splits[rows])),
                    "seed": np.full(len(rows), seed, dtype=np.int32),
                    "checkpoint": np.full(len(rows), point),
                    "label": classes.take(part["label"].combine_chunks()),
                    "predicted": classes.take(part["predicted"].combine_chunks()),
                    **{
                        name: part[name] if name in part.column_names else pa.nulls(len(rows), pa.float32())
                        for name in names
                    },
                }
                yield from pa.table(columns, schema=schema).combine_chunks().to_batches()
