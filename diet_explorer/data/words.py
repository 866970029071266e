"""Texts as sequences of words, column-wise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# Each character of a script that writes no spaces counts as a word; other scripts have spaces of their own.
_UNSPACED_OR_SPACE = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])|[\p{Z}\x{85}]"


@dataclass(frozen=True)
class Words:
    """The words of n texts; text i has the words ``codes[offsets[i]:offsets[i + 1]]``."""

    vocabulary: pa.StringArray  # distinct words as written
    codes: npt.NDArray[np.int32]  # positions in the vocabulary, text after text
    offsets: npt.NDArray[np.int64]  # (n + 1,)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Words per text, (n,)."""
        return np.diff(self.offsets)


def split_words(texts: pa.Array) -> Words:
    """Split texts, nulls as empty ones, at white space; characters of scripts without spaces are words of their own."""
    texts = pc.fill_null(texts, "")
    is_foreign = pc.invert(pc.string_is_ascii(texts))
    if pc.any(is_foreign).as_py():
        spaced = pc.replace_substring_regex(texts.filter(is_foreign), _UNSPACED_OR_SPACE, r" \1 ")
        texts = pc.replace_with_mask(texts, is_foreign, spaced)
    split = pc.ascii_split_whitespace(texts)
    encoded = split.flatten().dictionary_encode()
    codes = encoded.indices.to_numpy()
    offsets = split.offsets.to_numpy().astype(np.int64)
    offsets -= offsets[0]
    # White space at an edge leaves an empty word.
    empty = pc.index(encoded.dictionary, "").as_py()
    if empty >= 0:
        kept = codes != empty
        offsets = np.concatenate(([0], np.cumsum(kept)))[offsets]
        codes = codes[kept]
    return Words(encoded.dictionary, codes, offsets)
