from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.words import split_words


def words_of(texts: list[str | None]) -> list[list[str]]:
    words = split_words(pa.array(texts, pa.string()))
    names = words.vocabulary.to_pylist()
    return [
        [names[code] for code in words.codes[start:end]]
        for start, end in zip(words.offsets[:-1], words.offsets[1:], strict=True)
    ]


@given(st.lists(st.text(st.sampled_from(list("ab \t\n\u00a0\u2003é😀")), max_size=12), max_size=6))
def test_words_are_those_of_python(texts: list[str]) -> None:
    assert words_of(list(texts)) == [text.split() for text in texts]


def test_nulls_are_empty_and_slices_are_respected() -> None:
    texts = pa.array(["skipped words", "a b", None, "", " c "], pa.string())
    words = split_words(texts.slice(1))
    assert words.counts.tolist() == [2, 0, 0, 1]


def test_characters_of_scripts_without_spaces_are_words() -> None:
    assert words_of(["我 like 猫咪", "한국어 단어"]) == [["我", "like", "猫", "咪"], ["한국어", "단어"]]
