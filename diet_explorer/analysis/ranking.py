"""Ranked, filtered pages of examples with their scores, and counts of them for charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.listing import Listing, bins_of, count, listing
from diet_explorer.analysis.matching import Mask, RankingColumns, Search
from diet_explorer.analysis.region import Box
from diet_explorer.data.manifest import DISAGREEMENT, DatasetManifest
from diet_explorer.errors import NotFoundError
from diet_explorer.review.decisions import Ledger
from diet_explorer.scoring.dynamics import TRAJECTORIES
from diet_explorer.store.decisions import DECISION_STATES
from diet_explorer.store.scores import ScoreFiles

BATCH = 65_536


class Ranking:
    """The ranking of one run at one checkpoint, which must have landed, of one seed or (None) of the mean over seeds.

    Filters by text need `search`, see `RankingColumns`. Without `decisions` nothing has been decided.
    """

    def __init__(
        self,
        store: ScoreFiles,
        manifest: DatasetManifest,
        checkpoint: float,
        seed: int | None,
        *,
        search: Search | None = None,
        decisions: Ledger | None = None,
    ) -> None:
        self._manifest = manifest
        if not store.files.exists(store.paths.ranking(seed, checkpoint)):
            landed = ", ".join(f"{point:g}" for point in store.ranked_checkpoints(seed))
            whose = "" if seed is None else f" for seed {seed}"
            raise NotFoundError(
                f"The run {store.run_id} has no scores{whose} at checkpoint {checkpoint:g}.",
                f"Recorded checkpoints: {landed}."
                if landed
                else "No checkpoint has been scored yet; wait for the run.",
            )
        self.columns = RankingColumns(store, manifest, store.read_ranking(seed, checkpoint), search, decisions)

    @property
    def score_names(self) -> list[str]:
        """Scores that there are, in the catalogue's order."""
        return self.columns.score_names

    def count(self, where: ExampleFilter) -> int:
        """How many examples the filter keeps."""
        return count(self.columns, where)

    def rows(self, where: ExampleFilter) -> NDArray[np.int32]:
        """Rows of all examples that the filter keeps, ascending."""
        return self.columns.examples[where.keeps(self.columns)]

    def page(self, by: str, where: ExampleFilter, limit: int | None, offset: int = 0) -> pd.DataFrame:
        """Examples, highest-ranked first.

        Returns
        -------
        pandas.DataFrame
            ``rank, row, id, text, [text_pair,] label, predicted, split, [trajectory,] decided, flagged``,
            ``disagreement`` where the source has several people's labels, then each score and its ``_std``; label and
            predicted are class names, trajectory and decided are words. `rank` counts
            within the example's split; over several splits, values decide, then rows.
        """
        return self._frame(by, self.listing(by, where).part(offset, limit))

    def batches(
        self, by: str, where: ExampleFilter, size: int = BATCH, limit: int | None = None
    ) -> Iterator[pd.DataFrame]:
        """What `page` gives of the list or its first `limit` examples, `size` at a time; one empty batch where there
        are none."""
        positions = self.listing(by, where).part(0, limit)
        for start in range(0, max(len(positions), 1), size):
            yield self._frame(by, positions[start : start + size])

    def _frame(self, by: str, positions: NDArray[np.integer]) -> pd.DataFrame:
        frame = self.details(positions, self._page_columns())
        frame.insert(0, "rank", self.columns.ranks_at(by, positions))
        return frame

    def _page_columns(self) -> list[str]:
        trajectory = ["trajectory"] if "trajectory" in self.columns else []
        scores = [column for name in self.score_names for column in (name, f"{name}_std")]
        names = ["id", "text", *self.columns.pair, "label", "predicted", "split", *trajectory, "decided", "flagged"]
        return [*names, *([DISAGREEMENT] if self._manifest.mapping.annotators else []), *scores]

    def listing(self, by: str, where: ExampleFilter) -> Listing:
        """What a filter keeps, highest-ranked by a score first."""
        return listing(self.columns, by, where)

    def ordered(self, by: str, where: ExampleFilter) -> NDArray[np.int32]:
        """Rows of all examples that the filter keeps, highest-ranked first."""
        return np.asarray(self.columns.at("row", self.listing(by, where).part(0, None)), dtype=np.int32)

    def position(self, row: int, by: str, where: ExampleFilter) -> int | None:
        """An example's position from 0 on in the list that `page` gives; None where the filter does not keep it."""
        position = self.columns.position(row)
        return None if position is None else self.listing(by, where).place(position)

    def histogram(self, by: str, where: ExampleFilter, bins: int) -> pd.DataFrame:
        """Counts of a score in equal-width bins over the range it takes in the filter's examples: ``left, right,
        count``; empty where the filter keeps no example."""
        return self.listing(by, where).histogram(bins)

    def values(self, names: Sequence[str], where: ExampleFilter) -> pd.DataFrame:
        """Only the values of some scores, a row per example in row order."""
        mask = where.keeps(self.columns)
        return pd.DataFrame({name: self.columns.score(name)[mask] for name in names})

    def points(
        self, x: str, y: str, columns: Sequence[str], where: ExampleFilter, limit: int, box: Box | None = None
    ) -> pd.DataFrame:
        """Examples as points of a map, ``row, x, y`` and the columns in row order: all of them, or a fixed sample where
        they are more than `limit`, in the whole map or a box of it.

        Whether an example is in the sample hangs on its row alone, so that zooming in adds points and moves none. The
        axes are scores, or ``embedding-tuned.x`` and ``embedding-tuned.y`` (likewise ``embedding-initial``). Columns
        are ``id, text, text_pair, label, predicted, disagree, split, trajectory, never_learned, decided, flagged``,
        scores, their ``_std`` and ``rank_`` columns.
        """
        across, up = self.columns.coordinate(x), self.columns.coordinate(y)
        mask = where.keeps(self.columns)
        positions = _sampled(self.columns, mask if box is None else mask & _inside(across, up, box), limit)
        frame = self.details(positions, columns)
        frame.insert(1, "x", across[positions])
        frame.insert(2, "y", up[positions])
        return frame

    def density(
        self, x: str, y: str, where: ExampleFilter, bins: tuple[int, int] = (80, 60), box: Box | None = None
    ) -> pd.DataFrame:
        """Counts of all examples in the cells (across, up) of a map, or of a box of it, with axes as in `points`.

        One row per cell that holds examples: ``x_bin, y_bin`` from 0, ``x, y`` of its middle, ``count``, and
        ``disagree``, the share of them in [0, 1] whose given label is not the predicted one.
        """
        mask = where.keeps(self.columns)
        across, up = self.columns.coordinate(x), self.columns.coordinate(y)
        if box is not None:
            mask &= _inside(across, up, box)
        if not mask.any():
            return pd.DataFrame({name: [] for name in ("x_bin", "y_bin", "x", "y", "count", "disagree")})
        across, up, differs = across[mask], up[mask], self.columns["disagree"][mask]
        left, right, bottom, top = box or (float(across.min()), float(across.max()), float(up.min()), float(up.max()))
        wide, high = (right - left) / bins[0] or 1.0, (top - bottom) / bins[1] or 1.0
        cells = bins_of(across, left, wide, bins[0]) * bins[1] + bins_of(up, bottom, high, bins[1])
        counts = np.bincount(cells, minlength=bins[0] * bins[1])
        differing = np.bincount(cells, weights=differs, minlength=len(counts))
        filled = np.flatnonzero(counts)
        x_bin, y_bin = np.divmod(filled, bins[1])
        return pd.DataFrame(
            {
                "x_bin": x_bin,
                "y_bin": y_bin,
                "x": left + (x_bin + 0.5) * wide,
                "y": bottom + (y_bin + 0.5) * high,
                "count": counts[filled],
                "disagree": differing[filled] / counts[filled],
            }
        )

    def percentiles(self, row: int) -> dict[str, float]:
        """For each score the share, in percent, of the example's split that is less suspicious than it."""
        position = self.columns.position(row)
        if position is None:
            raise NotFoundError(f"The run has no example in row {row}.", "Choose an example that it scored.")
        split, here = int(self.columns.order.splits[position]), np.array([position])
        shares = {}
        for name in self.score_names:
            order = self.columns.ranked(name)
            rank = order.below(split, order.keys(here)[0]) + 1
            shares[name] = 100.0 * (1 - float(rank) / order.size(split))
        return shares

    def details(self, positions: NDArray[np.integer], columns: Sequence[str]) -> pd.DataFrame:
        """``row`` and other columns, as in `points`, of the examples at some positions in the ranking; codes turned
        into words."""
        rows = np.asarray(self.columns.at("row", positions), dtype=np.int32)
        words = {"label": self._manifest.classes, "predicted": self._manifest.classes, "trajectory": TRAJECTORIES}
        states, flagged = self.columns.decisions_at(rows) if {"decided", "flagged"} & set(columns) else (None, None)
        texts = self.columns.dataset.of(rows) if {"id", "text", "text_pair"} & set(columns) else None
        deviations = {f"{name}_std": name for name in self.score_names}
        values: dict[str, object] = {"row": rows}
        for name in columns:
            if name in words and name in self.columns:
                values[name] = np.array(words[name], dtype=object)[self.columns.at(name, positions)]
            elif name in deviations:
                values[name] = self.columns.deviations(deviations[name], positions)
            elif name == "split":
                names = np.array(self.columns.order.split_names, dtype=object)
                values[name] = names[self.columns.order.splits[positions]]
            elif name in self.columns:
                values[name] = self.columns.at(name, positions)
            elif name == "decided" and states is not None:
                values[name] = np.array(DECISION_STATES, dtype=object)[states]
            elif name == "flagged" and flagged is not None:
                values[name] = flagged
            elif name == DISAGREEMENT:
                values[name] = self.columns.disagreement(rows)
            elif texts is not None and name in texts.column_names:
                values[name] = texts[name].to_pandas()
            else:
                raise NotFoundError(f"The ranking has no column {name!r}.", "Leave it out.")
        return pd.DataFrame(values)


def _inside(x: NDArray[np.floating], y: NDArray[np.floating], box: Box) -> NDArray[np.bool_]:
    left, right, bottom, top = box
    return np.asarray((x >= left) & (x <= right) & (y >= bottom) & (y <= top))


def _sampled(columns: RankingColumns, mask: Mask, limit: int) -> NDArray[np.int64]:
    """Positions of at most `limit` examples that a mask keeps, those whose rows have the smallest numbers of
    `_scattered`, ascending.

    The numbers are spread evenly, so that those wanted are almost surely among the ones below twice their share; only
    these are kept of each block.
    """
    kept = int(np.count_nonzero(mask))
    if kept <= limit:
        return np.flatnonzero(mask)
    cut = np.uint64(min(2.0 * limit / kept, 0.999) * 2.0**64)
    positions, numbers = [], []
    for start in range(0, len(mask), BATCH):
        here = start + np.flatnonzero(mask[start : start + BATCH])
        block = _scattered(np.asarray(columns.at("row", here), dtype=np.int32))
        low = np.flatnonzero(block < cut)
        positions.append(here[low])
        numbers.append(block[low])
    position, number = np.concatenate(positions), np.concatenate(numbers)
    if len(position) <= limit:
        position = np.flatnonzero(mask)
        number = _scattered(np.asarray(columns.at("row", position), dtype=np.int32))
    return np.asarray(np.sort(position[np.argpartition(number, limit)[:limit]]))


def _scattered(rows: NDArray[np.integer]) -> NDArray[np.uint64]:
    """A fixed pseudo-random number per row (the finaliser of SplitMix64)."""
    z = rows.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))
