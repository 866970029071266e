"""One imported dataset of a workspace."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.analysis.conflicts import conflicting_labels
from diet_explorer.config import own_path
from diet_explorer.data.example_order import read_example_order
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.examples import read_examples
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.report import ValidationReport
from diet_explorer.data.row_numbers import checked_rows
from diet_explorer.data.splits import TRAIN
from diet_explorer.data.value_texts import as_name
from diet_explorer.errors import NotFoundError
from diet_explorer.jobs.notebooks import as_table
from diet_explorer.review.annotators import Identity
from diet_explorer.review.decisions import Ledger
from diet_explorer.review.guidelines import Guidelines
from diet_explorer.review.ledger_files import ImportCount, read_events, write_events
from diet_explorer.review.progress import ReviewProgress
from diet_explorer.review.queue import ReviewQueue
from diet_explorer.store.arrow import exact_frame
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.store.files import Files, explained
from diet_explorer.store.layout import Layout
from diet_explorer.store.queries import parquet
from diet_explorer.workspace.context import Context

_SOME = 8


class Dataset:
    """One imported set; never changes. Made by `Workspace`."""

    def __init__(self, context: Context, manifest: DatasetManifest) -> None:
        self.context = context
        self.manifest = manifest
        self.id = manifest.id
        self.name = manifest.name

    @classmethod
    def load(cls, context: Context, dataset_id: str) -> Dataset:
        """The dataset of an id; DeletedError where it is in the bin."""
        context.bin.check(("dataset", dataset_id))
        return cls(context, DatasetManifest.load(context.files, dataset_id))

    def __repr__(self) -> str:
        return f"Dataset({self.id!r}, {self.rows:,} rows, {len(self.classes)} classes)"

    def _repr_html_(self) -> str:
        """For notebooks: what it is."""
        classes = ", ".join(self.classes[:_SOME]) + (", …" if len(self.classes) > _SOME else "")
        facts = {"rows": f"{self.rows:,}", f"{len(self.classes)} classes": classes}
        return as_table(f"{self.name} ({self.id})", facts)

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
        return Layout(self.context.files).dataset(self.id).folder

    @cached_property
    def report(self) -> ValidationReport:
        """What the import found."""
        return ValidationReport.from_json(self.manifest.report)

    def examples(self, rows: Sequence[int] | NDArray[np.integer | np.bool_] | None = None) -> pd.DataFrame:
        """Examples as imported, all of them or those of some rows in the order given, also by a mask over all; `label`
        holds class names, `disagreement`, where the source has several people's labels, the share of them who say
        another one."""
        chosen = None if rows is None else checked_rows(rows, self.rows)
        table = read_examples(self.context.files, self.id, chosen)
        frame = exact_frame(table if chosen is None else table.take(np.unique(chosen, return_inverse=True)[1]))
        frame["label"] = frame["label"].map(dict(enumerate(self.classes)))
        return frame

    def search(self, query: str) -> NDArray[np.int32]:
        """Rows of all examples that a query finds, of any split, ascending; see `analysis.search` for its language.

        Examples
        --------
        >>> dataset.search('good "happy end" -bor*')  # doctest: +SKIP
        """
        return self.context.text_search(self.manifest).rows(query)

    def rows_of(self, ids: Sequence[str | int]) -> NDArray[np.int64]:
        """Rows of the examples of some ids, ascending; NotFoundError names one that is not there."""
        examples = ExampleRows(self.context.files, self.manifest)
        names = list(map(as_name, ids))
        rows = examples.rows_of(names)
        unknown = sorted(set(names) - set(examples.ids(rows).to_pylist()))
        if unknown:
            raise NotFoundError(f"The dataset has no example {unknown[0]!r}.", "Give an id as `rank` prints it.")
        return rows

    def ids_of(self, rows: NDArray[np.integer]) -> list[str]:
        """Ids of the examples of some rows, in their order."""
        chosen = checked_rows(rows, self.rows)
        ids: list[str] = ExampleRows(self.context.files, self.manifest).ids(chosen).to_pylist()
        return ids

    @property
    def ledger(self) -> Ledger:
        """What annotators have decided about its examples."""
        return self.context.ledger(self.manifest)

    def decide(
        self,
        rows: Iterable[int],
        action: str,
        *,
        annotator: Identity | str,
        label: str | Sequence[str] | None = None,
        note: str | None = None,
        run_id: str | None = None,
        seen: dict[str, Any] | None = None,
        expected: int | None = None,
        uid: str | None = None,
    ) -> DecisionEvent:
        """Decide about one example or many, in one event that can be undone; see `Ledger.decide`."""
        self.ledger.guidelines()  # those in force are stored with the decision
        return self.ledger.decide(
            rows,
            action,
            annotator=annotator,
            label=label,
            note=note,
            run_id=run_id,
            seen=seen,
            expected=expected,
            uid=uid,
        )

    def note(
        self, rows: Iterable[int], text: str, *, annotator: Identity | str, uid: str | None = None
    ) -> DecisionEvent:
        """Leave a note on one example or many, which decides nothing; see `Ledger.note`.

        Examples
        --------
        >>> dataset.note([17], "sarcasm: ask the others", annotator="ann")  # doctest: +SKIP
        """
        return self.ledger.note(rows, text, annotator=annotator, uid=uid)

    def notes(self, containing: str = "", limit: int | None = None) -> pd.DataFrame:
        """Notes that were not taken back, newest first, those given with a decision among them.

        Parameters
        ----------
        containing : str
            Only notes that contain this, in any case and with any white space.
        limit : int, optional
            How many at most.

        Returns
        -------
        pandas.DataFrame
            ``at, annotator, note, action, ids``: a row per note, with the ids of all examples that it is about.
        """
        events = self.ledger.notes(containing, limit)
        columns = {
            "at": [event.at for event in events],
            "annotator": [event.annotator for event in events],
            "note": [event.note for event in events],
            "action": [event.action for event in events],
            "ids": [self.ids_of(event.rows) for event in events],
        }
        return pd.DataFrame(columns)

    @property
    def guidelines(self) -> Guidelines | None:
        """How its examples are to be labelled, as a lead has written it; None where nobody has."""
        return self.ledger.guidelines()

    def guideline_versions(self) -> list[Guidelines]:
        """All versions of the guidelines, oldest first; a decision's ``seen["guidelines"]`` is the uid of one."""
        return self.ledger.guideline_versions()

    def set_guidelines(
        self, text: str, *, by: Identity | str | None = None, expected: str | None = "", uid: str | None = None
    ) -> Guidelines:
        """Write a new version of the guidelines, in Markdown; only a lead may. See `Ledger.set_guidelines`.

        Examples
        --------
        >>> dataset.set_guidelines("Irony counts as what is *meant*.", by="lea")  # doctest: +SKIP
        """
        return self.ledger.set_guidelines(text, annotator=by, expected=expected, uid=uid)

    def undo(self, annotator: Identity | str, *, uid: str | None = None) -> DecisionEvent | None:
        """Take back the annotator's latest decision; None where there is none. See `Ledger.undo`."""
        return self.ledger.undo(annotator, uid=uid)

    def queue(self, order: NDArray[np.integer], annotator: Identity | str, *, run_id: str | None = None) -> ReviewQueue:
        """An annotator's way through examples in a given order; see `Review.queue` for suspects."""
        return ReviewQueue(self.ledger, order, annotator, run_id=run_id)

    def progress(self) -> ReviewProgress:
        """How far the review of the training examples is, who does how much of it and at which pace.

        See `ReviewProgress` for the figures, and its `frame` for a table; `Review.progress` takes a filter.

        Examples
        --------
        >>> dataset.progress().frame()  # doctest: +SKIP
        """
        train = read_example_order(self.context.files, self.id).in_split(TRAIN)
        return self.ledger.progress(np.flatnonzero(train))

    def export_decisions(
        self,
        target: str | Path | TextIO,
        *,
        annotator: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        by: Identity | str | None = None,
    ) -> int:
        """Write the ledger as JSON Lines, all of it or an annotator's part or that of a span of time.

        Parameters
        ----------
        target : str, Path or text stream
            A file appears only when all of it is written.
        annotator, since, until
            As for `Ledger.events`.
        by : Identity or str, optional
            Who exports; only a lead may.

        Returns
        -------
        int
            How many events there are in the file.
        """
        who = self.context.allow("lead", "export decisions", by)
        self.context.note("export", who, f"exports the decisions about {self.name!r}", f"dataset:{self.id}")
        ledger = self.ledger
        events = ledger.events(annotator, since, until, rules=annotator is None)[::-1]
        examples = ExampleRows(self.context.files, self.manifest)
        if not isinstance(target, str | Path):
            return write_events(target, events, ledger.records, examples, self.manifest)
        path = self.context.reach.check(own_path(target))
        with Files(path.parent).atomic_writer(str(path)) as raw:
            stream = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
            count = write_events(stream, events, ledger.records, examples, self.manifest)
            stream.flush()
            stream.detach()
        return count

    def import_decisions(self, source: str | Path | TextIO, *, by: Identity | str | None = None) -> ImportCount:
        """Add the events of a file that `export_decisions` wrote; those that are here already stay as they are.

        Raises
        ------
        BadInputError
            A line cannot be used; nothing is added then.
        PermissionDeniedError
            Only a lead may.
        """
        self.context.allow("lead", "import decisions", by)
        records, examples = self.ledger.records, ExampleRows(self.context.files, self.manifest)
        if not isinstance(source, str | Path):
            return read_events(source, records, examples, self.manifest)
        self.context.reach.check(Path(source))
        with explained("read", str(source)), Path(source).open(encoding="utf-8") as stream:
            return read_events(stream, records, examples, self.manifest)

    def conflicts(self) -> pd.DataFrame:
        """Duplicates, exact and near, that have different labels; see `conflicting_labels` for the columns."""
        return conflicting_labels(self.context.queries, self.context.files, self.manifest)

    def set_aside(self) -> pd.DataFrame:
        """Rows that could not be used, in the order of the source.

        Returns
        -------
        DataFrame
            ``line, reason, remedy, raw`` and ``file``, which is None where the source is a single one.
        """
        path = Layout(self.context.files).dataset(self.id).set_aside
        rows = self.context.queries.frame(f"SELECT * FROM {parquet(path)}")
        return rows.assign(file=rows["file"].astype(object).where(rows["file"].notna(), None))
