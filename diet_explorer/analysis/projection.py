"""The embedding map: sentence embeddings laid out on a plane by UMAP (McInnes, Healy and Melville 2018)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.analysis.compiled import keep_compiled
from diet_explorer.analysis.neighbours import EXACT_ROWS, nearest_neighbours
from diet_explorer.errors import BadInputError
from diet_explorer.store.embeddings import EmbeddingFiles, Representation, StoredVectors

FIT_ROWS = 50_000
"""UMAP learns its layout from at most so many examples, and puts each of the others into it."""

TRANSFORM_ROWS = 20_000
_FEW_ROWS = 50  # too few for a spectral start

Positions = NDArray[np.float32]
Report = Callable[[float, str], None]


@dataclass(frozen=True)
class MapParameters:
    """How a map is drawn; the same parameters on the same machine draw the same map."""

    neighbors: int = 15  # how many each example is kept near to; few show fine structure, many the whole
    min_dist: float = 0.1  # how closely examples may be packed, in [0, 1]
    seed: int = 0

    def validated(self) -> MapParameters:
        """The same parameters; BadInputError names one that is out of its range."""
        if not 2 <= self.neighbors <= 200:
            raise BadInputError(f"The setting neighbors is {self.neighbors}.", "Give a whole number from 2 to 200.")
        if not isfinite(self.min_dist) or not 0 <= self.min_dist <= 1:
            raise BadInputError(f"The setting min_dist is {self.min_dist:g}.", "Give a number from 0 to 1.")
        if not 0 <= self.seed < 2**32:
            raise BadInputError(f"The setting seed is {self.seed}.", "Give a whole number from 0 to 4,294,967,295.")
        return self


def project(
    vectors: NDArray[np.floating] | StoredVectors, parameters: MapParameters, report: Report, fit_rows: int = FIT_ROWS
) -> Positions:
    """Lay vectors (N, d) out on a plane by cosine distance: float32 (N, 2), in which only nearness has a meaning.

    `report` gets the share done in [0, 1] and what is happening; `fit_rows` is the most rows that the layout is learned
    from, a random sample where there are more.
    """
    rows = len(vectors)
    chance = np.random.default_rng(parameters.seed)
    chosen = np.arange(rows) if rows <= fit_rows else np.sort(chance.choice(rows, fit_rows, replace=False))
    if len(chosen) < 4:  # no layout to learn
        return chance.normal(size=(rows, 2)).astype(np.float32)
    report(0.0, f"Preparing the layout of {len(chosen):,} examples")
    from umap import UMAP

    keep_compiled("umap", "pynndescent")
    known = vectors[chosen].astype(np.float32)
    share = len(chosen) / rows
    neighbors = min(parameters.neighbors, len(chosen) - 1)
    model = UMAP(
        n_neighbors=neighbors,
        min_dist=parameters.min_dist,
        metric="cosine",
        random_state=parameters.seed,
        n_jobs=1,
        init="spectral" if len(chosen) >= _FEW_ROWS else "random",
        disconnection_distance=np.inf,  # opposite vectors stay on the map
        tqdm_kwds=_epochs(lambda done: report(share * done, f"Laying out {len(chosen):,} examples")),
        **_exact_neighbours(known, neighbors, needs_index=rows > len(chosen)),
    )
    positions = np.empty((rows, 2), dtype=np.float32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]")  # exact neighbours have no search index
        positions[chosen] = model.fit_transform(known)
    model.tqdm_kwds = {"disable": True}
    rest = np.setdiff1d(np.arange(rows), chosen, assume_unique=True)
    for start in range(0, len(rest), TRANSFORM_ROWS):
        part = rest[start : start + TRANSFORM_ROWS]
        report(share + (1 - share) * start / len(rest), f"Placing the other {len(rest):,} examples")
        positions[part] = model.transform(vectors[part].astype(np.float32))
    return positions


def store_map(store: EmbeddingFiles, which: Representation, parameters: MapParameters, report: Report) -> None:
    """Draw the map of stored embeddings and write it with its parameters; NotFoundError without embeddings."""
    positions = project(store.vectors(which), parameters, report)
    table = pa.table({"row": np.arange(len(positions), dtype=np.int32), "x": positions[:, 0], "y": positions[:, 1]})
    store.write_table(store.paths.map(which), table)
    facts = {**asdict(parameters), "method": "UMAP", "metric": "cosine", "fitted_rows": min(len(positions), FIT_ROWS)}
    store.files.write_json(store.paths.map_parameters(which), facts)


def _exact_neighbours(known: NDArray[np.float32], neighbors: int, *, needs_index: bool) -> dict[str, Any]:
    """Exact neighbours for UMAP where they are cheap; it finds its own otherwise, and where it must find more later."""
    if needs_index or len(known) >= EXACT_ROWS:
        return {}
    rows, similarities = nearest_neighbours(known, neighbors - 1)
    own = np.arange(len(known), dtype=np.int32)[:, None]
    distances = np.hstack([np.zeros((len(known), 1), dtype=np.float32), 1.0 - similarities])
    return {"precomputed_knn": (np.hstack([own, rows]), distances), "force_approximation_algorithm": True}


class _EpochListener:
    """Takes what a progress bar writes, such as ``12/500``, and reports the share."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report

    def write(self, text: str) -> None:
        if match := re.search(r"(\d+)/(\d+)", text):
            self._report(int(match[1]) / int(match[2]))

    def flush(self) -> None:
        """A bar flushes what it wrote; here nothing waits."""


def _epochs(report: Callable[[float], None]) -> dict[str, Any]:
    """The only report that UMAP makes of its epochs is a progress bar."""
    return {"disable": False, "file": _EpochListener(report), "bar_format": "{n_fmt}/{total_fmt}", "mininterval": 0.5}
