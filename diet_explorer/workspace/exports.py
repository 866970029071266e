"""One export of a workspace: what was asked for, how far it is, what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

from diet_explorer.errors import BadInputError, JobCancelledError, JobFailedError, NotFoundError
from diet_explorer.jobs.kinds.export import ExportJob, ExportRequest
from diet_explorer.jobs.kinds.push import PushJob, PushProgress
from diet_explorer.jobs.progress import JobProgress, JobState
from diet_explorer.jobs.waiting import wait_while_active
from diet_explorer.pruning.export.card_text import CardProof, card_proof
from diet_explorer.pruning.export.manifest import MANIFEST_NAME, ExportOptions
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.proof import list_proofs


class Export:
    """One export. Made by `PrunePlan`, found by `Workspace`.

    Attributes
    ----------
    id : str
    """

    def __init__(self, context: Context, export_id: str) -> None:
        self._context = context
        self.id = export_id
        self._job = ExportJob(context.settings, context.files, export_id)

    def __repr__(self) -> str:
        return f"Export({self.id!r}, {self.status})"

    @cached_property
    def request(self) -> ExportRequest:
        """What was asked for."""
        return self._job.asked()

    @property
    def is_listed(self) -> bool:
        """Whether it was asked for in full; one that is written without a job is only listed when it is done."""
        return self._job.request() is not None

    def checked(self) -> Export:
        """Itself; NotFoundError where there is no such export."""
        self._job.asked()
        return self

    @property
    def run_id(self) -> str:
        """The run whose scores it rests on."""
        return self.request.run_id

    @property
    def policy(self) -> Policy:
        """What was pruned."""
        return self.request.policy

    @property
    def options(self) -> ExportOptions:
        """How it is written."""
        return self.request.options

    @property
    def folder(self) -> str:
        """Where it lies once it is done."""
        return self.request.folder

    @property
    def created_at(self) -> datetime:
        """When it was asked for."""
        return self.request.asked_at

    @property
    def by(self) -> str:
        """Who asked for it."""
        return self.request.by

    @property
    def status(self) -> JobState:
        """queued, running, succeeded, failed or cancelled."""
        return self.progress().state

    def progress(self) -> JobProgress:
        """How far it is."""
        return self._job.progress()

    @property
    def manifest(self) -> dict[str, Any]:
        """Its `manifest.json`.

        Raises
        ------
        NotFoundError
            It is not done, or its folder was moved.
        """
        path = f"{self.folder}/{MANIFEST_NAME}"
        if not self._context.files.exists(path):
            remedy = "Export again." if self.status == "succeeded" else "Wait until it is done."
            raise NotFoundError(f"The export {self.id} has no manifest in {self.folder}.", remedy)
        found: dict[str, Any] = self._context.files.read_json(path)
        return found

    def wait(self, timeout: float | None = None) -> Export:
        """Block until it ends.

        Raises
        ------
        JobFailedError, JobCancelledError
            Nothing came of it.
        TimeoutError
            It is not done in so many seconds; it goes on.
        """
        progress = wait_while_active(
            self.progress, timeout, lambda found: f"The export {self.id} is still {found.state}"
        )
        if progress.state == "failed":
            raise JobFailedError(progress.error or "The export failed.", progress.remedy or "Export again.")
        if progress.state == "cancelled":
            raise JobCancelledError(f"The export {self.id} was cancelled; nothing is left of it.", "Export again.")
        return self

    def cancel(self, by: Identity | str | None = None) -> Export:
        """Stop it within a second; nothing is left of it.

        Raises
        ------
        BadInputError
            It has ended.
        """
        self._context.allow("lead", "cancel an export", by)
        progress = self.progress()
        if not progress.is_active:
            raise BadInputError(f"The export {self.id} has ended ({progress.label}).", "There is nothing to cancel.")
        self._job.cancel()
        return self

    def push(
        self,
        repo: str,
        *,
        private: bool = True,
        token: str | None = None,
        by: Identity | str | None = None,
        wait: bool = True,
    ) -> PushProgress:
        """Push it to the Hub as a dataset, with what the run's latest finished proof says on its card.

        See `PushJob.start` for the parameters and errors, and `wait_for_push` for those that come later.
        """
        self._context.allow("lead", "push an export", by)
        job = self._push_job()
        job.start(self.folder, repo, private=private, token=token, proof=self._proof_for_card())
        return job.wait() if wait else job.progress()

    def push_progress(self) -> PushProgress:
        """How far its last push is."""
        return self._push_job().progress()

    def wait_for_push(self, follow: Callable[[PushProgress], None] | None = None) -> PushProgress:
        """Wait for the end of its push; see `PushJob.wait`."""
        return self._push_job().wait(follow)

    def cancel_push(self, by: Identity | str | None = None) -> PushProgress:
        """Stop its push within a second."""
        self._context.allow("lead", "cancel a push", by)
        return self._push_job().cancel()

    def _proof_for_card(self) -> CardProof:
        for proof in list_proofs(self._context):
            if proof.run_id == self.run_id and proof.progress().status == "succeeded":
                return card_proof(proof.table())
        return CardProof()

    def _push_job(self) -> PushJob:
        return PushJob(self._context.settings, self._context.files, self.id)
