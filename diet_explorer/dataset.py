"""One imported dataset of a workspace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.analysis.conflicts import conflicting_labels
from diet_explorer.data.manifest import DatasetManifest, dataset_folder, examples_path, set_aside_path
from diet_explorer.data.validation import ValidationReport
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.store.queries import parquet

if TYPE_CHECKING:
    from diet_explorer.workspace import Workspace


class Dataset:
    """One imported set; never changes. Made by `Workspace`."""

    def __init__(self, workspace: Workspace, manifest: DatasetManifest) -> None:
        self._workspace = workspace
        self.manifest = manifest
        self.id = manifest.id
        self.name = manifest.name

    def __repr__(self) -> str:
        return f"Dataset({self.id!r}, {self.rows:,} rows, {len(self.classes)} classes)"

    @property
    def rows(self) -> int:
        """Number of usable examples over all splits."""
        return self.manifest.rows

    @property
    def classes(self) -> list[str]:
        """Class names; a label's code is its position here."""
        return self.manifest.classes

    @property
    def folder(self) -> str:
        """Where its files lie."""
        return dataset_folder(self._workspace.files, self.id)

    @cached_property
    def report(self) -> ValidationReport:
        """What the import found."""
        return ValidationReport.from_json(self.manifest.report)

    def examples(self, rows: Sequence[int] | None = None) -> pd.DataFrame:
        """Examples as imported, all of them or those of some rows; `label` holds class names."""
        condition = "TRUE" if rows is None else f"row IN ({', '.join(str(int(row)) for row in rows) or 'NULL'})"
        sql = f"SELECT * FROM {parquet(examples_path(self._workspace.files, self.id))} WHERE {condition} ORDER BY row"
        frame = self._workspace.queries.frame(sql)
        frame["label"] = frame["label"].map(dict(enumerate(self.classes)))
        return frame

    def search(self, query: str) -> NDArray[np.int32]:
        """Rows of all examples that a query finds, of any split, ascending; see `analysis.search` for its language.

        Examples
        --------
        >>> dataset.search('good "happy end" -bor*')  # doctest: +SKIP
        """
        return self._workspace.text_search(self.manifest).rows(query)

    @property
    def ledger(self) -> Ledger:
        """What annotators have decided about its examples."""
        return self._workspace.ledger(self.manifest)

    def decide(
        self,
        rows: Iterable[int],
        action: str,
        *,
        annotator: str,
        label: str | None = None,
        note: str | None = None,
    ) -> DecisionEvent:
        """Decide about one example or many, in one event that can be undone; see `Ledger.decide`."""
        return self.ledger.decide(rows, action, annotator=annotator, label=label, note=note)

    def undo(self, annotator: str) -> DecisionEvent | None:
        """Take back the annotator's latest decision; None where there is none."""
        return self.ledger.undo(annotator)

    def conflicts(self) -> pd.DataFrame:
        """Duplicates, exact and near, that have different labels; see `conflicting_labels` for the columns."""
        return conflicting_labels(self._workspace.queries, self._workspace.files, self.manifest)

    def set_aside(self) -> pd.DataFrame:
        """Rows that could not be used: ``line, reason, remedy, raw``."""
        path = set_aside_path(self._workspace.files, self.id)
        return self._workspace.queries.frame(f"SELECT * FROM {parquet(path)} ORDER BY line")
