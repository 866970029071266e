"""The benchmarks' cheap form of a model is the model with its lower layers frozen: logits, gradients and norms."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from diet_explorer.scoring.gradients.norms import GradientNorms
from diet_explorer.training.batches import PaddingCollator
from diet_explorer.training.encoding import EncodedExamples
from tests.benchmarks.upper_layers import by_place, keep_upper_layers, lower_outputs

LENGTHS = (5, 3, 9, 1, 9)


@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_the_model_with_frozen_lower_layers(layers: int) -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24)
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)  # no zero bias that hides an error
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    words = np.random.default_rng(0).integers(1, 50, offsets[-1]).astype(np.int32)
    labels = np.array([0, 1, 0, 1, 1])
    encoded = EncodedExamples({"input_ids": words}, offsets, labels, None, 0)  # type: ignore[arg-type]
    table = torch.from_numpy(lower_outputs(model, encoded, PaddingCollator(0), layers))
    batch, places = (
        collator([{**examples.tokens(row), "labels": int(labels[row])} for row in range(len(LENGTHS))])
        for collator, examples in ((PaddingCollator(0), encoded), (PaddingCollator(len(table) - 1), by_place(encoded)))
    )
    model.bert.embeddings.requires_grad_(False)
    model.bert.encoder.layer[:-layers].requires_grad_(False)
    cheap = keep_upper_layers(copy.deepcopy(model), table, layers)

    with torch.no_grad():
        assert torch.allclose(cheap(**places).logits, model(**batch).logits, atol=1e-5)
    expected, found = (
        GradientNorms(one)(given, torch.from_numpy(labels)) for one, given in ((model, batch), (cheap, places))
    )
    assert torch.allclose(found.norms, expected.norms, rtol=1e-4)

    cheap.train()  # the form that is trained, without its dropout
    for module in cheap.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model(**batch).loss.backward()
    cheap(**places).loss.backward()
    whole = dict(model.named_parameters())
    for name, parameter in cheap.named_parameters():
        path = name.split(".")
        if path[:3] == ["bert", "encoder", "layer"]:
            path[3] = str(int(path[3]) + 3 - layers)
        if parameter.grad is not None:  # a key's bias has none: the softmax ignores it
            assert torch.allclose(parameter.grad, whole[".".join(path)].grad, atol=1e-5, rtol=1e-4), name
