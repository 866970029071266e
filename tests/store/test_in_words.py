"""Counts and sizes in words."""

import pytest

from diet_explorer.store.in_words import bytes_in_words, counted, noun


def test_counts_have_the_noun_that_belongs_to_them():
    assert counted(1, "class", "classes") == "1 class"
    assert counted(1000, "class", "classes") == "1,000 classes"
    assert [noun(count, "dataset") for count in (0, 1, 2)] == ["datasets", "dataset", "datasets"]


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (10**16, "10000.0 TB")]
)
def test_sizes_have_a_unit_of_their_kind(size: int, words: str):
    assert bytes_in_words(size) == words
