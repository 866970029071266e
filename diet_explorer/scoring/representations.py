"""Sentence embeddings: the mean of the last hidden states over the tokens of an example."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import ModelError
from diet_explorer.scoring.gradients.frozen_model import held, unwrap
from diet_explorer.scoring.scorer import MAX_BATCH_ROWS, MAX_BATCH_TOKENS
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.store.files import explained
from diet_explorer.store.private import make_private_folder
from diet_explorer.training.backbone import load_for_run
from diet_explorer.training.batches import PaddingCollator, length_sorted_batches
from diet_explorer.training.config import RunConfig
from diet_explorer.training.encoding import EncodedExamples, encode_examples

LARGEST = 65_504.0  # of a half-precision number


def store_embeddings(
    store: EmbeddingFiles,
    which: Representation,
    model: Any,
    encoded: EncodedExamples,
    collator: PaddingCollator,
    scratch: Path,
    on_batch: Callable[[int], None],
) -> None:
    """Embed all examples and write the vectors, in half precision; the model is left as it was.

    `scratch` is a local folder for a temporary file, since vectors come in the order of lengths and may not fit into
    memory. `on_batch` is called with how many examples are done and may raise to stop. ModelError where the model gives
    no hidden state per token.
    """
    inner = unwrap(model)
    config: Any = inner.config
    backbone: Any = inner.get_encoder() if config.is_encoder_decoder else inner.base_model  # type: ignore[operator]
    device = next(inner.parameters()).device
    vectors: Any = None
    done = 0
    with explained("write", str(scratch)):
        make_private_folder(scratch)
        with tempfile.TemporaryFile(dir=scratch) as space, held(inner), torch.no_grad():
            for rows in length_sorted_batches(encoded.lengths, MAX_BATCH_ROWS, MAX_BATCH_TOKENS):
                batch = collator([encoded.tokens(int(row)) for row in rows])
                batch = {name: values.to(device) for name, values in batch.items()}
                states = getattr(backbone(**batch), "last_hidden_state", None)
                mask = batch["attention_mask"].unsqueeze(-1)
                if states is None or states.shape[:2] != mask.shape[:2]:
                    raise ModelError(
                        f"The model {config.model_type!r} gives no hidden state per token, so it has no embeddings.",
                        "Everything but neighbours and the embedding map works; for these choose another model.",
                    )
                means = (states.float() * mask).sum(1) / mask.sum(1).clamp(min=1)
                if vectors is None:
                    shape = (len(encoded), means.shape[1])
                    vectors = np.memmap(space, dtype=np.float16, mode="w+", shape=shape)
                vectors[rows] = means.clamp(-LARGEST, LARGEST).half().cpu().numpy()
                done += len(rows)
                on_batch(done)
            store.write_vectors(which, vectors)


def store_initial_embeddings(
    store: EmbeddingFiles,
    config: RunConfig,
    manifest: DatasetManifest,
    scratch: Path,
    on_batch: Callable[[int], None],
) -> None:
    """Embed all examples by the run's model as it was before fine-tuning; see `store_embeddings`."""
    tokenizer, model, collator = load_for_run(config, manifest, 0)
    if torch.cuda.is_available():
        model.cuda()
    encoded = encode_examples(store.files, manifest, tokenizer, config.max_length)
    store_embeddings(store, "initial", model, encoded, collator, scratch, on_batch)
