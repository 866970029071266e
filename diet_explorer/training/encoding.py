"""Examples as token ids, held compactly: one flat array and where each example starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from torch.utils.data import Dataset

from diet_explorer.data.example_order import ExampleOrder, read_example_order
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout

CHUNK_ROWS = 8_192


@dataclass(frozen=True)
class EncodedExamples:
    """All examples of a dataset, in row order."""

    columns: dict[str, NDArray[np.int32]]  # ``input_ids``, and ``token_type_ids`` where the model takes them
    offsets: NDArray[np.int64]  # (N + 1,); example i is ``offsets[i]:offsets[i + 1]`` of every column
    labels: NDArray[np.int64]  # (N,) class codes
    order: ExampleOrder  # splits and positions in id order
    truncated: int  # how many examples were longer than the limit

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens per example, shape (N,)."""
        return np.diff(self.offsets)

    def tokens(self, row: int) -> dict[str, NDArray[np.int32]]:
        """The token columns of one example."""
        part = slice(self.offsets[row], self.offsets[row + 1])
        return {name: values[part] for name, values in self.columns.items()}

    def rows_of_split(self, name: str) -> NDArray[np.int64]:
        """Rows of one split, ascending."""
        return np.flatnonzero(self.order.in_split(name))


class TrainingExamples(Dataset[dict[str, Any]]):
    """The chosen rows as the Trainer wants them: token ids and ``labels`` per example."""

    def __init__(self, encoded: EncodedExamples, rows: NDArray[np.int64]) -> None:
        self._encoded = encoded
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = int(self._rows[index])
        return {**self._encoded.tokens(row), "labels": int(self._encoded.labels[row])}


def encode_examples(
    files: Files,
    manifest: DatasetManifest,
    tokenizer: Any,
    max_length: int,
    check: Callable[[], None] = lambda: None,
    limit: int | None = None,
) -> EncodedExamples:
    """Tokenise a dataset, a chunk at a time.

    Of a pair the longer text is cut first. `check` is called after each chunk and may raise to stop; `limit` takes only
    the first so many examples.
    """
    longest = min(max_length, int(tokenizer.model_max_length))
    parts: dict[str, list[NDArray[np.int32]]] = {}
    lengths: list[NDArray[np.int64]] = []
    labels: list[NDArray[np.int32]] = []
    truncated = 0
    with files.open_read(Layout(files).dataset(manifest.id).examples) as stream:
        reader = pq.ParquetFile(stream)
        columns = ["text", "label"] + (["text_pair"] if manifest.mapping.text_pair else [])
        for batch in reader.iter_batches(batch_size=limit or CHUNK_ROWS, columns=columns):
            texts = batch.column("text").to_pylist()
            pairs = batch.column("text_pair").to_pylist() if "text_pair" in columns else None
            encoded = tokenizer(
                texts, pairs, truncation=True, max_length=longest, return_attention_mask=False, verbose=False
            )
            sizes = np.fromiter((len(ids) for ids in encoded["input_ids"]), dtype=np.int64, count=len(texts))
            truncated += int((sizes >= longest).sum())
            lengths.append(sizes)
            for name in ("input_ids", "token_type_ids"):
                if name in encoded:
                    flat = np.fromiter((token for ids in encoded[name] for token in ids), dtype=np.int32)
                    parts.setdefault(name, []).append(flat)
            labels.append(batch.column("label").to_numpy())
            check()
            if limit is not None:
                break
    order = read_example_order(files, manifest.id)
    return EncodedExamples(
        columns={name: np.concatenate(values) for name, values in parts.items()},
        offsets=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64),
        labels=np.concatenate(labels).astype(np.int64),
        order=order if limit is None else order.part(np.arange(sum(map(len, labels)))),
        truncated=truncated,
    )
