"""Each example's split and its position in id order, by row: what orders and parts a ranking.

Ids are sorted once, when a dataset is imported; everything made of it later holds rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.store.arrow import read_arrow, write_arrow
from diet_explorer.store.files import Files
from diet_explorer.store.layout import DatasetPaths, Layout


@dataclass(frozen=True)
class ExampleOrder:
    """Order and splits of examples."""

    tie: NDArray[np.int32]  # position among all examples of the dataset, sorted by the bytes of their ids; breaks ties
    splits: NDArray[np.int8]  # position of each one's split in `split_names`
    split_names: tuple[str, ...]  # in the order of their first examples

    def __len__(self) -> int:
        return len(self.tie)

    def in_split(self, name: str) -> NDArray[np.bool_]:
        """Which examples are in a split; none where there is no such split."""
        return np.asarray(self.splits == (self.split_names.index(name) if name in self.split_names else -1))

    def part(self, rows: NDArray[np.integer]) -> ExampleOrder:
        """The same of some rows only, ascending and each once; its splits are those that they have."""
        if len(rows) == len(self):
            return self
        codes, firsts = np.unique(self.splits[rows], return_index=True)
        codes = codes[np.argsort(firsts)]
        renumbered = np.zeros(len(self.split_names), dtype=np.int8)
        renumbered[codes] = np.arange(len(codes))
        names = tuple(self.split_names[code] for code in codes)
        return ExampleOrder(self.tie[rows], renumbered[self.splits[rows]], names)

    @cached_property
    def by_split(self) -> list[NDArray[np.int32]]:
        """Positions of each split's examples, in id order."""
        positions = np.full(int(self.tie.max(initial=-1)) + 1, -1, dtype=np.int32)
        positions[self.tie] = np.arange(len(self), dtype=np.int32)
        by_id = positions[positions >= 0]
        return [by_id[self.splits[by_id] == code] for code in range(len(self.split_names))]


def write_example_order(files: Files, paths: DatasetPaths) -> None:
    """Sort the ids of a dataset's examples and write down their order."""
    with files.open_read(paths.examples) as stream:
        table = pq.read_table(stream, columns=["id", "split"])
    tie = np.empty(len(table), dtype=np.int32)
    tie[pc.sort_indices(table["id"]).to_numpy()] = np.arange(len(table), dtype=np.int32)
    splits = table["split"].combine_chunks().dictionary_encode()
    splits = pa.DictionaryArray.from_arrays(splits.indices.cast(pa.int8()), splits.dictionary)
    batch = pa.record_batch({"tie": tie, "split": splits})
    write_arrow(files, paths.order, batch.schema, [batch])


def read_example_order(files: Files, dataset_id: str) -> ExampleOrder:
    """The order of a dataset's examples, mapped into memory."""
    (batch,) = read_arrow(files, Layout(files).dataset(dataset_id).order)
    splits = batch["split"]
    return ExampleOrder(batch["tie"].to_numpy(), splits.indices.to_numpy(), tuple(splits.dictionary.to_pylist()))
