"""How a batch is cut into parts: every example once, within the limit, at the least price."""

from __future__ import annotations

from itertools import combinations, pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.scoring.gradients.token_batches import PARTS_PRICE, split_by_tokens


def cheapest(lengths: list[int], tokens: int) -> int:
    """By trying every way to cut the sorted lengths."""
    ordered = sorted(lengths, reverse=True)
    each = max(1, tokens // PARTS_PRICE)
    best = None
    for count in range(len(ordered)):
        for cuts in combinations(range(1, len(ordered)), count):
            parts = [ordered[start:end] for start, end in pairwise([0, *cuts, len(ordered)])]
            if any(len(part) > 1 and part[0] * len(part) > tokens for part in parts):
                continue
            cost = sum(part[0] * len(part) + each for part in parts)
            best = cost if best is None else min(best, cost)
    assert best is not None
    return best


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=9), tokens=st.integers(1, 60))
def test_parts_are_complete_within_the_limit_and_cheapest(lengths: list[int], tokens: int) -> None:
    width = max(lengths)
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    ids = torch.arange(1, len(lengths) + 1)[:, None] * mask
    parts = split_by_tokens({"input_ids": ids, "attention_mask": mask}, len(lengths), tokens)
    assert sorted(torch.cat([rows for rows, _ in parts]).tolist()) == list(range(len(lengths)))
    cost = 0
    for rows, part in parts:
        found = part["input_ids"]
        assert isinstance(found, torch.Tensor)
        longest = max(lengths[row] for row in rows.tolist())
        assert torch.equal(found, ids[rows][:, :longest])
        assert len(rows) == 1 or found.numel() <= tokens
        cost += found.numel() + max(1, tokens // PARTS_PRICE)
    assert cost == cheapest(lengths, tokens)
