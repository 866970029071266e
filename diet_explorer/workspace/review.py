"""The part of a run that is about its review: the queue of examples that people decide about."""

from __future__ import annotations

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.suspects.witnesses import COMBINED, WITNESSES
from diet_explorer.errors import NotFoundError
from diet_explorer.review.annotators import Identity
from diet_explorer.review.queue import ReviewQueue
from diet_explorer.store.decisions import DecisionEvent
from diet_explorer.workspace.core import RunBase


class ReviewedRun(RunBase):
    """What `Run` knows of the review of its examples."""

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

        `suggestions` tells beforehand which those are; `Dataset.undo` takes all of them back.

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
        point = self.default_checkpoint() if checkpoint is None else float(checkpoint)
        suggestions = self.suggestions(where, point)
        seen = {"filter": where.to_query(), "checkpoint": point, "seed": None, "suggestions": "accepted"}
        before = self.dataset.ledger.sent_by_filter(uid, "relabel", annotator=annotator, seen=seen)
        if before is not None:
            return before
        if suggestions.empty:
            raise NotFoundError("None of these examples has a suggested label.", "Choose others, or relabel by hand.")
        return self.dataset.decide(
            suggestions.index.to_numpy(),
            "relabel",
            label=suggestions.tolist(),
            annotator=annotator,
            note=note,
            run_id=self.id,
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
            order = self.suspect_order(by, checkpoint, where)
        else:
            order = self.ranking(checkpoint, seed).ordered(by, where or ExampleFilter())
        return self.dataset.queue(order, annotator, run_id=self.id)
