"""Push an export to the Hub in the background.

Not a job of the durable queue: that would keep its arguments, and a token must be kept nowhere. Whoever asks for a push
starts a process of its own, hands it the token through a pipe, and may go: a page that is drawn anew, or another one,
reads the progress from a file. If the process that asked ends, so does the push, and the dataset on the Hub is as it
was; to push again is to go on, since large files that are there are not sent again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import diet_explorer.errors as errors
from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError, DietExplorerError, HubError, JobCancelledError
from diet_explorer.jobs.push_progress import PushFiles, PushProgress
from diet_explorer.pruning.export.card_text import CardProof
from diet_explorer.pruning.export.hub import check_is_there, check_repo_name, read_manifest
from diet_explorer.pruning.export.writing import is_remote
from diet_explorer.store.files import Files, explained

POLL_SECONDS = 0.2
_NO_PROOF = CardProof()


class PushJob:
    """The push of one export.

    Parameters
    ----------
    settings : Settings
    files : Files
        The workspace's files.
    export_id : str
    """

    def __init__(self, settings: Settings, files: Files, export_id: str) -> None:
        self._settings = settings
        self._root = files.root
        self._export_id = export_id
        self._files = PushFiles(settings, files, export_id)

    def start(
        self,
        folder: str | Path,
        repo: str,
        *,
        private: bool = True,
        token: str | None = None,
        proof: CardProof = _NO_PROOF,
    ) -> PushProgress:
        """Begin to push a finished export; returns at once.

        Parameters
        ----------
        folder : str or Path
            With ``manifest.json`` and the files that it names. In a remote workspace a URL, whose files are fetched
            first.
        repo : str
            ``OWNER/NAME``; made if it is not there.
        private : bool
            Who may see it. A push that is to be private is refused by a dataset that is public.
        token : str, optional
            By default that of the environment (HF_TOKEN) or of the Hub's own login.
        proof : CardProof
            For the card.

        Raises
        ------
        BadInputError
            The name cannot be one, or a push of this export goes on already.
        NotFoundError, HubError
            The folder is no finished export, or was changed.
        """
        check_repo_name(repo)
        place = str(folder)
        if is_remote(place):
            check_is_there(Files(self._root), place)
        else:
            place = str(Path(place.removeprefix("file://")).absolute())
            read_manifest(Path(place))
        busy = BadInputError("This export is being pushed already.", "Wait for its end, or cancel that push.")
        begun = PushProgress("running", repo, private, stage="Starting")
        request = {
            "home": self._root,
            "scratch": self._settings.scratch,
            "export_id": self._export_id,
            "folder": place,
            "repo": repo,
            "private": private,
            "token": token,
            "proof": asdict(proof),
        }
        with self._files.locked(busy) as lock:
            self._files.ask_to_stop(False)
            self._files.save(begun)
            self._spawn(json.dumps(request, default=str), lock)
        return begun

    def progress(self) -> PushProgress:
        """How far the last push is."""
        return self._files.load()

    def cancel(self) -> PushProgress:
        """Stop within a second; a commit that has begun comes to its end. What is up need not be sent again."""
        if self.progress().is_active:
            self._files.ask_to_stop(True)
        return self.progress()

    def wait(self, follow: Callable[[PushProgress], None] | None = None) -> PushProgress:
        """Wait for the end of the push.

        Parameters
        ----------
        follow : callable, optional
            Told the progress a few times a second.

        Raises
        ------
        HubError, BadInputError, NotFoundError
            In plain words why it failed.
        JobCancelledError
            It was cancelled.
        """
        while (found := self.progress()).is_active:
            if follow is not None:
                follow(found)
            time.sleep(POLL_SECONDS)
        if found.state == "failed":
            raise _typed(found)
        if found.state == "cancelled":
            raise JobCancelledError("The push was cancelled; the Hub has what it had before.", "Push again to go on.")
        if found.state == "interrupted":
            raise HubError(
                f"The process that pushed to {found.repo} was ended; the Hub has what it had before.",
                f"Push again to go on: what is up is not sent again. Its log is {self.log_path}.",
            )
        return found

    @property
    def log_path(self) -> Path:
        """Where the process writes what it has to say beside its progress."""
        return self._files.folder / "push.log"

    def _spawn(self, request: str, lock: int) -> None:
        module = ["diet_explorer.jobs.guarded", str(os.getpid()), "diet_explorer.jobs.push_process"]
        with explained("write", str(self.log_path)), self.log_path.open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", *module],
                env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
                start_new_session=True,
            )
        threading.Thread(target=child.wait, daemon=True).start()
        assert child.stdin is not None
        # a process that dies at once reads nothing: its progress is "interrupted" then, and its log says why
        with suppress(BrokenPipeError), child.stdin:
            child.stdin.write(f"{request}\n".encode())


def _typed(found: PushProgress) -> DietExplorerError:
    kind = getattr(errors, found.kind or "", HubError)
    typed: type[DietExplorerError] = kind if issubclass(kind, DietExplorerError) else HubError
    return typed(found.error or "The push failed.", found.remedy or "Push again.")
