"""Length-grouped order, length-sorted batches and padding."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import DataCollatorWithPadding, PreTrainedTokenizerFast

from diet_explorer.training.batches import LengthGroupedSampler, PaddingCollator, length_sorted_batches

LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=400).map(np.array)


@given(LENGTHS, st.integers(1, 40), st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_sees_every_example_once(lengths, batch_size, seed, epoch):
    sampler = LengthGroupedSampler(lengths, batch_size, seed)
    sampler.set_epoch(epoch)
    assert sorted(sampler) == list(range(len(lengths)))


def test_the_order_depends_on_seed_and_epoch_alone():
    lengths = np.random.default_rng(0).integers(1, 60, 500)

    def order(seed: int, epoch: int, noise: int) -> list[int]:
        torch.manual_seed(noise)
        np.random.seed(noise)
        sampler = LengthGroupedSampler(lengths, 16, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 2, noise=3) == order(1, 2, noise=4)
    assert order(1, 2, noise=3) != order(1, 3, noise=3)
    assert order(1, 2, noise=3) != order(2, 2, noise=3)


def test_grouping_saves_padding():
    lengths = np.random.default_rng(0).integers(4, 60, 2000)

    def padded(order: np.ndarray) -> int:
        return sum(int(lengths[order[start : start + 32]].max()) * 32 for start in range(0, 1984, 32))

    grouped = np.fromiter(LengthGroupedSampler(lengths, 32, 0), dtype=int)
    shuffled = np.random.default_rng(1).permutation(2000)
    assert padded(grouped) < 0.62 * padded(shuffled)
    assert padded(grouped) < 1.05 * lengths.sum()


def test_batches_come_in_no_order_of_length():
    lengths = np.sort(np.random.default_rng(0).integers(4, 60, 1600))
    grouped = np.fromiter(LengthGroupedSampler(lengths, 32, 0), dtype=int)
    longest = [lengths[grouped[start : start + 32]].max() for start in range(0, 1600, 32)]
    assert abs(np.corrcoef(np.arange(len(longest)), longest)[0, 1]) < 0.5


@given(LENGTHS, st.integers(1, 64), st.integers(1, 2000))
def test_scoring_batches_cover_all_and_keep_their_limits(lengths, max_rows, max_tokens):
    batches = length_sorted_batches(lengths, max_rows, max_tokens)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= max_rows
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= max_tokens


def test_padding_right_and_left():
    examples = [
        {"input_ids": np.array([5, 6, 7]), "token_type_ids": np.array([0, 1, 1]), "labels": 1},
        {"input_ids": np.array([8]), "token_type_ids": np.array([1]), "labels": 0},
    ]
    right = PaddingCollator(9, 3)(examples)
    assert right["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9]]
    assert right["token_type_ids"].tolist() == [[0, 1, 1], [1, 3, 3]]
    assert right["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert right["labels"].tolist() == [1, 0]
    left = PaddingCollator(9, 3, left=True)([{key: e[key] for key in e if key != "labels"} for e in examples])
    assert left["input_ids"].tolist() == [[5, 6, 7], [9, 9, 8]]
    assert left["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert "labels" not in left


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("further", [(), ("token_type_ids", "labels")])
def test_padding_gives_what_transformers_gives(side, further):
    words = Tokenizer(WordLevel({"[PAD]": 7}, unk_token="[PAD]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", padding_side=side)
    random = np.random.default_rng(0)
    examples = []
    for length in random.integers(1, 30, 12):
        columns = {name: random.integers(0, 100, length, dtype=np.int32) for name in ("input_ids", "token_type_ids")}
        example = {**columns, "labels": int(random.integers(3))}
        examples.append({name: example[name] for name in ("input_ids", *further)})
    expected = DataCollatorWithPadding(tokenizer)(examples)
    batch = PaddingCollator.of(tokenizer)(examples)
    assert batch.keys() == expected.keys()
    for name, values in batch.items():
        torch.testing.assert_close(values, expected[name], rtol=0, atol=0)
