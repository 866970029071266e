"""What every object of a workspace works with, and for whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from sqlalchemy import Engine

from diet_explorer.analysis.search.index import TextSearch
from diet_explorer.config import Settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.jobs.queue import JobQueue
from diet_explorer.review.annotators import Identity, Role, allowed
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.audit_log import AuditKind, AuditLog
from diet_explorer.store.belonging import Belonging, belonging, check_not_moved, check_version
from diet_explorer.store.bin import BinRecords
from diet_explorer.store.database import make_tables, shared_database
from diet_explorer.store.files import Files
from diet_explorer.store.private import tighten_workspace
from diet_explorer.store.queries import Queries
from diet_explorer.store.reach import EVERYWHERE, Reach
from diet_explorer.store.runs import RunRecords
from diet_explorer.training.config import BUNDLED
from diet_explorer.training.models import ModelSource, locate_model, recorded_model


@dataclass(frozen=True)
class Context:
    """The parts of an open workspace that its datasets, runs, proofs and exports share.

    Attributes
    ----------
    settings : Settings
    files : Files
    database : sqlalchemy.Engine
    records : RunRecords
    queries : Queries
    jobs : JobQueue
        The queue that worker processes take runs from.
    bin : BinRecords
        What was deleted and is hidden until it is brought back or removed.
    it : Belonging
        Which workspace it is, and where it went.
    identity : Identity or None
        For whom it acts; None is local use, which may do everything.
    reach : Reach
        Which files and addresses may be read and written beside the workspace's own.
    """

    settings: Settings
    files: Files
    database: Engine
    records: RunRecords
    queries: Queries
    jobs: JobQueue
    bin: BinRecords
    it: Belonging
    identity: Identity | None = None
    reach: Reach = EVERYWHERE
    _ledgers: dict[str, Ledger] = field(default_factory=dict, repr=False, compare=False)
    _searches: dict[str, TextSearch] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def opened(cls, settings: Settings, *, being_restored: bool = False) -> Context:
        """Open the workspace that the settings name; it is made where there is none.

        One that is `being_restored` is opened only by whoever restores it.

        Raises
        ------
        WorkspaceError
            It cannot be read or written, a newer version of this program made it, or its files and its database are
            of two workspaces.
        """
        files = Files.of(settings)
        tighten_workspace(settings.home_folder)
        check_version(files, being_restored=being_restored)
        database = shared_database(settings)
        make_tables(database, settings.home)  # it may be open since before somebody else changed them
        it = belonging(files, database, own_database=has_own_database(settings))
        records, bin = RunRecords(database), BinRecords(database)
        return cls(settings, files, database, records, Queries(files), JobQueue(settings), bin, it)

    def acting_as(self, identity: Identity | None) -> Context:
        """The same for somebody: what their role may not do is refused in it and in all it hands out.

        For whoever has not signed in although that is needed, all parts are closed.
        """
        other = replace(self, identity=identity)
        if other.may("viewer"):
            return other
        closed = cast(Any, _Closed(lambda: other.allow("viewer", "use this workspace")))
        return replace(other, files=closed, records=closed, queries=closed, jobs=closed, bin=closed)

    def model(self, name: str) -> ModelSource:
        """A model by the name that a user gave: one that a run of this workspace has already, or one within reach.

        PermissionDeniedError where somebody who is no lead names a new one; ModelError, or a BadInputError where it is
        out of reach.
        """
        if self.reach.is_limited or self.identity is not None:
            if name == BUNDLED or name in {record.config.get("model") for record in self.records.list()}:
                return recorded_model(name)
            self.allow("lead", "choose a model")
        return locate_model(name, self.reach)

    def allow(self, role: Role, what: str, by: Identity | str | None = None) -> Identity:
        """Who does something that takes a role; PermissionDeniedError if they may not. See `allowed`.

        In a workspace that was moved nobody changes anything: WorkspaceError.
        """
        who = allowed(self.identity, by, role, what, self.audit_log)
        if role != "viewer":
            check_not_moved(self.it, self.files)
        return who

    @property
    def id(self) -> str:
        """Which workspace it is; stays the same wherever it lies."""
        return self.it.id

    @property
    def audit_log(self) -> AuditLog:
        """Where it is noted who came in, was refused, took data away or deleted something."""
        return AuditLog(self.database)

    def note(self, kind: AuditKind, who: Identity, what: str, about: str | None = None) -> None:
        """Note in the audit log what somebody is about to do; `about` is ``kind:id`` of the thing."""
        self.audit_log.add(kind, who.name, what, role=who.role, about=about)

    def note_download(self, what: str, about: str) -> None:
        """Note in the audit log that whom it acts for is about to download something; `about` as for `note`."""
        self.note("export", self.allow("viewer", "download data"), f"downloads {what}", about)

    def may(self, role: Role) -> bool:
        """Whether whom it acts for may do what a role may; for what is offered to them."""
        return self.identity is None or self.identity.may(role)

    def ledger(self, manifest: DatasetManifest) -> Ledger:
        """The decisions about a dataset, one ledger per dataset, so that what was replayed is kept."""
        self.allow("viewer", "use this workspace")
        if manifest.id not in self._ledgers:
            self._ledgers.setdefault(manifest.id, Ledger(self.database, manifest))
        return self._ledgers[manifest.id].acting_as(self.identity)

    def text_search(self, manifest: DatasetManifest) -> TextSearch:
        """The search over a dataset's texts, one per dataset, so that its latest results are kept."""
        search = TextSearch(self.files, manifest, self.settings.scratch_folder)
        return self._searches.setdefault(manifest.id, search)


def has_own_database(settings: Settings) -> bool:
    """Whether the explorer database lies among the files, so that no other workspace can have it."""
    return settings.home_is_local and settings.database_url is None


class _Closed:
    """A part of a workspace for whoever has not signed in: anything that is asked of it is refused."""

    def __init__(self, refuse: Callable[[], object]) -> None:
        self._refuse = refuse

    def __getattr__(self, name: str) -> None:
        self._refuse()
