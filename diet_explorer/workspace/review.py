"""Decisions about the examples of a run, the queue of those to be decided, and review in other labelling tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, TextIO

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.suspects.witnesses import COMBINED, WITNESSES
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.review.agreement import Agreement
from diet_explorer.review.annotators import Identity
from diet_explorer.review.elsewhere.report import TakenBack
from diet_explorer.review.elsewhere.tools import tool as tool_of
from diet_explorer.review.progress import ReviewProgress
from diet_explorer.review.queue import ReviewQueue
from diet_explorer.review.stopping import ReviewYield
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.store.files import explained
from diet_explorer.workspace.audit import Audit
from diet_explorer.workspace.core import RunCore
from diet_explorer.workspace.elsewhere import Sent, described, take_answers, work_of, write_work


class Review:
    """Decisions about the examples of a run."""

    def __init__(self, run: RunCore) -> None:
        self._run = run

    def decide(
        self,
        where: ExampleFilter,
        action: str,
        *,
        annotator: Identity | str,
        label: str | None = None,
        note: str | None = None,
        checkpoint: float | None = None,
        seed: int | None = None,
        uid: str | None = None,
    ) -> DecisionEvent:
        """Decide about every example that a filter keeps, in one event that can be undone.

        Parameters
        ----------
        where : ExampleFilter
        action, annotator, label, note, uid
            As for `Ledger.decide`.
        checkpoint, seed
            The ranking that the filter's score ranges are about.
        """
        if not isinstance(where, ExampleFilter):
            raise BadInputError(
                f"A {type(where).__name__} is no ExampleFilter.",
                "Give ExampleFilter(ids=…), or decide about rows with run.dataset.decide(rows, …).",
            )
        point = self._run.checkpoint_or_default(checkpoint, seed)
        ledger, rows = self._run.dataset.ledger, self._run.ranking(point, seed).rows(where)
        seen = {"filter": where.to_query(), "checkpoint": point, "seed": seed}
        before = ledger.sent_by_filter(uid, action, annotator=annotator, seen=seen, label=label)
        ledger.guidelines()  # those in force are stored with the decision
        return before or ledger.decide(
            rows, action, annotator=annotator, label=label, note=note, run_id=self._run.id, seen=seen, uid=uid
        )

    def accept_suggestions(
        self,
        where: ExampleFilter,
        *,
        annotator: Identity | str,
        note: str | None = None,
        checkpoint: float | None = None,
        uid: str | None = None,
    ) -> DecisionEvent:
        """Relabel every example that a filter keeps and that has a suggestion, each to its own, in one event.

        `Audit.suggestions` tells beforehand which those are; `Dataset.undo` takes all of them back.

        Parameters
        ----------
        where : ExampleFilter
        annotator, note, uid
            As for `Ledger.decide`.
        checkpoint : float, optional
            In epochs; by default `default_checkpoint`.

        Raises
        ------
        NotFoundError
            None of them has a suggestion.
        """
        point = self._run.checkpoint_or_default(checkpoint)
        suggestions = Audit(self._run).suggestions(where, point)
        seen = {"filter": where.to_query(), "checkpoint": point, "seed": None, "suggestions": "accepted"}
        before = self._run.dataset.ledger.sent_by_filter(uid, "relabel", annotator=annotator, seen=seen)
        if before is not None:
            return before
        if suggestions.empty:
            raise NotFoundError("None of these examples has a suggested label.", "Choose others, or relabel by hand.")
        return self._run.dataset.decide(
            suggestions.index.to_numpy(),
            "relabel",
            label=suggestions.tolist(),
            annotator=annotator,
            note=note,
            run_id=self._run.id,
            seen=seen,
            uid=uid,
        )

    def queue(
        self,
        annotator: Identity | str,
        by: str = COMBINED,
        *,
        where: ExampleFilter | None = None,
        checkpoint: float | None = None,
        seed: int | None = None,
    ) -> ReviewQueue:
        """What an annotator is to review, the most suspicious first.

        Parameters
        ----------
        annotator : Identity or str
        by : str
            A witness, or a score of the catalogue.
        where : ExampleFilter, optional
            By default every training example.
        checkpoint : float, optional
            In epochs; by default `default_checkpoint`.
        seed : int, optional
            For a score: of one seed; by default the mean over seeds, which witnesses always take.

        Raises
        ------
        PermissionDeniedError
            The annotator is a viewer.
        NotFoundError
            There is no such witness or score, or it has nothing to go by yet.
        """
        if seed is None and any(witness.name == by for witness in WITNESSES):
            order = Audit(self._run).order(by, checkpoint, where)
        else:
            order = self._run.ranking(checkpoint, seed).ordered(by, where or ExampleFilter())
        return self._run.dataset.queue(order, annotator, run_id=self._run.id)

    def undo(self, annotator: Identity | str, *, uid: str | None = None) -> DecisionEvent | None:
        """Take back the annotator's latest decision; None where there is none. See `Ledger.undo`."""
        return self._run.dataset.undo(annotator, uid=uid)

    def agreement(self, samples: int = 1000, seed: int = 0) -> Agreement:
        """How far annotators agree where several have decided; see `review.agreement.agreement`."""
        return self._run.dataset.ledger.agreement(samples, seed)

    def progress(
        self, where: ExampleFilter | None = None, checkpoint: float | None = None, *, seed: int | None = None
    ) -> ReviewProgress:
        """How far the review of what a filter keeps is, who does how much of it and at which pace.

        Parameters
        ----------
        where : ExampleFilter, optional
            By default every training example, as of the queue.
        checkpoint, seed
            The ranking that the filter's score ranges are about.

        Returns
        -------
        ReviewProgress
            `frame` gives a row per person.
        """
        rows = self._run.ranking(checkpoint, seed).rows(where or ExampleFilter())
        return self._run.dataset.ledger.progress(rows)

    def yield_(self, last: int = 50) -> ReviewYield:
        """How many of the last examples reviewed in the queue were wrong, overall and per witness."""
        return self._run.dataset.ledger.review_yield(last)

    def send_to(
        self,
        tool: str,
        target: str | Path | TextIO,
        *,
        where: ExampleFilter | None = None,
        limit: int | None = None,
        order: str = COMBINED,
        checkpoint: float | None = None,
        blind: bool | None = None,
        by: Identity | str | None = None,
    ) -> Sent:
        """Write the suspects as work for a labelling tool: text, given label, suggestion, suspicion, place and reason.

        Parameters
        ----------
        tool : {"label-studio", "argilla", "doccano", "prodigy", "csv"}
        target : str, Path or text stream
            Beside a file, another one that tells the tool the classes is written, where it takes one.
        where : ExampleFilter, optional
            By default every training example.
        limit : int, optional
            How many, the most suspicious first; by default all.
        order : str
            A witness of `Audit.witnesses`.
        checkpoint : float, optional
            In epochs; by default `default_checkpoint`.
        blind : bool, optional
            Whether what the models think is left out; by default where the dataset is reviewed blindly.
        by : Identity or str, optional
            Who sends it; only a lead may.

        Returns
        -------
        Sent

        Raises
        ------
        NotFoundError
            There is no such tool or witness, or the filter keeps no suspect.
        PermissionDeniedError
            Who sends it is no lead.

        Examples
        --------
        >>> run.review.send_to("label-studio", "tasks.json", limit=200)  # doctest: +SKIP
        """
        chosen, dataset = tool_of(tool), self._run.dataset
        who = self._run.context.allow("lead", "send examples to other tools", by)
        hidden = dataset.ledger.rules().blind if blind is None else blind
        work = work_of(self._run, order, where, checkpoint, limit, blind=hidden)
        what = f"writes {len(work.tasks):,} examples of {dataset.name!r} for {chosen.title}"
        sent = write_work(self._run, chosen, work, target)
        self._run.context.note("export", who, what, f"run:{self._run.id}")
        return sent

    def setup_for(self, tool: str) -> str | None:
        """What a labelling tool has to be told about the classes, as `send_to` writes it; None for tools without it."""
        setup = tool_of(tool).setup
        return None if setup is None else setup.text_of(described(self._run, []))

    def take_back(
        self,
        source: str | Path | BinaryIO,
        *,
        tool: str | None = None,
        annotator: str | None = None,
        names: Mapping[str, str] | None = None,
        by: Identity | str | None = None,
    ) -> TakenBack:
        """Take what was labelled elsewhere as decisions, each under its annotator's name and at the time that it has.

        Nothing is overwritten, and what was taken before is not taken again. A class that the example has already is
        "keep", another one "relabel". What is no decision is told with its row.

        Parameters
        ----------
        source : str, Path or binary stream
            The tool's export: of Label Studio JSON or JSON_MIN, of Argilla `to_json` or `to_datasets` as JSON, of
            doccano JSONL or the ZIP file of it, of Prodigy what ``db-out`` writes, or the edited CSV file.
        tool : str, optional
            By default the file is looked at.
        annotator : str, optional
            Who labelled where the file does not say it; by default who takes it back.
        names : mapping of str to str, optional
            What annotators are called here whom the tool knows by a number.
        by : Identity or str, optional
            Who takes it back; only a lead may.

        Returns
        -------
        TakenBack

        Raises
        ------
        BadInputError
            The file cannot be read; nothing is added then.
        PermissionDeniedError
            Who takes it back is no lead.
        """
        who = self._run.context.allow("lead", "import decisions", by)
        if isinstance(source, str | Path):
            self._run.context.reach.check(Path(source))
            with explained("read", str(source)):
                content = Path(source).read_bytes()
        else:
            content = source.read()
        return take_answers(self._run, content, tool, annotator or who.name, names)
