"""Embeddings against one unpadded forward pass per example, for many architectures."""

import copy

import numpy as np
import pytest
import torch

from diet_explorer.data.example_order import ExampleOrder
from diet_explorer.errors import JobCancelledError, ModelError
from diet_explorer.scoring import representations
from diet_explorer.scoring.representations import store_embeddings
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.files import Files
from diet_explorer.training.batches import PaddingCollator
from diet_explorer.training.encoding import EncodedExamples
from tests.scoring.gradients.reference_gradients import CONFIGS, PAD, SEP, VOCABULARY, WITH_TOKEN_TYPES, make_model

LENGTHS = [5, 12, 3, 9, 9, 1, 12, 7, 4]


def encoded_examples(token_types: bool) -> EncodedExamples:
    rng = np.random.default_rng(0)
    total = sum(LENGTHS)
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    columns = {"input_ids": rng.integers(SEP + 1, VOCABULARY, total).astype(np.int32)}
    columns["input_ids"][offsets[1:] - 1] = SEP
    if token_types:
        columns["token_type_ids"] = rng.integers(0, 2, total).astype(np.int32)
    rows = len(LENGTHS)
    order = ExampleOrder(np.arange(rows, dtype=np.int32), np.zeros(rows, dtype=np.int8), ("train",))
    return EncodedExamples(columns, offsets, np.zeros(rows, dtype=np.int64), order, 0)


def reference(model, encoded):
    model = copy.deepcopy(model).eval()
    means = []
    for row in range(len(encoded)):
        batch = {name: torch.from_numpy(values).long()[None] for name, values in encoded.tokens(row).items()}
        with torch.no_grad():
            out = model(**batch, output_hidden_states=True)
        states = getattr(out, "encoder_last_hidden_state", None)
        means.append((out.hidden_states[-1] if states is None else states)[0].mean(0).numpy())
    return np.stack(means)


def state_of(model):
    return [
        (module.training, [parameter.requires_grad for parameter in module.parameters()]) for module in model.modules()
    ]


# llama is the one whose positions do not depend on the side that is padded
@pytest.mark.parametrize(("name", "left"), [*((name, False) for name in sorted(CONFIGS)), ("llama", True)])
def test_embeddings_are_the_mean_of_the_last_hidden_states(name, left, tmp_path, monkeypatch):
    monkeypatch.setattr(representations, "MAX_BATCH_ROWS", 4)
    model = make_model(name)
    model.train()
    before = state_of(model)
    encoded = encoded_examples(name in WITH_TOKEN_TYPES)
    store = EmbeddingFiles(Files(tmp_path), "run")
    done = []
    store_embeddings(store, "tuned", model, encoded, PaddingCollator(PAD, left=left), tmp_path / "scratch", done.append)
    found = store.read_vectors("tuned")
    assert found.dtype == np.float16 and done[-1] == len(LENGTHS)
    np.testing.assert_allclose(found.astype(np.float32), reference(model, encoded), atol=4e-3, rtol=2e-3)
    assert state_of(model) == before and list((tmp_path / "scratch").iterdir()) == []


def test_a_stopped_pass_and_a_model_without_token_states_leave_no_file(tmp_path):
    store = EmbeddingFiles(Files(tmp_path), "run")
    encoded, collator = encoded_examples(False), PaddingCollator(PAD)

    def stop(done):
        raise JobCancelledError("Cancelled.", "Resume it.")

    with pytest.raises(JobCancelledError):
        store_embeddings(store, "tuned", make_model("bert"), encoded, collator, tmp_path / "scratch", stop)
    odd = make_model("bert")
    odd.base_model.forward = lambda **batch: torch.nn.Linear(1, 1)
    with pytest.raises(ModelError, match="no hidden state per token"):
        store_embeddings(store, "tuned", odd, encoded, collator, tmp_path / "scratch", lambda done: None)
    assert not store.has_vectors("tuned") and list((tmp_path / "scratch").iterdir()) == []
