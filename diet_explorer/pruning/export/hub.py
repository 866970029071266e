"""Push an export to the Hub as one revision of a dataset.

Large files go up first and one by one; what is there already is not sent again. Then one commit puts them, the small
files and the card in place at once, and takes away what an earlier push put there. Until that commit the dataset on
the Hub stays as it was, so a push may be cut off at any moment.

Meant for a process of its own (`jobs.kinds.push`): it sets the HTTP client that `huggingface_hub` uses everywhere.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diet_explorer.errors import BadInputError, HubNameClashError, HubTokenError
from diet_explorer.pruning.export.card import CARD_NAME, has_configs, merged_card
from diet_explorer.pruning.export.card_text import CardProof
from diet_explorer.pruning.export.folder import checked_export
from diet_explorer.pruning.export.hub_errors import LOG_IN, RateLimited, in_plain_words
from diet_explorer.redaction import hide
from diet_explorer.store.layout import MANIFEST_NAME
from diet_explorer.store.network import chain, status_of

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DatasetInfo, HfApi

PROGRAM = "diet-explorer"
DATA_ENDINGS = (".parquet", ".csv", ".tsv", ".jsonl", ".json", ".arrow", ".txt", ".zip", ".gz", ".zst")
LONGEST_WAIT = 900.0
MOST_WAITS = 20
MOST_COLLISIONS = 3
DEFAULT_WAIT = 30.0
ANSWER_SECONDS, CONNECT_SECONDS = 120.0, 15.0

_NAME = re.compile(r"(?=.{3,96}$)[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?/[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?", re.ASCII)
Report = Callable[[str, int, int], None]
"""Called with what is happening in words, and how many bytes of how many are up."""


@dataclass(frozen=True)
class Pushed:
    """What came of a push.

    Attributes
    ----------
    url : str
        Address of the dataset.
    commit : str
        The revision that holds the export.
    private : bool
        Whether only its owner can see it.
    """

    url: str
    commit: str
    private: bool


def check_repo_name(repo: str) -> None:
    """Refuse what cannot name a dataset on the Hub.

    Raises
    ------
    BadInputError
    """
    if _NAME.fullmatch(repo) is None or "--" in repo or ".." in repo or repo.endswith(".git"):
        raise BadInputError(
            f"{repo[:120]!r} cannot name a dataset on the Hub.",
            "Write OWNER/NAME in letters, digits, '-', '_' and '.', such as ann/reviews-pruned (at most 96).",
        )


def hub_token(given: str | None) -> str:
    """The token given, else that of the environment or of the Hub's own login.

    Raises
    ------
    HubTokenError
        There is none, or it holds characters that no token has.
    """
    from huggingface_hub import get_token

    token = (given or get_token() or "").strip()
    if not token:
        raise HubTokenError("There is no token for the Hub.", LOG_IN)
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise HubTokenError("What was given as a token for the Hub is none.", LOG_IN)
    hide(token)
    return token


class HubPush:
    """One push.

    Parameters
    ----------
    folder : Path
        A finished export: data files and ``manifest.json``.
    repo : str
        ``OWNER/NAME``.
    private : bool
        Who may see the dataset, if it is not there yet. A push that was to be private is refused by a public dataset.
    token : str
        Held in memory only.
    proof : CardProof
        For the card; may be empty.
    report : callable
        See `Report`.
    committing : context manager
        Entered for the commit, which must not be cut off.
    """

    def __init__(
        self,
        folder: Path,
        repo: str,
        *,
        private: bool,
        token: str,
        proof: CardProof,
        report: Report,
        committing: AbstractContextManager[Any],
    ) -> None:
        self._folder = folder
        self._repo = repo
        self._private = private
        self._token = token
        self._proof = proof
        self._report = report
        self._committing = committing
        self._up = 0

    def run(self) -> Pushed:
        """Push, waiting whenever the Hub asks for it.

        Raises
        ------
        HubError, BadInputError, NotFoundError
            In plain words why not; the dataset on the Hub is then as it was.
        """
        check_repo_name(self._repo)
        manifest = checked_export(self._folder)
        api = _client(self._token)
        waits = collisions = 0
        while True:
            try:
                return self._attempt(api, manifest)
            except Exception as error:
                limited = next((link for link in chain(error) if isinstance(link, RateLimited)), None)
                collided = status_of(error) == 412 and collisions < MOST_COLLISIONS
                if collided:
                    collisions += 1
                elif limited is not None and limited.seconds <= LONGEST_WAIT and waits < MOST_WAITS:
                    waits += 1
                    self._wait(limited.seconds)
                else:
                    raise in_plain_words(error, self._repo, self._token) from error

    def _attempt(self, api: HfApi, manifest: dict[str, Any]) -> Pushed:
        from huggingface_hub import CommitOperationAdd

        total = sum(entry["bytes"] for entry in manifest["files"])
        self._up = 0
        repository = self._repository(api, total)
        head = str(repository.sha)
        there = {entry.rfilename for entry in repository.siblings or []}
        card = self._download(api, CARD_NAME, head).decode() if CARD_NAME in there else None
        own = self._own_files(api, head) if MANIFEST_NAME in there else set()
        self._check_clash(manifest, there, own, card)
        text = merged_card(card, manifest, self._repo, self._proof)
        files = self._additions(manifest, total)
        api.preupload_lfs_files(self._repo, files, repo_type="dataset", free_memory=False)
        with self._committing:
            self._report("Putting the new revision in place", total, total)
            commit = api.create_commit(
                self._repo,
                [*files, CommitOperationAdd(CARD_NAME, text.encode()), *self._deletions(manifest, there & own)],
                repo_type="dataset",
                commit_message=f"Pruned with {PROGRAM}: {manifest['policy_words']}"[:200],
                parent_commit=head,
            )
        address = f"{api.endpoint}/datasets/{self._repo}"
        return Pushed(address, str(commit.oid), bool(repository.private))

    def _repository(self, api: HfApi, total: int) -> DatasetInfo:
        """The dataset on the Hub, made if it is not there; refused where it is public and was to be private."""
        from huggingface_hub.errors import RepositoryNotFoundError

        self._report("Connecting to the Hub", 0, total)
        api.whoami()
        try:
            repository = api.dataset_info(self._repo)
        except RepositoryNotFoundError:
            self._report("Creating the dataset on the Hub", 0, total)
            api.create_repo(self._repo, repo_type="dataset", private=self._private)
            repository = api.dataset_info(self._repo)
        if self._private and not repository.private:
            raise HubNameClashError(
                f"The dataset {self._repo} is public on the Hub, and this push was to be private.",
                "Push to another name, make that dataset private in its settings, or push as public.",
            )
        return repository

    def _own_files(self, api: HfApi, head: str) -> set[str]:
        """Files that an earlier push put there, by the manifest beside them."""
        try:
            earlier = json.loads(self._download(api, MANIFEST_NAME, head))
            if earlier["program"]["name"] != PROGRAM:
                return set()
            return {MANIFEST_NAME, *(str(entry["path"]) for entry in earlier["files"])}
        except (ValueError, KeyError, TypeError):  # a manifest of somebody else's
            return set()

    def _check_clash(self, manifest: dict[str, Any], there: set[str], own: set[str], card: str | None) -> None:
        foreign = there - own
        same = sorted(foreign & {MANIFEST_NAME, *(entry["path"] for entry in manifest["files"])})
        data = sorted(path for path in foreign if path.endswith(DATA_ENDINGS))
        if same or (data and not has_configs(card, self._repo)):
            names = ", ".join((same or data)[:5])
            raise HubNameClashError(
                f"The dataset {self._repo} on the Hub has files that no push of {PROGRAM} put there: {names}.",
                "Push to another name, or remove these files there first.",
            )
        endings = {Path(entry["path"]).suffix for entry in manifest["files"] if entry["split"] is not None}
        other = [path for path in data if Path(path).suffix not in endings]
        if other:
            raise HubNameClashError(
                f"The dataset {self._repo} on the Hub has data of another format: {', '.join(other[:5])}.",
                "Export in that format (a dataset is loaded in one format), or push to another name.",
            )

    def _additions(self, manifest: dict[str, Any], total: int) -> list[CommitOperationAdd]:
        """All files of the export; what the client library reads of them is reported, once it begins to send."""
        from huggingface_hub import CommitOperationAdd

        def sent(count: int) -> None:
            self._up = min(self._up + count, total)
            self._report("Uploading", self._up, total)

        paths = [*(entry["path"] for entry in manifest["files"]), MANIFEST_NAME]
        additions = []
        for number, path in enumerate(paths):
            self._report(f"Checking file {number + 1} of {len(paths)}", 0, total)
            stream = _CountedFile(self._folder / path)
            additions.append(CommitOperationAdd(path, stream))
            stream.on_read = sent
        return additions

    def _deletions(self, manifest: dict[str, Any], earlier: set[str]) -> list[CommitOperationDelete]:
        from huggingface_hub import CommitOperationDelete

        kept = {MANIFEST_NAME, *(entry["path"] for entry in manifest["files"])}
        return [CommitOperationDelete(path, is_folder=False) for path in sorted(earlier - kept)]

    def _download(self, api: HfApi, name: str, revision: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="diet-explorer-") as folder:
            path = api.hf_hub_download(self._repo, name, repo_type="dataset", revision=revision, local_dir=folder)
            return Path(path).read_bytes()

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._report(f"The Hub asks to wait: going on in {left:.0f} s", self._up, 0)
            time.sleep(min(left, 0.5))


class _CountedFile(io.BufferedReader):
    """A file that reports how much of it is read, which shows how much of it has gone up."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.on_read: Callable[[int], None] | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.on_read is not None:
            self.on_read(len(data))
        return data


def _client(token: str) -> HfApi:
    """The Hub's client, with time limits, and leaving it to us to wait when the Hub asks for it."""
    from huggingface_hub import HfApi, get_session, set_client_factory

    usual = get_session()
    session, timeout, hooks = type(usual), type(usual.timeout), usual.event_hooks["request"]

    def limited(response: Any) -> None:
        if response.status_code == 429:
            raise RateLimited(_seconds_to_wait(response.headers))

    set_client_factory(
        lambda: session(
            event_hooks={"request": hooks, "response": [limited]},
            follow_redirects=True,
            timeout=timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )
    )
    return HfApi(token=token, library_name=PROGRAM)


def _seconds_to_wait(headers: Mapping[str, str]) -> float:
    """What a 429 asks for: ``Retry-After`` in seconds or as a date, or the Hub's ``RateLimit`` header."""
    from email.utils import parsedate_to_datetime

    asked = headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return float(asked)
    reset = re.search(r"\bt\s*=\s*(\d+)", headers.get("RateLimit", ""))
    if reset is not None:
        return float(reset[1])
    try:
        return max(parsedate_to_datetime(asked).timestamp() - time.time(), 1.0)
    except ValueError:
        return DEFAULT_WAIT
