"""Datasets and score files of random numbers in the real layout, for tests of everything that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.scoring import metrics
from diet_explorer.scoring.rankings import rank_checkpoint
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.scores import ScoreFiles


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
    files.write_json(Layout(files).dataset(manifest.id).manifest, manifest.to_json())
    return manifest


def score_table(
    files: Files,
    manifest: DatasetManifest,
    seed: int,
    checkpoint: float,
    logits: np.ndarray,
    more: dict[str, np.ndarray] | None = None,
) -> pa.Table:
    """The score file that follows from given logits (N, K) and `more` scores."""
    columns = ["row", "id", "split", "label"]
    examples = pq.read_table(Path(Layout(files).dataset(manifest.id).examples), columns=columns)
    labels = torch.from_numpy(examples["label"].to_numpy().astype(np.int64))
    z = torch.from_numpy(logits.astype(np.float32))
    scores = {
        "p_label": metrics.p_label(z, labels),
        "el2n": metrics.el2n(z, labels),
        "loss": metrics.loss(z, labels),
        "margin": metrics.margin(z, labels),
        "entropy": metrics.entropy(z),
    }
    return pa.table(
        {
            "row": examples["row"],
            "id": examples["id"],
            "split": examples["split"],
            "seed": np.full(len(examples), seed, dtype=np.int32),
            "checkpoint": np.full(len(examples), checkpoint),
            "label": examples["label"],
            "predicted": logits.argmax(1).astype(np.int32),
            **{name: values.numpy() for name, values in scores.items()},
            **{name: values.astype(np.float32) for name, values in (more or {}).items()},
            "logits": pa.FixedSizeListArray.from_arrays(logits.astype(np.float32).ravel(), logits.shape[1]),
        }
    )


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
    """Score file and, if `ranked`, rankings; see `score_table`, whose rows this returns."""
    table = score_table(files, manifest, seed, checkpoint, logits, more)
    store = ScoreFiles(files, run_id)
    store.write_scores(seed, checkpoint, table, learning_rate)
    if ranked:
        rank_checkpoint(store, seed, checkpoint)
    return table.to_pandas()
