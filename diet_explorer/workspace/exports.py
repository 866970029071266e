"""Exports of a workspace: writes them now or as jobs, finds them again, and knows how far each is."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from diet_explorer.errors import (
    BadInputError,
    DietExplorerError,
    HubTokenError,
    JobCancelledError,
    JobFailedError,
    NotFoundError,
)
from diet_explorer.jobs.kinds.export import ExportJob, ExportJobRequest
from diet_explorer.jobs.kinds.push import PushJob, PushProgress
from diet_explorer.jobs.progress import JobProgress, JobState
from diet_explorer.jobs.waiting import wait_while_active
from diet_explorer.pruning.export.card_text import CardProof, card_proof
from diet_explorer.pruning.export.folder import check_target, zip_export
from diet_explorer.pruning.export.manifest import read_manifest, scores_sha256
from diet_explorer.pruning.export.reading import reading_code
from diet_explorer.pruning.export.request import ExportOptions, ExportRequest
from diet_explorer.pruning.export.writing import Report, write_export
from diet_explorer.pruning.plan import Plan
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity
from diet_explorer.store.jobs import JobRecords
from diet_explorer.store.layout import MANIFEST_NAME, Layout
from diet_explorer.store.runs import RunRecord
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.proof import list_proofs

_OTHER_WORKSPACE = "Open the workspace that the export came from, or a copy of it."


class Export:
    """One export. Made by `RunPlan`, found by `Workspace`.

    Attributes
    ----------
    id : str
    """

    def __init__(self, context: Context, export_id: str) -> None:
        self._context = context
        self.id = export_id
        self._job = ExportJob(context.settings, context.files, context.database, export_id)

    def __repr__(self) -> str:
        return f"Export({self.id!r}, {self.status})"

    @cached_property
    def request(self) -> ExportJobRequest:
        """What was asked for."""
        return self._job.asked()

    @property
    def run_id(self) -> str:
        """The run whose scores it rests on."""
        return self.request.run_id

    @property
    def marks(self) -> list[tuple[str, str]]:
        """What it goes into the bin with: kinds and ids."""
        return [("export", self.id), ("run", self.run_id), ("dataset", self.request.dataset_id)]

    @property
    def name(self) -> str:
        """What people call it; by default what the policy does."""
        return self.request.name or self.policy.title

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
        files, path = self._context.files.at(self.folder), f"{self.folder}/{MANIFEST_NAME}"
        manifest: dict[str, Any] | None = files.find_json(path)
        if manifest is None:
            remedy = "Export again." if self.status == "succeeded" else "Wait until it is done."
            raise NotFoundError(f"The export {self.id} has no manifest in {self.folder}.", remedy)
        return manifest

    @property
    def reading_code(self) -> str:
        """The line of Python that reads its first split as it is; see `manifest` for the others."""
        return reading_code(self.manifest)

    def archive(self) -> bytes:
        """The files of a local export as a ZIP archive, to be taken away; that is noted in the audit log.

        Raises
        ------
        NotFoundError, HubError
            It is not done, or a file of it is missing or was changed.
        """
        self._context.note_download(f"the export {self.name!r}", f"export:{self.id}")
        return zip_export(Path(self.folder), self.id)

    def wait(self, timeout: float | None = None) -> Export:
        """Block until it ends.

        Raises
        ------
        JobFailedError, JobCancelledError
            Nothing came of it.
        TimeoutError
            It is not done in so many seconds; it goes on.
        NoWorkerError
            No worker has been running for a minute.
        """
        progress = wait_while_active(self.progress, timeout, lambda now: f"The export {self.id} is still {now.state}")
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

    def rename(self, name: str) -> None:
        """Call it otherwise; BadInputError while it is written."""
        self._context.allow("lead", "rename exports")
        if self.progress().is_active:
            raise BadInputError(f"The export {self.id} is being written.", "Wait until it is done, or cancel it.")
        self._job.save_request(replace(self.request, name=name))

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

        Whoever came in through the app's sign-in, or as a guest, gives a token of their own; the server's is used for
        their push only where the operator allows it (DIET_EXPLORER_PUSH_WITH_SERVER_TOKEN): HubTokenError.

        See `PushJob.start` for the parameters and errors, and `wait_for_push` for those that come later.
        """
        who = self._context.allow("lead", "push an export", by)
        if who.signed_in and not (token or "").strip() and not self._context.settings.push_with_server_token:
            raise HubTokenError(
                "A push goes out in your own name: it takes your own token of the Hub.",
                "Make one with the right to write at huggingface.co/settings/tokens, and give it with the push.",
            )
        job = self._push_job()
        job.start(self.folder, repo, private=private, token=token, proof=self._proof_for_card())
        self._context.note(
            "push", who, f"pushes to {repo} as {'private' if private else 'public'}", f"export:{self.id}"
        )
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
        return PushJob(self._context.settings, self._context.files, self._context.database, self.id)


class Exports:
    """The exports of a workspace.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(self, run_id: str | None = None, *, deleted: bool = False) -> list[Export]:
        """Exports of all runs, or of one run, newest first; those of whichever state, on demand deleted ones too."""
        names = JobRecords(self._context.database).requested(ExportJob.kind)
        chosen = [
            export for export in (Export(self._context, name) for name in names) if run_id in (None, export.run_id)
        ]
        marks = set() if deleted else self._context.bin.keys()
        chosen = [export for export in chosen if marks.isdisjoint(export.marks)]
        return sorted(chosen, key=lambda export: export.created_at, reverse=True)

    def get(self, export_id: str) -> Export:
        """An export by its id; NotFoundError where there is none, DeletedError where it is in the bin."""
        export = Export(self._context, export_id)
        self._context.bin.check(*export.marks)
        return export

    def write(
        self,
        run: RunRecord,
        plan: Plan,
        options: ExportOptions,
        folder: str | Path | None = None,
        *,
        by: Identity | str | None = None,
        progress: Report | None = None,
        expected: dict[str, Any] | None = None,
    ) -> Export:
        """Write a plan now; it is listed when it is there.

        Parameters
        ----------
        run : RunRecord
            The run that was planned with.
        plan : Plan
        options : ExportOptions
        folder : str or Path, optional
            A new or empty folder; by default one of the workspace.
        by : Identity or str, optional
            Who exports.
        progress : callable, optional
            Called with the share done in [0, 1] and a word on what is happening.
        expected : dict, optional
            A manifest: the new one must be the same.

        Raises
        ------
        BadInputError
            The folder is not empty.
        WorkspaceError
            The folder cannot be written; nothing is left there.
        JobFailedError
            What came out is not what was expected.
        """
        files = self._context.files
        request = self._request(ExportRequest.of(run.id, plan, options), folder, by)
        report = progress or (lambda share, words: None)
        write_export(files, run, plan, options, request.folder, request.id, report=report, expected=expected)
        job = self._job(request.id)
        job.end(request.id, "succeeded")
        job.save_request(request)
        return Export(self._context, request.id)

    def submit(
        self,
        run: RunRecord,
        plan: Plan,
        options: ExportOptions,
        folder: str | Path | None = None,
        *,
        by: Identity | str | None = None,
    ) -> Export:
        """Queue the writing of a plan; returns at once. Parameters as for `write`.

        Raises
        ------
        BadInputError
            The folder is not empty.
        WorkspaceError
            The jobs database cannot be reached or written.
        """
        request = self._request(ExportRequest.of(run.id, plan, options), folder, by)
        job = self._job(request.id)
        job.save_request(request)
        try:
            self._context.jobs.submit(ExportJob.route, request.id, request.id)
        except DietExplorerError as error:
            job.end(request.id, "failed", error)
            raise
        return Export(self._context, request.id)

    def write_again(
        self, manifest: str | Path, folder: str | Path | None = None, *, by: Identity | str | None = None
    ) -> Export:
        """Write an export again from its manifest, with the same bytes; see `Workspace.export_again`."""
        self._context.allow("lead", "write an export", by)
        for path in (Path(manifest), Path(manifest) / MANIFEST_NAME):
            self._context.reach.check(path, str(manifest))
        expected = read_manifest(manifest)
        request, scores = ExportRequest.from_manifest(expected), expected["scores"]
        dataset = Dataset.load(self._context, request.dataset_id)
        if dataset.manifest.content_hash != expected["dataset"]["content_hash"]:
            raise BadInputError(f"The dataset {dataset.id} has other content than the manifest says.", _OTHER_WORKSPACE)
        run = self._context.records.get(request.run_id)
        if request.checkpoint is not None:
            ranking = ScoreFiles(self._context.files, run.id).read_ranking(request.policy.run_seed, request.checkpoint)
            absent = not set(scores["names"]) <= set(ranking.names)
            if absent or scores_sha256(ranking, scores["names"]) != scores["sha256"]:
                raise BadInputError(f"The run {run.id} has other scores than the manifest says.", _OTHER_WORKSPACE)
        plan = request.plan(self._context.files, dataset.ledger)
        return self.write(run, plan, request.options, folder, by=by, expected=expected)

    def _job(self, export_id: str) -> ExportJob:
        return ExportJob(self._context.settings, self._context.files, self._context.database, export_id)

    def _request(self, what: ExportRequest, folder: str | Path | None, by: Identity | str | None) -> ExportJobRequest:
        """What is asked of a new export; says now if its folder cannot be used, or if who asks may not."""
        who, files = self._context.allow("lead", "write an export", by), self._context.files
        now = self._context.records.now()
        export_id = f"export-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
        if folder is None:
            target = Layout(files).export(export_id).data
        else:
            target = str(folder) if "://" in str(folder) else str(Path(folder).absolute())
            self._context.reach.check_target(target)
        check_target(files, target)
        where = "the workspace" if folder is None else target
        self._context.note("export", who, f"exports the run {what.run_id} to {where}", f"export:{export_id}")
        return ExportJobRequest(**vars(what), id=export_id, folder=target, by=who.name, created_at=now.isoformat())
