"""Datasets and score files of random numbers in the real layout, for tests of everything that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.example_order import read_example_order, write_example_order
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.scoring import metrics
from diet_explorer.scoring.rankings import rank_checkpoint
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.scores import ScoreFiles, score_table


def write_dataset(
    files: Files,
    texts: Sequence[str],
    labels: Sequence[int],
    classes: Sequence[str],
    splits: Sequence[str] | None = None,
    metadata: dict[str, pa.Array] | None = None,
    ids: Sequence[str] | None = None,
    pairs: Sequence[str] | None = None,
) -> DatasetManifest:
    """A dataset as an import would leave it, without going through one."""
    rows = len(texts)
    splits = ["train"] * rows if splits is None else list(splits)
    metadata = metadata or {}
    table = pa.table(
        {
            "row": np.arange(rows, dtype=np.int32),
            "id": pa.array(ids or [f"e{number:05d}" for number in range(rows)], pa.string()),
            "text": pa.array(texts, pa.string()),
            **({} if pairs is None else {"text_pair": pa.array(pairs, pa.string())}),
            "label": np.asarray(labels, dtype=np.int32),
            "split": pa.array(splits, pa.string()),
            **{f"meta.{name}": values for name, values in metadata.items()},
        }
    )
    columns = [{"name": name, "role": "metadata", "type": str(values.type)} for name, values in metadata.items()]
    manifest = DatasetManifest(
        id="made-up",
        name="made-up",
        created_at="2026-01-01T00:00:00+00:00",
        source={},
        content_hash="",
        rows=rows,
        classes=list(classes),
        label_type="string",
        mapping=ColumnMapping(text="text", text_pair=pairs and "text_pair", label="label", id="id", split="split"),
        columns=columns,
        splits=pd.Series(splits).value_counts().to_dict(),
        report={},
    )
    with files.atomic_writer(Layout(files).dataset(manifest.id).examples) as stream:
        pq.write_table(table, stream)
    write_example_order(files, Layout(files).dataset(manifest.id))
    files.write_json(Layout(files).dataset(manifest.id).manifest, manifest.to_json())
    return manifest


def made_up_scores(
    files: Files,
    manifest: DatasetManifest,
    seed: int,
    checkpoint: float,
    logits: np.ndarray,
    more: dict[str, np.ndarray] | None = None,
    learning_rate: float | None = None,
) -> pa.Table:
    """The score file that follows from given logits (N, K) and `more` scores."""
    labels = pq.read_table(Path(Layout(files).dataset(manifest.id).examples), columns=["label"])["label"].to_numpy()
    logits = logits.astype(np.float32)
    scores = {**metrics.scores_of(logits, labels), **(more or {})}
    return score_table(seed, checkpoint, np.arange(len(labels)), labels, logits, scores, learning_rate)


def write_scores(
    files: Files,
    manifest: DatasetManifest,
    run_id: str,
    seed: int,
    checkpoint: float,
    logits: np.ndarray,
    *,
    more: dict[str, np.ndarray] | None = None,
    learning_rate: float | None = None,
    ranked: bool = True,
) -> pd.DataFrame:
    """Score file and, if `ranked`, rankings; returns the file's rows with their ids and splits."""
    table = made_up_scores(files, manifest, seed, checkpoint, logits, more, learning_rate)
    store = ScoreFiles(files, run_id)
    store.write_scores(seed, checkpoint, table)
    if ranked:
        rank_checkpoint(store, read_example_order(files, manifest.id), seed, checkpoint, table)
    examples = pd.read_parquet(Layout(files).dataset(manifest.id).examples, columns=["row", "id", "split"])
    return examples.merge(table.to_pandas(), on="row", validate="1:1")
