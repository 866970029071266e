"""Suspects of a run, further trainings that question labels, the noise check."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Generic, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.suspects.calibration import ERRORS, SUGGESTIONS, ExpectedErrors, expected
from diet_explorer.analysis.suspects.evidence import (
    GROUP,
    REPRESENTATIONS,
    Evidence,
    read_columns,
    read_evidence,
)
from diet_explorer.analysis.suspects.noise import NoiseMode, flipped_labels, noise_report
from diet_explorer.analysis.suspects.suspicions import suspicions
from diet_explorer.analysis.suspects.table import (
    KINDS,
    Suspect,
    checked_witness,
    doubts_of,
    reasons_of,
    suspect_of,
    suspect_table,
)
from diet_explorer.analysis.suspects.witnesses import COMBINED, WITNESSES, Witness
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.splits import TRAIN
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.store.arrow import read_arrow, write_arrow
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.rows import RunRows
from diet_explorer.store.runs import ACTIVE, Origin
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.folds import assign_folds
from diet_explorer.workspace.core import AnyRun

FORM = "2"  # of the stored tables of suspects; a change makes them anew
MAX_FOLDS = 50


class Audit(Generic[AnyRun]):
    """Labels of a run that may be wrong."""

    def __init__(self, run: AnyRun) -> None:
        self._run = run

    def suspects(
        self,
        by: str = COMBINED,
        where: ExampleFilter | None = None,
        checkpoint: float | None = None,
        limit: int | None = 100,
        offset: int = 0,
    ) -> pd.DataFrame:
        """Training examples whose labels deserve a look, the most suspicious first.

        Parameters
        ----------
        by : str
            A witness of `WITNESSES`; by default all models together.
        where : ExampleFilter, optional
            By default every training example.
        checkpoint : float, optional
            Where single scores are read at; by default `default_checkpoint`.
        limit : int, optional
            None gives all.
        offset : int

        Returns
        -------
        pandas.DataFrame
            ``place`` (by the witness, 1 is the most suspicious), ``row, id, text, [text_pair,] label, suspicion``
            (in [0, 1], of all models together), ``suggested`` (class or None), ``suggested_share`` (mean probability of
            the best other class), ``kind`` (of `KINDS`), ``reasons`` (list of str).

        Raises
        ------
        NotFoundError
            There is no such witness, it has nothing to go by yet, or no checkpoint after the start has landed.
        """
        table = self._suspects(checkpoint)
        order = self._order(table, by, where, checkpoint)
        places = order[offset : None if limit is None else offset + limit]
        chosen = table.take(pa.array(places))
        texts = ExampleRows(self._run.context.files, self._run.dataset.manifest).of(chosen["row"].to_numpy())
        classes = self._run.dataset.classes
        records = chosen.to_pylist()
        frame: pd.DataFrame = texts.to_pandas()
        frame.insert(0, "row", chosen["row"].to_numpy())
        frame.insert(0, "place", chosen[f"place_{by}"].to_numpy())
        frame["label"] = [classes[record["label"]] for record in records]
        frame["suspicion"] = chosen[COMBINED].to_numpy()
        suggested = [None if record["suggested"] < 0 else classes[record["suggested"]] for record in records]
        frame["suggested"] = pd.Series(suggested, dtype=object)  # keeps None
        frame["suggested_share"] = chosen["suggested_share"].to_numpy()
        frame["kind"] = [KINDS[record["kind"]] for record in records]
        frame["reasons"] = [[reason.words for reason in reasons_of(record, len(table), classes)] for record in records]
        return frame

    def order(
        self, by: str = COMBINED, checkpoint: float | None = None, where: ExampleFilter | None = None
    ) -> NDArray[np.int32]:
        """Rows of the training examples, all or those that a filter keeps, the most suspicious first."""
        table = self._suspects(checkpoint)
        rows: NDArray[np.int32] = table["row"].to_numpy()[self._order(table, by, where, checkpoint)]
        return rows

    def suggestions(self, where: ExampleFilter | None = None, checkpoint: float | None = None) -> pd.Series:
        """Classes that the models believe in more than in the given ones, by row, ascending.

        Parameters
        ----------
        where : ExampleFilter, optional
            By default every training example; those without a suggestion are left out.
        checkpoint : float, optional
            In epochs; by default `default_checkpoint`.
        """
        table = self._suspects(checkpoint)
        places = np.sort(self._order(table, COMBINED, where, checkpoint))
        rows, codes = (table[name].to_numpy()[places] for name in ("row", "suggested"))
        classes = np.array(self._run.dataset.classes, dtype=object)
        there = codes >= 0
        return pd.Series(classes[codes[there]], index=rows[there], name="suggested", dtype=object)

    def suspect(self, row: int, checkpoint: float | None = None) -> Suspect:
        """One training example as the witnesses see it."""
        return suspect_of(self._suspects(checkpoint), row, self._run.dataset.classes)

    def expected_errors(
        self,
        first: int = 100,
        by: str = COMBINED,
        where: ExampleFilter | None = None,
        checkpoint: float | None = None,
    ) -> ExpectedErrors:
        """How many of the first suspects are wrong, decided ones among them, and how many suggested labels are right.

        An estimate from how far independent evidence doubts each label, corrected by what annotators decided about
        single examples so far; decisions about many at once do not count. See `suspects.calibration.expected` for the
        formula and what it assumes.

        Parameters
        ----------
        first : int
            How many suspects it is about; all where there are fewer.
        by : str
            The witness that orders them.
        where : ExampleFilter, optional
            By default every training example.
        checkpoint : float, optional
            In epochs; by default `default_checkpoint`.

        Returns
        -------
        ExpectedErrors

        Raises
        ------
        BadInputError
            `first` is below 1.
        NotFoundError
            As for `suspects`.
        """
        if first < 1:
            raise BadInputError(f"{first:,} suspects were asked about.", "Give 1 or more.")
        table = self._suspects(checkpoint)
        listed = np.zeros(len(table), dtype=bool)
        listed[self._order(table, by, where, checkpoint)[:first]] = True
        wrong, right = self._outcomes(table)
        doubt, suggested = doubts_of(table), table["suggested"].to_numpy() >= 0
        return ExpectedErrors(
            expected(doubt, wrong, listed, ERRORS),
            expected(doubt, np.where(suggested, right, np.nan), listed & suggested, SUGGESTIONS),
        )

    def witnesses(self, checkpoint: float | None = None) -> list[Witness]:
        """All witnesses, and whether they have something to go by yet."""
        names = self._suspects(checkpoint).column_names
        return [replace(entry, available=f"place_{entry.name}" in names) for entry in WITNESSES]

    def evidence(self, checkpoint: float | None = None) -> Evidence:
        """What the models say of every training example at a checkpoint, by default `default_checkpoint`."""
        point = self._run.checkpoint_or_default(checkpoint)
        return read_evidence(self._run.context.files, self._run.dataset.manifest, self._run.store, point, self._folds())

    def folds(self, folds: int = 4, repeats: int = 1) -> AnyRun:
        """Queue trainings that each leave a part of the training split out, so that every example is also judged by
        models that never saw it; returns at once.

        Parameters
        ----------
        folds : int
            Parts, 2 to 50; near-duplicates stay in one part, classes are shared out evenly.
        repeats : int
            How often, with other parts each time.

        Returns
        -------
        Run
            A run of `folds` × `repeats` seeds with progress, cancel and resume of its own.

        Raises
        ------
        BadInputError
            A number is out of its range, the training split is too small, such a training is under way, or the run was
            imported.
        """
        self._run.context.allow("lead", "start jobs")
        self._check_repeatable()
        if not 2 <= folds <= MAX_FOLDS or not 1 <= repeats <= MAX_FOLDS:
            raise BadInputError(
                f"{folds} folds and {repeats} repeats were asked for.",
                f"Give 2 to {MAX_FOLDS} folds and repeats from 1.",
            )
        rows, labels, groups = self._training_rows()
        if len(rows) < 2 * folds:
            raise BadInputError(
                f"{len(rows):,} training examples are too few for {folds} folds.", "Give fewer folds, or a larger set."
            )
        self._check_idle("folds")
        config = replace(
            self._run.config,
            seeds=folds * repeats,
            checkpoints=tuple(float(epoch) for epoch in range(1, self._run.config.epochs + 1)),
            grand="off",
            own_rows=True,
            ranked=False,
            diet=1.0,
        ).validated()
        run = self._run.create(config, name=f"{folds} folds of {self._run.name}", origin="folds")
        lists = RunRows(self._run.context.files, run.id)
        lists.write_scored(rows)
        for repeat in range(repeats):
            parts = assign_folds(labels, groups, folds, repeat)
            for fold in range(folds):
                kept = parts != fold
                lists.write_training(config.first_seed + repeat * folds + fold, rows[kept], labels[kept])
        run.submit()
        return run

    def fold_run(self) -> AnyRun | None:
        """The latest k-fold training, whatever its state; None where there is none."""
        return next(iter(self._run.children("folds")), None)

    def noise_check(self, share: float = 0.1, mode: NoiseMode = "uniform", seed: int = 0) -> AnyRun:
        """Queue a training on a copy of the set with a known share of labels made wrong; returns at once.

        When it is done, `noise_report` tells how well each witness found them. The dataset stays as it is.

        Parameters
        ----------
        share : float
            In (0, ½].
        mode : {"uniform", "class-conditional"}
            See `label_noise.flipped_labels`.
        seed : int
            Of the draw.

        Raises
        ------
        BadInputError
            A parameter is out of its range, such a check is under way, or the run was imported.
        """
        self._run.context.allow("lead", "start jobs")
        self._check_repeatable()
        if mode not in get_args(NoiseMode):
            raise BadInputError(f"There is no noise {mode!r}.", f"Choose one of: {', '.join(get_args(NoiseMode))}.")
        self._check_idle("noise")
        evidence = self.evidence()
        flipped = flipped_labels(evidence.labels, share, mode, seed, evidence.seen.probabilities)
        config = replace(self._run.config, seeds=1, grand="head", own_rows=True).validated()
        name = f"{share:.0%} {mode} noise on {self._run.name}".replace("%", " %")
        run = self._run.create(config, name=name, origin="noise")
        RunRows(self._run.context.files, run.id).write_training(config.first_seed, evidence.rows, flipped)
        run.submit()
        return run

    def noise_report(self) -> pd.DataFrame:
        """How well each witness found the wrong labels of the latest noise check; see `label_noise.noise_report`.

        Raises
        ------
        NotFoundError
            There is no such check, or it has no scores yet.
        """
        check = next(iter(self._run.children("noise")), None)
        if check is None:
            raise NotFoundError(
                "No noise check was started.",
                "Start one on the Audit page under Evidence, or with: diet-explorer noise-check",
            )
        evidence = Audit(check).evidence()
        truth = read_columns(self._run.context.files, self._run.dataset.manifest, ["label"])["label"].to_numpy()
        return noise_report(evidence.labels != truth[evidence.rows], suspicions(evidence))

    def _suspects(self, checkpoint: float | None) -> pa.Table:
        """The table of `suspect_table`, made once for what has landed."""
        point = self._run.checkpoint_or_default(checkpoint)
        folds = self._folds()
        found = [FORM, point, self._run.store.stamp(), "" if folds is None else f"{folds.run_id} {folds.stamp()}"]
        embeddings = EmbeddingFiles(self._run.context.files, self._run.id)
        found += [embeddings.has_neighbours(which) for which in REPRESENTATIONS]
        key = hashlib.sha256(repr(found).encode()).hexdigest()[:16]
        path = self._run.store.paths.suspects(key)
        if not self._run.context.files.exists(path):
            table = suspect_table(self.evidence(checkpoint))
            write_arrow(self._run.context.files, path, table.schema, table.combine_chunks().to_batches())
        return pa.Table.from_batches(read_arrow(self._run.context.files, path))

    def _outcomes(self, table: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Whether annotators, looking at the example alone, found the label wrong and the suggested one right: 1, 0, or
        NaN where that is not known, for each line of the table of suspects."""
        ledger, rows = self._run.dataset.ledger, table["row"].to_numpy()
        with ledger.replay() as replay:
            held = ledger.table()
            alone = replay.looked_at(held["row"].to_numpy())
        held = held.filter(pa.array(alone & np.isin(held["row"].to_numpy(), rows)))
        at = np.searchsorted(rows, held["row"].to_numpy())
        state = held["state"].to_numpy(zero_copy_only=False)
        wrong, right = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        wrong[at] = np.select([state == "keep", np.isin(state, ("relabel", "exclude"))], [0.0, 1.0], np.nan)
        suggested = np.array([*self._run.dataset.classes, None], dtype=object)[table["suggested"].to_numpy()[at]]
        same = held["label"].to_numpy(zero_copy_only=False) == suggested
        right[at] = np.select([state == "keep", state == "relabel"], [0.0, same.astype(np.float64)], np.nan)
        return wrong, right

    def _folds(self) -> ScoreFiles | None:
        """Scores of the latest k-fold training whose every fold has landed; None where there is none."""
        for run in self._run.children("folds"):
            if run.status == "succeeded":
                return run.store
        return None

    def _order(
        self, table: pa.Table, by: str, where: ExampleFilter | None, checkpoint: float | None
    ) -> NDArray[np.int64]:
        """Places in the table, the most suspicious first."""
        ranks = table[checked_witness(table, by)].to_numpy()  # each once, so that nothing has to be sorted
        order = np.empty(len(ranks), dtype=np.int64)
        order[ranks - 1] = np.arange(len(ranks))
        if where is None:
            return order
        kept = np.zeros(self._run.dataset.rows, dtype=bool)
        kept[self._run.ranking(checkpoint).rows(where)] = True
        return np.asarray(order[kept[table["row"].to_numpy()][order]])

    def _training_rows(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
        """Rows, labels and groups of near-duplicates (−1 alone) of what the run is trained on."""
        table = read_columns(self._run.context.files, self._run.dataset.manifest, ["row", "label", "split", GROUP])
        rows = table["row"].to_numpy()[table["split"].to_numpy() == TRAIN]
        held_out = RunRows(self._run.context.files, self._run.id).read_held_out()
        if held_out is not None:
            rows = np.setdiff1d(rows, held_out)
        groups = np.full(len(table), -1)
        if GROUP in table.column_names:
            groups = table[GROUP].fill_null(-1).to_numpy()
        return rows, table["label"].to_numpy()[rows], groups[rows]

    def _check_repeatable(self) -> None:
        if self._run.is_imported:
            raise BadInputError(
                f"The run {self._run.id} was imported: how its model was trained is not known here.",
                "Score the dataset with diet-explorer score, and start this with that run.",
            )

    def _check_idle(self, origin: Origin) -> None:
        for run in self._run.children(origin):
            if run.status in ACTIVE:
                raise BadInputError(
                    f"{run.name} is under way already ({run.id}, {run.status}).", "Wait for it, or cancel it."
                )
