"""The nearest other examples of each example by the cosine of their embeddings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diet_explorer.analysis.compiled import keep_compiled
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.splits import TRAIN
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.store.layout import Layout

NEIGHBOURS = 10
EXACT_ROWS = 20_000
"""Below so many examples every pair is compared; above, pynndescent's graph finds nearly all true neighbours."""

_BLOCK_ROWS = 512
_GRAPH_NEIGHBOURS = 30  # a wider graph than is asked for loses fewer of the nearest

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
    rows, similarities = nearest_neighbours(store.read_vectors(which))
    with store.files.open_read(Layout(store.files).dataset(manifest.id).examples) as stream:
        examples = pq.read_table(stream, columns=["label", "split"])
    train = np.asarray(examples["split"].to_numpy() == TRAIN)
    table = pa.table(
        {
            "row": np.arange(len(rows), dtype=np.int32),
            "neighbours": pa.FixedSizeListArray.from_arrays(rows.ravel(), NEIGHBOURS),
            "similarity": pa.FixedSizeListArray.from_arrays(similarities.ravel(), NEIGHBOURS),
            "agreement": label_agreement(rows, examples["label"].to_numpy(), train),
        }
    )
    store.write_table(store.paths.neighbours(which), table)


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


def _nearest_of(unit: NDArray[np.float32], candidates: Indices, k: int) -> tuple[Indices, Similarities]:
    """The k nearest of each row's candidates, compared exactly; the row itself and the filling (−1) do not count."""
    rows = np.empty((len(unit), k), dtype=np.int32)
    similarities = np.empty((len(unit), k), dtype=np.float32)
    for start in range(0, len(unit), _BLOCK_ROWS):
        here = candidates[start : start + _BLOCK_ROWS]
        alike = np.einsum("nkd,nd->nk", unit[here], unit[start : start + _BLOCK_ROWS])
        alike[(here == np.arange(start, start + len(here))[:, None]) | (here < 0)] = -np.inf
        order = np.lexsort((here, -alike), axis=1)[:, :k]
        rows[start : start + _BLOCK_ROWS] = np.take_along_axis(here, order, axis=1)
        similarities[start : start + _BLOCK_ROWS] = np.take_along_axis(alike, order, axis=1)
    missing = np.isneginf(similarities)
    rows[missing], similarities[missing] = -1, np.nan
    return rows, np.clip(similarities, -1.0, 1.0)
