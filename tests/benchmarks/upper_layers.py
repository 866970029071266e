"""A model of which only the upper layers are trained, at a fraction of the cost: a benchmark's economy.

The lower layers stay as they are pre-trained, so what they say of each token is computed once; the last layer forms
only the first position, the one that the classifier reads. Weights, loss and gradients of the upper layers are those of
the whole model with its lower layers frozen (and without dropout there); `tests/test_upper_layers.py` compares them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.models.bert.modeling_bert import BertSelfAttention

from diet_explorer.scoring.gradients.pooled_position import first_position
from diet_explorer.training.batches import PaddingCollator, length_sorted_batches
from diet_explorer.training.encoding import EncodedExamples

ROWS, TOKENS = 64, 8_192


def lower_outputs(model: Any, encoded: EncodedExamples, collator: PaddingCollator, layers: int) -> NDArray[np.float32]:
    """What the lower layers of a BERT say of every token, all but the last `layers`; one more row of zeros: padding."""
    table = np.zeros((int(encoded.offsets[-1]) + 1, model.config.hidden_size), dtype=np.float32)
    upper = model.bert.encoder.layer[len(model.bert.encoder.layer) - layers]
    seen: list[Tensor] = []
    hook = upper.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model.eval()
    with torch.no_grad():
        for rows in length_sorted_batches(encoded.lengths, ROWS, TOKENS):
            seen.clear()
            model(**collator([encoded.tokens(int(row)) for row in rows]))
            for row, hidden in zip(rows, seen[0].numpy(), strict=True):
                start, stop = encoded.offsets[row], encoded.offsets[row + 1]
                table[start:stop] = hidden[: stop - start]
    hook.remove()
    return table


def by_place(encoded: EncodedExamples) -> EncodedExamples:
    """The examples with each token's place in `lower_outputs`'s table as its id."""
    return replace(encoded, columns={"input_ids": np.arange(encoded.offsets[-1], dtype=np.int32)})


def keep_upper_layers(model: Any, table: Tensor, layers: int, *, pooled_mean: bool = False) -> Any:
    """The same model, in place, reading places of the table instead of words and having its last layers only; with
    `pooled_mean` the classifier reads the mean over all tokens instead of what the pooler makes of the first."""
    model.bert.embeddings = _Table(table)
    model.bert.encoder.layer = model.bert.encoder.layer[-layers:]
    if pooled_mean:
        model.bert.pooler = _MeanPooler(model.bert, len(table) - 1)
        return model
    attention = model.bert.encoder.layer[-1].attention
    attention.self = _FirstQuery.of(attention.self)
    attention.output.register_forward_pre_hook(first_position)
    return model


class _Table(nn.Module):
    """Looks tokens up; nothing of it is trained."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table, persistent=False)

    def forward(self, input_ids: Tensor, **unused: object) -> Tensor:
        return self.table[input_ids]  # type: ignore[no-any-return,index]


class _MeanPooler(nn.Module):
    """The mean over a text's tokens; which are padding is seen when the model is called."""

    def __init__(self, bert: nn.Module, padding: int) -> None:
        super().__init__()
        self._padding = padding
        self._real = torch.empty(0)
        bert.embeddings.register_forward_hook(self._note, with_kwargs=True)  # type: ignore[union-attr]

    def _note(self, module: nn.Module, given: Any, named: dict[str, Tensor], found: Tensor) -> None:
        self._real = (named["input_ids"] != self._padding).unsqueeze(-1).float()

    def forward(self, hidden_states: Tensor) -> Tensor:
        return (hidden_states * self._real).sum(1) / self._real.sum(1)


class _FirstQuery(BertSelfAttention):
    """Attention of the first position alone."""

    @classmethod
    def of(cls, attention: BertSelfAttention) -> _FirstQuery:
        made = cls(attention.config)
        made.query, made.key, made.value = attention.query, attention.key, attention.value
        return made.train(attention.training)

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **unused: object
    ) -> tuple[Tensor, None]:
        """Scores by ``q · (W x) = (Wᵀ q) · x``, so that no key and no value is formed; a key's bias changes nothing.

        Where per-example gradients are taken, they are formed after all: the norms watch the layers key and value.
        """
        size, _, width = hidden_states.shape
        heads = self.num_attention_heads
        query = self.query(hidden_states[:, :1]).view(size, heads, -1)
        watched = torch.is_grad_enabled() and not self.training
        if watched:
            keys, values = (
                part(hidden_states).view(size, -1, heads, width // heads) for part in (self.key, self.value)
            )
            scores = torch.einsum("bhe,bthe->bht", query, keys)
        else:
            keys, values = (part.weight.view(heads, -1, width) for part in (self.key, self.value))
            scores = torch.bmm(torch.einsum("bhe,hed->bhd", query, keys), hidden_states.transpose(1, 2))
        if attention_mask is not None:
            seen = attention_mask[:, :, 0]
            scores = (
                scores.masked_fill(~seen, torch.finfo(scores.dtype).min) if seen.dtype == torch.bool else scores + seen
            )
        weights = self.dropout(torch.softmax(scores * self.scaling, -1))
        if watched:
            output = torch.einsum("bht,bthe->bhe", weights, values)
        else:
            summed = torch.bmm(weights, hidden_states)
            output = torch.einsum("bhd,hed->bhe", summed, values)
            output = output + weights.sum(-1, keepdim=True) * self.value.bias.view(heads, -1)
        return output.reshape(size, 1, width), None
