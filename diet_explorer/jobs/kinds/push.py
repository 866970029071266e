"""Pushing an export to the Hub.

Not a job of the durable queue: that would keep its arguments, and a token must be kept nowhere. Whoever asks for a push
starts a process of its own, hands it the token through a pipe, and may go: a page that is drawn anew, or another one,
reads the progress from the database. If the process that asked ends, so does the push, and the dataset on the Hub is as
it was; to push again is to go on, since large files that are there are not sent again.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

import diet_explorer.errors as errors
from diet_explorer.config import Settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import (
    BadInputError,
    ChangedByLoadingError,
    DietExplorerError,
    HubError,
    JobCancelledError,
    JobLeftError,
    StoreAwayError,
)
from diet_explorer.jobs.job import BackgroundJob, JobRequest, JobWords
from diet_explorer.jobs.processes import OwnProcess
from diet_explorer.jobs.progress import JobProgress, JobReporter
from diet_explorer.jobs.pushing import PushHold, hold_push, is_pushed
from diet_explorer.pruning.export.card import TEXT_FORMATS
from diet_explorer.pruning.export.card_text import CardProof
from diet_explorer.pruning.export.folder import check_finished, checked_export, fetch_export, is_remote
from diet_explorer.pruning.export.hub import HubPush, check_repo_name, hub_token
from diet_explorer.pruning.export.loading import check_loading
from diet_explorer.pruning.export.request import ExportRequest
from diet_explorer.pruning.export.writing import write_export
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.files import Files, explained
from diet_explorer.store.locks import ONLOOKER_TRIES
from diet_explorer.store.names import checked_id
from diet_explorer.store.private import make_private_folder

POLL_SECONDS = 0.2
STOP_POLL_SECONDS = 0.25
_ENDING_TRIES = 500  # a push that has written down its end holds the lock for a moment more
_NO_PROOF = CardProof()


@dataclass(frozen=True, kw_only=True)
class PushRequest(JobRequest):
    """What is asked of a push: from which folder to which dataset of the Hub, and what its card is to say."""

    folder: str
    repo: str
    private: bool
    proof: CardProof


@dataclass(frozen=True, kw_only=True)
class PushProgress(JobProgress):
    """How far a push is; interrupted means that its process is gone: pushing again goes on where it was."""

    repo: str = ""  # OWNER/NAME
    private: bool = True  # as asked for; once done, as the dataset is
    bytes_sent: int = 0  # what the Hub has already counts as sent in the end
    bytes_total: int = 0
    url: str | None = None
    commit: str | None = None
    note: str = ""  # in words, what was pushed in place of the files of the export


class PushJob(BackgroundJob[PushRequest, PushProgress]):
    """The push of one export."""

    kind = "push"
    words = JobWords(
        noun="push", verb="pushed", short_of_memory="Push again.", unforeseen="The push's log has the details."
    )
    progress_type = PushProgress

    def __init__(self, settings: Settings, files: Files, database: Engine, export_id: str) -> None:
        super().__init__(settings, files, database, (checked_id("export", export_id),))
        self._export_id = export_id
        self._folder = settings.home_folder / "pushes" / export_id
        self._lock_path = self._folder / "lock"
        self._keeping: threading.Thread | None = None  # the push that this process has begun
        self.log_path = self._folder / "push.log"
        """Gets what the process writes beside its progress."""

    @classmethod
    def read_request(cls, value: dict[str, Any]) -> PushRequest:
        """Rebuild a request from its record."""
        return PushRequest(**{**value, "proof": CardProof(**value["proof"])})

    def start(
        self,
        folder: str | Path,
        repo: str,
        *,
        private: bool = True,
        token: str | None = None,
        proof: CardProof = _NO_PROOF,
    ) -> PushProgress:
        """Begin to push a finished export, and return at once; errors that come later are raised by `wait`.

        A folder of a remote workspace is a URL, whose files are fetched first. The dataset ``OWNER/NAME`` is made if it
        is not there; one that is public refuses a push that is to be private. The token is by default that of the
        environment (HF_TOKEN) or of the Hub's own login. BadInputError where the name cannot be one or a push of this
        export goes on already, NotFoundError or HubError where the folder is no finished export or was changed.
        """
        check_repo_name(repo)
        path = str(folder)
        if is_remote(path):
            check_finished(self.files, path)
        else:
            path = str(Path(path.removeprefix("file://")).absolute())
            checked_export(Path(path))
        hold = self._held()
        shutil.rmtree(self._scratch, ignore_errors=True)  # of a push that was cut off
        try:
            request = PushRequest(
                id=f"push-{uuid.uuid4().hex[:8]}", folder=path, repo=repo, private=private, proof=proof
            )
            begun = PushProgress(job=request.id, state="running", stage="Starting", repo=repo, private=private)
            self.save_request(request)
            self.save(begun)
            process = OwnProcess(self, request.id, self.log_path, secret=token, lease=hold.lease.key)
        except BaseException:
            hold.release()
            raise
        self._keeping = threading.Thread(target=hold.keep, args=(process, self._scratch), daemon=True)
        self._keeping.start()
        return begun

    def progress(self) -> PushProgress:
        """How far the last push is."""
        status = self.status()
        if status.is_active and not self._goes_on():
            status = self.status()  # it may have ended between the two looks
            if status.is_active:
                return replace(status, state="interrupted", seconds_left=None)
        return status

    def wait(self, follow: Callable[[PushProgress], None] | None = None) -> PushProgress:
        """Wait for the end of the push, calling `follow` with the progress; raises what it failed of, typed by kind."""
        while (progress := self.progress()).is_active:
            if follow is not None:
                follow(progress)
            time.sleep(POLL_SECONDS)
        if self._keeping is not None:
            self._keeping.join()
        if progress.state == "failed":
            raise _typed(progress)
        if progress.state == "cancelled":
            raise JobCancelledError("The push was cancelled; the Hub has what it had before.", "Push again to go on.")
        if progress.state == "interrupted":
            raise HubError(
                f"The process that pushed to {progress.repo} was ended; the Hub has what it had before.",
                f"Push again to go on: what is up is not sent again. Its log is {self.log_path}.",
            )
        return progress

    def _goes_on(self) -> bool:
        return self.patiently(lambda: is_pushed(self.database, self._export_id, self._lock_path))

    def _held(self) -> PushHold:
        """The hold on the push, which says on all machines that it goes on."""
        with explained("write", str(self._folder)):
            tries = ONLOOKER_TRIES if self.progress().is_active else _ENDING_TRIES
            seconds = self.settings.lease_seconds
            hold = hold_push(self.database, self._export_id, self._lock_path, seconds, tries)
        if hold is None:
            raise BadInputError("This export is being pushed already.", "Wait for its end, or cancel that push.")
        return hold

    def work(self, report: JobReporter[PushProgress], stop: Callable[[], bool]) -> dict[str, Any]:
        """Push; a commit that has begun comes to its end, also when somebody cancels."""
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        request = self.request()
        assert request is not None
        committing = threading.Lock()
        threading.Thread(target=_end_when_cancelled, args=(stop, report, committing), daemon=True).start()

        size = 0

        def sent(stage: str, count: int, total: int) -> None:
            nonlocal size
            size = total or size  # where it is not said it is the earlier one
            share = count / size if size else 0.0
            report(share, stage, seconds_left=None, bytes_sent=count, bytes_total=size)

        self.secret = hub_token(self.secret)
        folder, note = self._loadable(self._local_export(request, sent), sent)
        pushed = HubPush(
            folder,
            request.repo,
            private=request.private,
            token=self.secret,
            proof=request.proof,
            report=sent,
            committing=_Committing(committing, self.files.before_write),
        ).run()
        return {"url": pushed.url, "commit": pushed.commit, "private": pushed.private, "note": note}

    def _loadable(self, folder: Path, report: Callable[[str, int, int], None]) -> tuple[Path, str]:
        """A folder that loads as it was exported, and a note: the export's own, or the same rows in Parquet."""
        manifest = checked_export(folder)
        report("Checking that it loads as exported", 0, 0)
        try:
            check_loading(folder, manifest, self._made_scratch())
        except ChangedByLoadingError as error:
            if manifest["options"]["format"] not in TEXT_FORMATS:
                raise
            change = error
        else:
            return folder, ""
        report("Writing it in Parquet, which loads as exported", 0, 0)
        copy = self._made_scratch() / "as-parquet"
        self._write_parquet(manifest, copy, change)
        check_loading(copy, checked_export(copy), self._scratch)
        return copy, f"Pushed in Parquet. {change.message}"

    @property
    def _scratch(self) -> Path:
        """The folder for what whoever began the push removes after it, however it ends."""
        return self.settings.scratch_folder / "fetched" / self._export_id

    def _made_scratch(self) -> Path:
        make_private_folder(self._scratch)
        return self._scratch

    def _write_parquet(self, manifest: dict[str, Any], folder: Path, change: ChangedByLoadingError) -> None:
        """The rows of an export in Parquet; the reason why it must be refused where they can be had no more."""
        asked = ExportRequest.from_manifest(manifest)
        options = replace(asked.options, format="parquet", neutralise_formulas=False)
        try:
            ledger = Ledger(self.database, DatasetManifest.load(self.files, asked.dataset_id))
            plan, run = self.patiently(lambda: asked.plan(self.files, ledger)), self.record_of(asked.run_id)
            written = write_export(self.files, run, plan, options, str(folder), self._export_id)
        except StoreAwayError:  # the rows may be had when it is there again
            raise
        except DietExplorerError as error:
            raise change from error
        if written["counts"] != manifest["counts"]:
            raise change

    def _local_export(self, request: PushRequest, report: Callable[[str, int, int], None]) -> Path:
        """The export's folder; of one that lies elsewhere a copy."""
        if not is_remote(request.folder):
            return Path(request.folder)
        report("Fetching", 0, 0)
        return fetch_export(self.files, request.folder, self._made_scratch() / "export")


class _Committing:
    """Holds off the end of the process from the commit on; given back only if the commit was refused.

    Whoever has lost the push meanwhile commits nothing: JobLeftError by `check`.
    """

    def __init__(self, lock: threading.Lock, check: Callable[[], None]) -> None:
        self._lock = lock
        self._check = check

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            self._check()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._lock.release()


def _end_when_cancelled(
    stop: Callable[[], bool], report: JobReporter[PushProgress], committing: threading.Lock
) -> None:
    """End the process when somebody cancels, or has taken the push over.

    At once is safe: until the commit nothing on the Hub is changed.
    """
    with suppress(JobLeftError):
        while not stop():
            time.sleep(STOP_POLL_SECONDS)
    with committing:
        with suppress(JobLeftError):
            report.end("cancelled")
        os._exit(0)


def _typed(progress: PushProgress) -> DietExplorerError:
    kind = getattr(errors, progress.kind or "", HubError)
    typed: type[DietExplorerError] = kind if issubclass(kind, DietExplorerError) else HubError
    return typed(progress.error or "The push failed.", progress.remedy or "Push again.")
