"""Answers that are kept in memory, a number of bytes of them for each dataset."""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

OF_DATASET = 64 << 20
IN_ALL = 256 << 20
_SHARED = 100_000  # bytes that a shared answer counts as: a card, or statistics; not each of them can be pickled
_LARGEST = 4  # an answer of more than this part of a dataset's bytes would push out too many others


@dataclass(frozen=True)
class _Answer:
    stamp: str | None
    value: Any  # the object itself where it is shared, else as bytes
    size: int


@dataclass
class _OfDataset:
    answers: OrderedDict[Hashable, _Answer] = field(default_factory=OrderedDict)  # the latest used one last
    size: int = 0

    def drop(self, key: Hashable) -> int:
        """Forget an answer; how many bytes that gives back."""
        answer = self.answers.pop(key, None)
        size = 0 if answer is None else answer.size
        self.size -= size
        return size

    def drop_oldest(self) -> int:
        return self.drop(next(iter(self.answers)))


class Answers:
    """Answers by dataset and question, the latest used ones.

    Of one question one answer is kept, since an earlier stamp never comes back. A dataset pushes out its own answers
    only; where all of them together are too many, the dataset goes first that has most.

    Parameters
    ----------
    of_dataset, in_all : int
        Bytes, as answers are pickled that are given as copies.
    """

    def __init__(self, of_dataset: int = OF_DATASET, in_all: int = IN_ALL) -> None:
        self._of_dataset, self._in_all = of_dataset, in_all
        self._datasets: dict[str, _OfDataset] = {}
        self._size = 0
        self._lock = threading.Lock()
        self._asking: dict[tuple[str, Hashable], threading.Lock] = {}

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return self._size

    def get(
        self, dataset: str, key: Hashable, stamp: str | None, answer: Callable[[], Any], *, entries: int, shared: bool
    ) -> Any:
        """The answer to a question, found anew unless it is there with this stamp; who asks meanwhile waits for it.

        Parameters
        ----------
        dataset : str
        key : hashable
            The question: its first element names what is asked, of which so many `entries` are kept for a dataset.
        stamp : str or None
            What the answer rests on.
        answer : callable
            Finds it.
        entries : int
        shared : bool
            Whether everybody gets the same object instead of a copy.
        """
        with self._lock:
            asking = self._asking.setdefault((dataset, key), threading.Lock())
        try:
            with asking:
                kept = self._find(dataset, key, stamp)
                if kept is None:
                    value = answer()
                    held = value if shared else pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
                    kept = _Answer(stamp, held, _SHARED if shared else len(held))
                    self._keep(dataset, key, kept, entries)
        finally:
            with self._lock:
                self._asking.pop((dataset, key), None)
        return kept.value if shared else pickle.loads(kept.value)  # noqa: S301 (packed above)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._datasets.clear()
            self._size = 0

    def _find(self, dataset: str, key: Hashable, stamp: str | None) -> _Answer | None:
        with self._lock:
            own = self._datasets.get(dataset, _OfDataset())
            answer = own.answers.get(key)
            if answer is None or answer.stamp != stamp:
                return None
            own.answers.move_to_end(key)
            return answer

    def _keep(self, dataset: str, key: Hashable, answer: _Answer, entries: int) -> None:
        with self._lock:
            own = self._datasets.setdefault(dataset, _OfDataset())
            self._size -= own.drop(key)
            if answer.size > self._of_dataset // _LARGEST:
                return
            own.answers[key] = answer
            own.size += answer.size
            self._size += answer.size
            alike = [other for other in own.answers if _question(other) == _question(key)]
            for other in alike[: max(0, len(alike) - entries)]:
                self._size -= own.drop(other)
            while own.size > self._of_dataset:
                self._size -= own.drop_oldest()
            while self._size > self._in_all:
                self._size -= max(self._datasets.values(), key=lambda held: held.size).drop_oldest()
            self._datasets = {name: held for name, held in self._datasets.items() if held.answers}


def _question(key: Hashable) -> Hashable:
    return key[0] if isinstance(key, tuple) else key
