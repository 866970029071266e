"""Decisions about the examples of a run, and the queue of those to be decided."""

from __future__ import annotations

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.suspects.witnesses import COMBINED, WITNESSES
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.review.agreement import Agreement
from diet_explorer.review.annotators import Identity
from diet_explorer.review.queue import ReviewQueue
from diet_explorer.review.stopping import ReviewYield
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.workspace.audit import Audit
from diet_explorer.workspace.core import RunCore


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

    def yield_(self, last: int = 50) -> ReviewYield:
        """How many of the last examples reviewed in the queue were wrong, overall and per witness."""
        return self._run.dataset.ledger.review_yield(last)
