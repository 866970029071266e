"""Examples as token ids, held compactly: one flat array and where each example starts."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from torch.utils.data import Dataset

from diet_explorer.data.example_order import ExampleOrder, read_example_order
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.store.aside import AsideArray
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.tokens import StoredTokens, Tokens

CHUNK_ROWS = 8_192
_FORM = "1"  # of the stored token ids; a change makes them anew
_OF_THE_PLACE = ("name_or_path", "_name_or_path", "transformers_version")


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
    """Tokenise a dataset, or take up the token ids that another training of the workspace has made.

    Of a pair the longer text is cut first. `check` is called after each chunk of texts and may raise to stop; `limit`
    takes only the first so many examples, which are not kept for others.
    """
    longest = min(max_length, int(tokenizer.model_max_length))
    order = read_example_order(files, manifest.id)
    if limit is not None:
        tokens = _tokenised(files, manifest, tokenizer, longest, check, limit)
        order = order.part(np.arange(tokens.rows))
    else:
        stored = StoredTokens(files, manifest.id, _tokens_key(manifest, tokenizer, longest))
        with stored.making(check):
            tokens = stored.read() or stored.write(_tokenised(files, manifest, tokenizer, longest, check, None))
    with files.open_read(Layout(files).dataset(manifest.id).examples) as stream:
        labels = pq.read_table(stream, columns=["label"])["label"].to_numpy()[: tokens.rows].astype(np.int64)
    return EncodedExamples(tokens.columns, tokens.offsets, labels, order, tokens.truncated)


def _tokens_key(manifest: DatasetManifest, tokenizer: Any, longest: int) -> str:
    """What token ids depend on: texts, the tokenizer by its content, wherever it lies, and where texts are cut off."""
    digest = hashlib.sha256(f"{_FORM} {manifest.content_hash} {longest}".encode())
    digest.update(" ".join(f"{name} {version(name)}" for name in ("transformers", "tokenizers")).encode())
    with tempfile.TemporaryDirectory(prefix="diet-explorer-") as folder:
        tokenizer.save_pretrained(folder)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(folder)} {_digest_of(path)}".encode())
    return digest.hexdigest()[:16]


def _digest_of(path: Path) -> str:
    """Of a file of a tokenizer, without what it says of where it was loaded from."""
    data = path.read_bytes()
    if path.name == "tokenizer_config.json":
        known = {name: value for name, value in json.loads(data).items() if name not in _OF_THE_PLACE}
        data = json.dumps(known, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def _tokenised(
    files: Files,
    manifest: DatasetManifest,
    tokenizer: Any,
    longest: int,
    check: Callable[[], None],
    limit: int | None,
) -> Tokens:
    """Tokenise a chunk of texts at a time."""
    token_ids: dict[str, AsideArray] = {}
    lengths: list[NDArray[np.int64]] = []
    truncated = 0
    with files.open_read(Layout(files).dataset(manifest.id).examples) as stream:
        reader = pq.ParquetFile(stream)
        columns = ["text"] + (["text_pair"] if manifest.mapping.text_pair else [])
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
                    flat = np.fromiter(chain.from_iterable(encoded[name]), dtype=np.int32, count=int(sizes.sum()))
                    token_ids.setdefault(name, AsideArray()).add(flat)
            check()
            if limit is not None:
                break
    return Tokens(
        columns={name: column.array() for name, column in token_ids.items()},
        offsets=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64),
        truncated=truncated,
    )
