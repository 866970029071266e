"""Norms belong to the example: not to its batch, its padding or its place."""

from __future__ import annotations

import functools

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from diet_explorer.scoring.gradients.norms import GradientNorms
from diet_explorer.scoring.gradients.token_batches import split_by_tokens
from tests.scoring.gradients.reference_gradients import make_batch, make_model, reference_norms

ENGINES = st.sampled_from(["bert", "roberta", "albert", "gpt2", "deberta-v3"])


@functools.cache
def engine(name: str) -> GradientNorms:
    return GradientNorms(make_model(name))


@functools.cache
def alone() -> tuple[dict[str, Tensor], Tensor]:
    return make_batch([3, 9, 6, 12, 5, 9], seed=11)


@functools.cache
def expected(name: str) -> Tensor:
    """Norms of all examples of `alone`, each by itself."""
    return reference_norms(make_model(name), *alone())


@given(name=ENGINES, rows=st.lists(st.integers(0, 5), min_size=1, max_size=8), extra=st.integers(0, 4))
def test_batch_composition_order_and_padding_do_not_matter(name: str, rows: list[int], extra: int) -> None:
    batch, labels = alone()
    width = int(batch["attention_mask"][rows].sum(1).max()) + extra
    part = {key: torch.nn.functional.pad(value, (0, 4), value=1 if key == "input_ids" else 0)[rows, :width]
            for key, value in batch.items()}  # fmt: skip
    found = engine(name)(part, labels[rows]).norms.double()
    torch.testing.assert_close(found, expected(name)[rows], rtol=1e-5, atol=0)


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    tokens=st.integers(1, 200),
)
def test_parts_hold_every_row_once_and_every_token(lengths: list[int], tokens: int) -> None:
    width = max(lengths) + 2
    mask = (torch.arange(width) < torch.tensor(lengths).unsqueeze(1)).long()
    batch: dict[str, object] = {"input_ids": torch.arange(mask.numel()).view_as(mask), "attention_mask": mask}
    parts = split_by_tokens(batch, len(lengths), tokens)
    assert sorted(torch.cat([rows for rows, _ in parts]).tolist()) == list(range(len(lengths)))
    for rows, part in parts:
        kept = part["attention_mask"]
        assert isinstance(kept, Tensor)
        assert kept.sum(1).tolist() == [lengths[row] for row in rows.tolist()]
        assert kept.shape[0] == 1 or kept.numel() <= tokens
        assert kept.shape[1] == max(lengths[row] for row in rows.tolist())
