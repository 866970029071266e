"""The nearest other examples of each example by the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.analysis.compiled import keep_compiled
from diet_explorer.data.example_order import read_example_order
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.splits import TRAIN
from diet_explorer.store.embeddings import CHUNK_ROWS, EmbeddingFiles, Representation, StoredVectors
from diet_explorer.store.layout import Layout

NEIGHBOURS = 10
EXACT_ROWS = 20_000
"""Below so many examples every pair is compared; above, pynndescent's graph finds nearly all true neighbours."""

INDEX_BYTES = 256 << 20
"""Of vectors among which neighbours are looked for; of a larger set a sample of so many bytes. Beside them a process
needs some seven times as much: the graph, its search, vectors in the graph's own order."""

_BLOCK_ROWS = 512
_PART_ROWS = 2 * CHUNK_ROWS
_GRAPH_NEIGHBOURS = 30  # a wider graph than is asked for loses fewer of the nearest

_SCHEMA = pa.schema(
    {
        "row": pa.int32(),
        "neighbours": pa.list_(pa.int32(), NEIGHBOURS),
        "similarity": pa.list_(pa.float32(), NEIGHBOURS),
        "agreement": pa.float32(),
    }
)

Indices = NDArray[np.int32]
Similarities = NDArray[np.float32]


def nearest_neighbours(vectors: NDArray[np.floating], k: int = NEIGHBOURS) -> tuple[Indices, Similarities]:
    """The k nearest other rows by cosine similarity, nearest first, ties by row.

    Parameters
    ----------
    vectors : float array (N, d)
    k : int

    Returns
    -------
    rows : int32 array (N, k)
        −1 where there are fewer than k others.
    similarities : float32 array (N, k)
        In [−1, 1], high = alike; NaN where there are fewer than k others. A vector of zeros is like nothing (0).
    """
    count = min(k, len(vectors) - 1)
    rows = np.full((len(vectors), k), -1, dtype=np.int32)
    similarities = np.full((len(vectors), k), np.nan, dtype=np.float32)
    if count > 0:
        unit = _unit_length(vectors)
        find = _compare_all if len(unit) < EXACT_ROWS else _search_graph
        rows[:, :count], similarities[:, :count] = find(unit, count)
    return rows, similarities


def label_agreement(
    rows: Indices, labels: NDArray[np.integer], train: NDArray[np.bool_], start: int = 0
) -> NDArray[np.float32]:
    """Share of each row's training neighbours that have its given label.

    Parameters
    ----------
    rows : int32 array (N, k)
        Neighbours, −1 for none; of all rows or of a part of them.
    labels : int array
        Of all rows.
    train : bool array
        Whose labels count as witnesses; likewise.
    start : int
        Where the part begins.

    Returns
    -------
    float32 array (N,)
        In [0, 1], low = suspect; NaN where no neighbour is a training example.
    """
    counted = (rows >= 0) & train[rows]
    agree = counted & (labels[rows] == labels[start : start + len(rows), None])
    witnesses = counted.sum(1)
    shares = np.full(len(rows), np.nan, dtype=np.float32)
    np.divide(agree.sum(1), witnesses, out=shares, where=witnesses > 0)
    return shares


def store_neighbours(store: EmbeddingFiles, manifest: DatasetManifest, which: Representation) -> None:
    """Write the neighbours of all examples by their stored embeddings; NotFoundError where there are none."""
    with store.files.open_read(Layout(store.files).dataset(manifest.id).examples) as stream:
        labels = pq.read_table(stream, columns=["label"])["label"].to_numpy()
    train, start = read_example_order(store.files, manifest.id).in_split(TRAIN), 0
    with (
        store.files.atomic_writer(store.paths.neighbours(which)) as target,
        pq.ParquetWriter(target, _SCHEMA, compression="zstd") as writer,
    ):
        for rows, similarities in neighbours_in_parts(store.vectors(which)):
            columns = [
                np.arange(start, start + len(rows), dtype=np.int32),
                pa.FixedSizeListArray.from_arrays(rows.ravel(), NEIGHBOURS),
                pa.FixedSizeListArray.from_arrays(similarities.ravel(), NEIGHBOURS),
                label_agreement(rows, labels, train, start),
            ]
            writer.write_table(pa.table(columns, schema=_SCHEMA), row_group_size=CHUNK_ROWS)
            start += len(rows)


def neighbours_in_parts(
    vectors: StoredVectors, index_bytes: int = INDEX_BYTES
) -> Iterator[tuple[Indices, Similarities]]:
    """`nearest_neighbours` of stored vectors, a part of the rows at a time.

    Where the vectors take more than `index_bytes` as float32, neighbours are looked for among a random sample that does
    not: the nearest of every row among those, the row itself left out.
    """
    rows, most = len(vectors), max(EXACT_ROWS, index_bytes // (4 * vectors.shape[1]))
    if rows <= most:
        yield nearest_neighbours(vectors[np.arange(rows)])
        return
    sample = np.sort(np.random.default_rng(0).choice(rows, most, replace=False)).astype(np.int32)
    known = _unit_length(vectors[sample])
    find = _index_of(known)
    for start in range(0, rows, _PART_ROWS):
        own = np.arange(start, min(start + _PART_ROWS, rows), dtype=np.int32)
        unit = _unit_length(vectors[own])
        yield _nearest_of(unit, find(unit), NEIGHBOURS, own, known, sample)


def _index_of(known: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], Indices]:
    """What finds candidates among the rows of unit length that it is made of, for others."""
    from pynndescent import NNDescent

    keep_compiled("pynndescent")
    index = NNDescent(known, metric="dot", n_neighbors=_GRAPH_NEIGHBOURS, random_state=0, low_memory=True)
    index.prepare()
    return lambda unit: index.query(unit, k=2 * NEIGHBOURS)[0].astype(np.int32)


def _unit_length(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors.astype(np.float32)
    norms = np.linalg.norm(unit, axis=1, keepdims=True)
    np.divide(unit, norms, out=unit, where=norms > 0)
    return unit


def _compare_all(unit: NDArray[np.float32], k: int) -> tuple[Indices, Similarities]:
    rows = np.empty((len(unit), k), dtype=np.int32)
    similarities = np.empty((len(unit), k), dtype=np.float32)
    for start in range(0, len(unit), _BLOCK_ROWS):
        block = unit[start : start + _BLOCK_ROWS] @ unit.T
        own = np.arange(len(block))
        block[own, start + own] = -np.inf
        kth = np.partition(block, -k, axis=1)[:, -k]
        for position, (line, least) in enumerate(zip(block, kth, strict=True)):
            candidates = np.flatnonzero(line >= least)
            best = candidates[np.argsort(-line[candidates], kind="stable")[:k]]
            rows[start + position] = best
            similarities[start + position] = line[best]
    return rows, np.clip(similarities, -1.0, 1.0)


def _search_graph(unit: NDArray[np.float32], k: int) -> tuple[Indices, Similarities]:
    from pynndescent import NNDescent

    keep_compiled("pynndescent")

    graph = NNDescent(unit, metric="dot", n_neighbors=_GRAPH_NEIGHBOURS, random_state=0, low_memory=True)
    return _nearest_of(unit, graph.neighbor_graph[0].astype(np.int32), k)


def _nearest_of(
    unit: NDArray[np.float32],
    candidates: Indices,
    k: int,
    own: Indices | None = None,
    known: NDArray[np.float32] | None = None,
    sample: Indices | None = None,
) -> tuple[Indices, Similarities]:
    """The k nearest of each row's candidates, compared exactly; the row itself and the filling (−1) do not count.

    Candidates are rows of `unit`, or else of `known`, whose own numbers are in `sample` and those of `unit` in `own`.
    """
    known = unit if known is None else known
    own = np.arange(len(unit), dtype=np.int32) if own is None else own
    rows = np.empty((len(unit), k), dtype=np.int32)
    similarities = np.empty((len(unit), k), dtype=np.float32)
    for start in range(0, len(unit), _BLOCK_ROWS):
        stop = start + _BLOCK_ROWS
        here = candidates[start:stop]
        alike = np.einsum("nkd,nd->nk", known[here], unit[start:stop])
        numbers = here if sample is None else np.where(here < 0, np.int32(-1), sample[here])
        alike[(numbers == own[start:stop, None]) | (here < 0)] = -np.inf
        order = np.lexsort((numbers, -alike), axis=1)[:, :k]
        rows[start:stop] = np.take_along_axis(numbers, order, axis=1)
        similarities[start:stop] = np.take_along_axis(alike, order, axis=1)
    missing = np.isneginf(similarities)
    rows[missing], similarities[missing] = -1, np.nan
    return rows, np.clip(similarities, -1.0, 1.0)
