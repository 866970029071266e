"""Rankings as files: values of every example by row, and beside them the order by each score.

Both are mapped into memory. The values are stored as small as they can be without losing a bit, nothing twice: rows
where they are not simply counted, codes of classes in as few bytes as they need, a score of few values as a dictionary;
what the seeds' own rankings hold (standard deviations over them) is read there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.errors import NotFoundError, WorkspaceError
from diet_explorer.store.arrow import read_arrow, write_arrow
from diet_explorer.store.files import Files

FORM = 2
_FORM, _STAMP, _SEEDS = b"form", b"stamp", b"seeds"
_MOST_VALUES = 256
_SAMPLE = 4096
NOT_SCORES = ("row", "label", "predicted", "trajectory", "never_learned")

Array = NDArray[Any]


class RankingFile:
    """One ranking as it is stored; N examples, in the order of their rows.

    Attributes
    ----------
    orders : pyarrow.RecordBatch or None
        The order by each score, see `scoring.rank_order`; None while it does not belong to these values, since somebody
        is just replacing both.
    scores : list of str
        In the catalogue's order.
    seeds : tuple of int
        Seeds that it is the mean of; empty for a ranking of one seed.
    """

    def __init__(
        self, values: pa.RecordBatch, orders: pa.RecordBatch | None, of_seed: Callable[[int], RankingFile]
    ) -> None:
        self._values = values
        self._of_seed = of_seed
        metadata = values.schema.metadata
        self.orders = orders if orders is not None and _stamp(orders) == metadata[_STAMP] else None
        self.scores = [name for name in values.schema.names if name not in NOT_SCORES]
        self.seeds = tuple(int(seed) for seed in metadata[_SEEDS].decode().split(",") if seed)

    def __len__(self) -> int:
        return int(self._values.num_rows)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @cached_property
    def names(self) -> list[str]:
        """All columns: ``row, label, predicted, disagree``, those over the training once it has begun, the scores."""
        stored = self._values.schema.names
        return [*NOT_SCORES[:3], "disagree", *(name for name in NOT_SCORES[3:] if name in stored), *self.scores]

    @property
    def is_counted(self) -> bool:
        """Whether the rows are simply counted from 0; they are where all of a dataset is ranked, or its first part."""
        return "row" not in self._values.schema.names

    @cached_property
    def rows(self) -> NDArray[np.int32]:
        """The row of each example in the dataset, ascending."""
        if self.is_counted:
            return np.arange(len(self), dtype=np.int32)
        rows: NDArray[np.int32] = self._values["row"].to_numpy()
        return rows

    def position(self, row: int) -> int | None:
        """Where the example of a row stands; None where the ranking does not have it."""
        if self.is_counted:
            return int(row) if 0 <= row < len(self) else None
        position = int(np.searchsorted(self.rows, np.int32(row)))
        return position if position < len(self) and self.rows[position] == row else None

    def column(self, name: str) -> Array:
        """One column as an array (N,), of the type in which it is stored."""
        if name == "row":
            return self.rows
        return self.at(name, slice(None))

    def at(self, name: str, positions: NDArray[np.integer] | slice) -> Array:
        """One column at some positions."""
        if name == "row":
            if not self.is_counted:
                return self.rows[positions]
            return self.rows[positions] if isinstance(positions, slice) else positions.astype(np.int32)
        if name == "disagree":
            return np.asarray(self.at("label", positions) != self.at("predicted", positions))
        column = self._values[name]
        if pa.types.is_dictionary(column.type):
            return np.asarray(column.dictionary.to_numpy()[column.indices.to_numpy()[positions]])
        if pa.types.is_boolean(column.type) and not isinstance(positions, slice):
            return np.asarray(column.take(pa.array(positions)).to_numpy(zero_copy_only=False))
        return np.asarray(column.to_numpy(zero_copy_only=False)[positions])

    @cached_property
    def _of_seeds(self) -> list[RankingFile]:
        return [self._of_seed(seed) for seed in self.seeds]

    def deviations(self, name: str, positions: NDArray[np.integer] | slice) -> NDArray[np.float32]:
        """Standard deviation of a score over the seeds at some positions; zeros for a single seed."""
        if len(self.seeds) < 2:
            count = len(range(len(self))[positions]) if isinstance(positions, slice) else len(positions)
            return np.zeros(count, dtype=np.float32)
        each = [ranking.at(name, positions) for ranking in self._of_seeds]
        return np.asarray(np.stack(each).std(0, dtype=np.float64), dtype=np.float32)


def write_ranking(
    files: Files,
    paths: tuple[str, str],
    columns: Mapping[str, Array],
    seeds: Sequence[int],
    orders: Callable[[], pa.RecordBatch],
) -> None:
    """Write a ranking's orders and then its values, each atomically; they replace earlier ones.

    `paths` are those of values and orders; columns are ``row, label, predicted``, those over the training, the scores.
    """
    stored = _stored(columns)
    digest = hashlib.sha256()
    for name, column in stored.items():
        digest.update(name.encode())
        for buffer in (column.indices if pa.types.is_dictionary(column.type) else column).buffers():
            digest.update(b"" if buffer is None else buffer)
    stamp = digest.hexdigest()[:16].encode()
    metadata = {_FORM: str(FORM).encode(), _STAMP: stamp, _SEEDS: ",".join(map(str, seeds)).encode()}
    order = orders().replace_schema_metadata({_STAMP: stamp})
    write_arrow(files, paths[1], order.schema, [order])
    del order
    values = pa.record_batch(stored).replace_schema_metadata(metadata)
    write_arrow(files, paths[0], values.schema, [values])


def read_ranking(files: Files, paths: tuple[str, str], of_seed: Callable[[int], RankingFile]) -> RankingFile:
    """A ranking, mapped into memory; NotFoundError where there is none, WorkspaceError where it is of an older form."""
    values = read_arrow(files, paths[0])[0]
    if (values.schema.metadata or {}).get(_FORM) != str(FORM).encode():
        raise WorkspaceError(
            f"The ranking {paths[0]} was written by another version of diet-explorer.",
            "Score the dataset again with this version, or open the workspace with the version that made it.",
        )
    try:
        orders = read_arrow(files, paths[1])[0]
    except NotFoundError:
        orders = None
    return RankingFile(values, orders, of_seed)


def _stored(columns: Mapping[str, Array]) -> dict[str, pa.Array]:
    rows = columns["row"]
    counted = len(rows) == 0 or bool(rows[0] == 0 and rows[-1] == len(rows) - 1)
    stored = {} if counted else {"row": pa.array(rows.astype(np.int32))}
    for name in NOT_SCORES[1:]:
        if name in columns:
            values = columns[name]
            kind = values.dtype if values.dtype == bool else smallest_type(values)
            stored[name] = pa.array(values.astype(kind))
    scores = {name: values for name, values in columns.items() if name not in NOT_SCORES}
    return stored | {name: _packed(values.astype(np.float32, copy=False)) for name, values in scores.items()}


def smallest_type(codes: NDArray[np.integer]) -> np.dtype[Any]:
    """The smallest type of integers that holds some."""
    if not len(codes):
        return np.dtype(np.uint8)
    low, high = int(codes.min()), int(codes.max())
    return np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high))


def _packed(values: NDArray[np.float32]) -> pa.Array:
    """As a dictionary where there are few different values."""
    bits = values.view(np.uint32)  # so that no two of them are taken for the same
    if len(values) > _MOST_VALUES and len(np.unique(bits[:: max(1, len(bits) // _SAMPLE)])) <= _MOST_VALUES:
        different = np.unique(bits)
        if len(different) <= _MOST_VALUES:
            codes = np.searchsorted(different, bits).astype(np.uint8)
            return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(different.view(np.float32)))
    return pa.array(values)


def _stamp(batch: pa.RecordBatch) -> bytes | None:
    return (batch.schema.metadata or {}).get(_STAMP)
