"""Groups of texts that are the same, or nearly.

Two texts are the same if they have the same words in the same order after Unicode normalisation (NFKC) and
lower-casing. They are near-duplicates if the Jaccard similarity of their sets of word pairs (bigrams, without
punctuation at the edges of words) is at least 0.7: about one replaced word in thirteen. Candidates come from MinHash
with banding (Broder 1997; Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, section 3.4) and each is
checked exactly. A group is a connected set of such pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from diet_explorer.data.words import Words
from diet_explorer.store.aside import AsideArray

THRESHOLD = 0.7
# A pair of similarity s becomes a candidate with probability 1 − (1 − s³)⁶: 0.92 at 0.7, 0.99 at 0.8, 0.5 at 0.48.
BANDS = 6
ROWS_PER_BAND = 3
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~“”‘’«»…—–¡¿。、！？，"
_SHINGLES_AT_ONCE = 1 << 22
_SIEVE = np.uint64((1 << 22) - 1)
_BLOCK = 1 << 20
_ODD = np.uint64(0x9E3779B97F4A7C15)

Int32s = npt.NDArray[np.int32]
UInt32s = npt.NDArray[np.uint32]
UInt64s = npt.NDArray[np.uint64]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DuplicateGroups:
    """Group numbers per text, in the order of the groups' first texts; −1 where a text is alone."""

    exact: npt.NDArray[np.int32]  # texts with the same words
    near: npt.NDArray[np.int32]  # texts that are the same or nearly; every exact group lies within one near group


class DuplicateFinder:
    """Collects texts in batches and groups them at the end.

    What is made of the texts is kept in files of an empty folder; at the end memory holds some 40 bytes per text at a
    time, and more of those that have duplicates.
    """

    def __init__(self, folder: Path) -> None:
        self._shingle_path = folder / "shingles.bin"
        self._band_paths = [folder / f"band-{band}.bin" for band in range(BANDS)]
        for path in (self._shingle_path, *self._band_paths):
            path.touch()
        self._keys, self._counts = AsideArray(), AsideArray()
        self._keys.add(np.empty(0, np.uint64))
        self._counts.add(np.empty(0, np.int32))
        self._paired = False
        rng = np.random.default_rng(0)
        self._factors = rng.integers(1 << 31, size=BANDS * ROWS_PER_BAND, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
        self._terms = rng.integers(1 << 32, size=BANDS * ROWS_PER_BAND, dtype=np.uint32)

    def add(self, words: Words, pair_words: Words | None = None) -> None:
        """Add the next texts, or pairs of texts. Pairs are near-duplicates if both sides are."""
        keys, shingles, counts = _fingerprint(words, part=0)
        if pair_words is not None:
            self._paired = True
            pair_keys, pair_shingles, pair_counts = _fingerprint(pair_words, part=1)
            keys = keys * _ODD + pair_keys
            owners = np.concatenate((_owners(counts), _owners(pair_counts)))
            shingles = np.concatenate((shingles, pair_shingles))[np.argsort(owners, kind="stable")]
            counts = counts + pair_counts
        self._keys.add(keys)
        self._counts.add(counts.astype(np.int32))
        with self._shingle_path.open("ab") as file:
            shingles.tofile(file)
        for path, band in zip(self._band_paths, self._band_keys(shingles, counts), strict=True):
            with path.open("ab") as file:
                band.tofile(file)

    def groups(self, usable: npt.NDArray[np.bool_]) -> DuplicateGroups:
        """Group the usable ones of the texts added so far; the others stay alone."""
        keys, counts = self._keys.array(), self._counts.array()
        offsets = np.zeros(len(counts) + 1, dtype=np.int64)
        np.cumsum(counts, out=offsets[1:])
        rows = np.flatnonzero(usable).astype(np.int32)
        first, again = pairs_of_equal(keys[rows], rows)
        exact = np.arange(len(keys), dtype=np.int32)  # the first text of each one's group
        exact[again] = first
        shingles: UInt32s = np.zeros(0, np.uint32)
        if offsets[-1]:
            shingles = np.memmap(self._shingle_path, dtype=np.uint32, mode="r")
        alone = usable & (counts > 0)
        alone[again] = False  # one of each exact group stands for all of it
        del first, again
        rows = np.flatnonzero(alone).astype(np.int32)
        near = exact
        for path in self._band_paths if len(rows) else []:
            band = np.memmap(path, dtype=np.uint64, mode="r")
            near = _joined(near, self._similar(pairs_of_equal(band[rows], rows), near, offsets, shingles))
        return DuplicateGroups(_numbered(exact), _numbered(near))

    def _band_keys(self, shingles: UInt32s, counts: Int64s) -> Iterator[UInt64s]:
        """Hash each text's shingles `ROWS_PER_BAND` ways per band and combine the minima to one key per text."""
        filled = counts > 0
        starts = (np.cumsum(counts) - counts)[filled]
        for band in range(BANDS):
            key = np.zeros(len(starts), dtype=np.uint64)
            for row in range(band * ROWS_PER_BAND, (band + 1) * ROWS_PER_BAND):
                if len(starts):
                    minima = np.minimum.reduceat(shingles * self._factors[row] + self._terms[row], starts)
                    key = (key + minima) * _ODD
            keys = np.zeros(len(counts), dtype=np.uint64)
            keys[filled] = key
            yield keys

    def _similar(self, pairs: Int32s, groups: Int32s, offsets: Int64s, shingles: UInt32s) -> Int32s:
        """Those of the candidate pairs (2, m) that are similar enough and not in one group yet."""
        pairs = pairs[:, groups[pairs[0]] != groups[pairs[1]]]
        chunk = np.cumsum((offsets[pairs + 1] - offsets[pairs]).sum(0)) // _SHINGLES_AT_ONCE
        parts = np.split(pairs, np.flatnonzero(np.diff(chunk)) + 1, axis=1)
        similar = np.concatenate([self._similarity(part[0], part[1], offsets, shingles) >= THRESHOLD for part in parts])
        return np.compress(similar, pairs, axis=1)

    def _similarity(self, a: Int32s, b: Int32s, offsets: Int64s, shingles: UInt32s) -> npt.NDArray[np.float64]:
        """Jaccard similarity of pairs of rows; for pairs of texts, that of the less similar side."""
        set_a, set_b = _sets(a, offsets, shingles), _sets(b, offsets, shingles)
        both = np.intersect1d(set_a, set_b, assume_unique=True)
        sides = []
        for side in (0, 1) if self._paired else (None,):
            count_a, count_b, count_both = (_count_by_owner(s, len(a), side) for s in (set_a, set_b, both))
            union = count_a + count_b - count_both
            sides.append(np.where(union > 0, count_both / np.maximum(union, 1), 1.0))
        similarity: npt.NDArray[np.float64] = np.min(sides, axis=0)
        return similarity


def _fingerprint(words: Words, part: int) -> tuple[UInt64s, UInt32s, Int64s]:
    """Return a key per text that is equal for equal texts, the shingles of all texts, and their counts.

    The lowest bit of a shingle is `part`, which distinguishes the two sides of a pair.
    """
    normal = pc.utf8_lower(pc.utf8_normalize(words.vocabulary, form="NFKC"))
    bare = pc.utf8_trim(normal, characters=_PUNCTUATION)
    bare = pc.if_else(pc.equal(bare, ""), normal, bare)
    exact_hash, bare_hash = (
        pd.util.hash_array(w.to_numpy(zero_copy_only=False), categorize=False) for w in (normal, bare)
    )
    counts, offsets = words.counts, words.offsets
    filled = counts > 0
    keys = np.zeros(len(counts), dtype=np.uint64)
    if filled.any():
        # Each position has an odd factor of its own, so that the order of words matters.
        position = (np.arange(len(words.codes)) - np.repeat(offsets[:-1], counts)).astype(np.uint64)
        keys[filled] = np.add.reduceat(
            exact_hash[words.codes] * (position * np.uint64(2) + np.uint64(1)), offsets[:-1][filled]
        )
    word = bare_hash.astype(np.uint32)[words.codes]
    shingles = word * np.uint32(0x85EBCA6B)
    shingles[:-1] ^= word[1:] * np.uint32(0xC2B2AE35) + np.uint32(0x27D4EB2F)
    # The last word of a text begins no pair; a text of one word is its own shingle.
    begins_shingle = np.ones(len(word), dtype=bool)
    begins_shingle[offsets[1:][filled] - 1] = False
    single = offsets[:-1][counts == 1]
    shingles[single] = word[single]
    begins_shingle[single] = True
    shingles = (shingles[begins_shingle] & ~np.uint32(1)) | np.uint32(part)
    return keys, shingles, np.where(counts > 1, counts - 1, counts)


def _owners(counts: Int64s) -> Int64s:
    return np.repeat(np.arange(len(counts)), counts)


def pairs_of_equal(keys: UInt64s, rows: Int32s) -> Int32s:
    """Pair the first row of a key with each later one of it, (2, pairs); rows are in ascending order."""
    ordered = np.sort(keys)
    repeated = np.flatnonzero(ordered[1:] == ordered[:-1])
    shared = ordered[repeated[np.diff(repeated, prepend=-2) > 1]]
    # Few rows share a key. The low bits of shared keys sieve out most others before the search.
    sieve = np.zeros(int(_SIEVE) + 1, dtype=bool)
    sieve[shared & _SIEVE] = True
    del ordered, repeated
    parts = [np.empty(0, dtype=np.int32)]
    for start in range(0, len(keys) if len(shared) else 0, _BLOCK):
        part = keys[start : start + _BLOCK]
        members = np.flatnonzero(sieve[part & _SIEVE])
        at = np.minimum(np.searchsorted(shared, part[members]), len(shared) - 1)
        parts.append((members[shared[at] == part[members]] + start).astype(np.int32))
    members = np.concatenate(parts)
    members = members[np.argsort(keys[members], kind="stable")]
    is_first = np.ones(len(members), dtype=bool)
    is_first[1:] = keys[members[1:]] != keys[members[:-1]]
    first = members[is_first][np.cumsum(is_first, dtype=np.int32) - 1]
    pairs: Int32s = rows[np.stack([first[~is_first], members[~is_first]])]
    return pairs


def _sets(rows: Int32s, offsets: Int64s, shingles: UInt32s) -> UInt64s:
    """The shingles of each row as a set: ``position of the row << 32 | shingle``, sorted and unique."""
    counts = offsets[rows + 1] - offsets[rows]
    owners = _owners(counts)
    inside = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    values = shingles[np.repeat(offsets[rows], counts) + inside]
    elements = np.sort((owners.astype(np.uint64) << np.uint64(32)) | values)
    # Faster than numpy.unique, which hashes.
    return elements[np.concatenate(([True], elements[1:] != elements[:-1]))] if len(elements) else elements


def _count_by_owner(elements: UInt64s, owners: int, side: int | None) -> Int64s:
    if side is not None:
        elements = elements[(elements & np.uint64(1)) == side]
    return np.bincount((elements >> np.uint64(32)).astype(np.int64), minlength=owners)


def _joined(groups: Int32s, pairs: Int32s) -> Int32s:
    """Groups, each named by its first row, after those are joined that pairs of rows connect."""
    from scipy.sparse import coo_array  # here, since the app reads this file when it starts
    from scipy.sparse.csgraph import connected_components

    if not pairs.shape[1]:
        return groups
    firsts, ends = np.unique(groups[pairs], return_inverse=True)
    graph = coo_array((np.ones(pairs.shape[1], dtype=bool), ends.reshape(2, -1)), shape=(len(firsts), len(firsts)))
    numbers = connected_components(graph, directed=False)[1]
    joined = np.arange(len(groups), dtype=np.int32)
    joined[firsts] = firsts[np.unique(numbers, return_index=True)[1]][numbers]
    together: Int32s = joined[groups]
    return together


def _numbered(components: Int32s) -> Int32s:
    """Number the groups of at least two rows from 0 in the order of their first rows; −1 for the rest."""
    numbers = np.full(len(components), -1, dtype=np.int32)
    together = (np.bincount(components) > 1)[components]
    numbers[together] = pd.factorize(components[together])[0]
    return numbers
