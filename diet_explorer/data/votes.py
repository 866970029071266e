"""Labels that several people gave the same examples: the majority, ties, and how many say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NO_LABEL = -1


@dataclass(frozen=True)
class Votes:
    """The labels that people gave n examples, v in all, example after example; what nobody labelled takes no room."""

    counts: npt.NDArray[np.int32]  # (n,) labels of each example
    people: npt.NDArray[np.int32]  # (v,) who gave each, by their order in the source; ascending within an example
    codes: npt.NDArray[np.int32]  # (v,) label; `NO_LABEL` for one that does not count

    @property
    def examples(self) -> npt.NDArray[np.int64]:
        """Whose label each is, (v,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def with_codes(self, codes: npt.NDArray[np.int32]) -> Votes:
        """The same people's votes for other labels."""
        return Votes(self.counts, self.people, codes)

    @classmethod
    def joined(cls, parts: Sequence[Votes]) -> Votes:
        """Votes for the examples of several parts, one behind the other."""
        empty = np.zeros(0, dtype=np.int32)
        return cls(
            *(
                np.concatenate([empty, *(getattr(part, name) for part in parts)])
                for name in ("counts", "people", "codes")
            )
        )

    @classmethod
    def of_people(cls, given: Sequence[npt.NDArray[np.int32]]) -> Votes:
        """Votes from each person's labels of all examples, (n,) each, negative where there is none."""
        table = np.stack(given, axis=1)
        there = table >= 0
        people = np.broadcast_to(np.arange(len(given), dtype=np.int32), table.shape)
        return cls(there.sum(1).astype(np.int32), people[there], table[there])


def majority(votes: Votes, classes: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """The label that most people gave each example.

    Where several labels have as many votes as any, it is the one of them that the first of the people gave. So a
    label never hangs on other examples, and the order of the people says whom to believe.

    Parameters
    ----------
    votes : Votes
        With codes below `classes`.
    classes : int

    Returns
    -------
    labels : int32 array (n,)
        `NO_LABEL` where nobody gave one that counts.
    tied : bool array (n,)
        Where several labels had the most votes.
    """
    labels = np.full(len(votes.counts), NO_LABEL, dtype=np.int32)
    tied = np.zeros(len(votes.counts), dtype=bool)
    counting = np.flatnonzero(votes.codes >= 0)
    keys = votes.examples[counting] * np.int64(max(classes, 1)) + votes.codes[counting]
    keys, first, number = np.unique(keys, return_index=True, return_counts=True)  # `first` is the earliest person's
    examples, codes = np.divmod(keys, max(classes, 1))
    order = np.lexsort((first, -number, examples))
    examples, codes, number = examples[order], codes[order], number[order]
    best = np.flatnonzero(np.diff(examples, prepend=-1))
    labels[examples[best]] = codes[best]
    rivals = best[best + 1 < len(examples)]
    level = (examples[rivals] == examples[rivals + 1]) & (number[rivals] == number[rivals + 1])
    tied[examples[rivals[level]]] = True
    return labels, tied


def disagreement(votes: Votes, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """The share of each example's people who say another label than the one it has.

    Parameters
    ----------
    votes : Votes
    labels : int32 array (n,)

    Returns
    -------
    float64 array (n,)
        In [0, 1], high = contested; NaN where nobody gave a label that counts, or the example has none.
    """
    examples, counting = votes.examples, votes.codes >= 0
    total = np.bincount(examples[counting], minlength=len(labels))
    others = np.bincount(examples[counting & (votes.codes != labels[examples])], minlength=len(labels))
    known = (total > 0) & (labels >= 0)
    shares = np.full(len(labels), np.nan)
    shares[known] = others[known] / total[known]
    return shares
