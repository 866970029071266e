"""The bin of a workspace: what somebody deleted, until it is brought back or its files are removed."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.review.annotators import Identity
from diet_explorer.store.bin import BinEntry, Key
from diet_explorer.store.files import local_size
from diet_explorer.store.locks import is_locked
from diet_explorer.workspace.bin.kinds import KINDS, Kind, PolicyKind, Work, family_of
from diet_explorer.workspace.bin.leftover import Leftover
from diet_explorer.workspace.bin.leftovers import Leftovers
from diet_explorer.workspace.bin.names import checked_name, entry_called
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.exports import Export
from diet_explorer.workspace.proof import Proof, list_proofs
from diet_explorer.workspace.run import Run

BIN = "bin"
"""The kind of leftovers that lie in the bin."""
_NAMED = 3
"""How many jobs a message names."""


@dataclass(frozen=True)
class Deletion:
    """What a deletion would do.

    Attributes
    ----------
    kind, id, name : str
    size : int
        Bytes that are freed when the bin is emptied of it.
    parts : list of tuple of str
        Kinds and ids of what goes with it.
    counts : list of str
        The same in words, such as "3 runs".
    stays : list of str
        Sentences on what stays.
    work : list of str
        Jobs that go on and have to be cancelled first, in words.
    """

    kind: str
    id: str
    name: str
    size: int
    parts: list[Key]
    counts: list[str]
    stays: list[str]
    work: list[str]


Deletable = Dataset | Run | Proof | Export | BinEntry | str


class Bin:
    """Renames, deletes and brings back; one machinery for all kinds of things. Made by `Workspace`.

    Parameters
    ----------
    context : Context
    find : callable
        Gives the kind and the id of what is named in one of the ways of `delete`.
    """

    def __init__(self, context: Context, find: Callable[[Deletable], Key]) -> None:
        self._context = context
        self._find = find
        self._kinds: dict[str, Kind] = {kind.name: kind(context) for kind in KINDS}

    def key(self, what: Deletable) -> Key:
        """Kind and id of something that is there; see `delete` for the ways to name it, and for the errors."""
        return self._find(what)

    def plan(self, what: Deletable) -> Deletion:
        """What `delete` would do, without doing it: what goes along, what stays, how many bytes, which jobs go on."""
        kind, id = self._find(what)
        name, family = self._kinds[kind].title(id), self._family(kind, id)
        return Deletion(
            kind,
            id,
            name,
            size=self._size(family),
            parts=family[1:],
            counts=self._counts(family[1:]),
            stays=list(dict.fromkeys(words for part, key in family for words in self._kinds[part].stays(key))),
            work=list(dict.fromkeys(work.words for work in self._work(family))),
        )

    def delete(self, what: Deletable, *, cancel: bool = False, by: Identity | str | None = None) -> BinEntry:
        """Put something into the bin, with what depends on it; it can be brought back for ``DIET_EXPLORER_BIN_DAYS``.

        Nothing shows or uses it from then on, and its files are removed when its time in the bin is over, or by
        `empty`. Decisions stay in the ledger, and so do exports in folders outside of the workspace.

        Parameters
        ----------
        what : Dataset, Run, Proof, Export or str
            Or a text: ``dataset:NAME``, ``run:NAME``, ``proof:ID``, ``export:ID``, ``map:RUN/tuned``,
            ``policy:RUN/NAME``; without the kind where only one thing is called so.
        cancel : bool
            Cancel jobs that work on it first; without that they are a reason to refuse.
        by : Identity or str, optional
            Who deletes.

        Returns
        -------
        BinEntry

        Raises
        ------
        NotFoundError, DeletedError
            There is none, or somebody has deleted it already.
        BadInputError
            Jobs work on it.
        PermissionDeniedError
            Only a lead may.
        """
        kind, id = self._find(what)
        chosen = self._kinds[kind]
        who = self._context.allow("lead", f"delete {chosen.plural}", by)
        name, family = chosen.title(id), self._family(kind, id)
        work = self._work(family)
        if work and not cancel:
            raise BadInputError(
                f"The {chosen.noun} {name!r} is in use: {_listed([entry.words for entry in work])}.",
                "Cancel that first, or have it cancelled: --cancel (in Python: cancel=True).",
            )
        for entry in work:
            entry.stop()
        if kind != PolicyKind.name:  # a saved policy notes it itself
            self._context.note("deletion", who, f"deletes the {chosen.noun} {name!r}", f"{kind}:{id}")
        self._keep_for_others(family)
        marked = BinEntry(kind, id, name, who.name, self._context.records.now(), self._size(family))
        chosen.mark(marked)
        for entry in self._work(self._family(kind, id, marked=True)):  # what was started meanwhile
            entry.stop()
        self.empty(expired=True)
        return self._context.bin.get(kind, id) or marked

    def rename(self, what: Deletable, name: str, *, by: Identity | str | None = None) -> str:
        """Call something otherwise; its id stays, and so do links to it.

        Parameters
        ----------
        what : Dataset, Run, Proof, Export or str
            As for `delete`.
        name : str
            Up to 200 characters; blanks are tidied.
        by : Identity or str, optional
            Who renames.

        Returns
        -------
        str
            The name as it is kept.

        Raises
        ------
        BadInputError
            The name cannot be one, or another thing of the kind has it, be it in other case.
        PermissionDeniedError
            Only a lead may.
        """
        kind, id = self._find(what)
        chosen = self._kinds[kind]
        self._context.allow("lead", f"rename {chosen.plural}", by)
        chosen.title(id)
        tidy = checked_name(name, id, chosen.titles(id))
        chosen.rename(id, tidy)
        return tidy

    def restore(self, what: BinEntry | str, *, by: Identity | str | None = None) -> BinEntry:
        """Bring something back, with all that went along.

        Parameters
        ----------
        what : BinEntry or str
            As `entries` lists it, or a text as for `delete`.
        by : Identity or str, optional
            Who brings it back.

        Raises
        ------
        NotFoundError
            It is not in the bin, or is being removed for good.
        BadInputError
            What it belongs to is in the bin too, or its name is taken by now.
        PermissionDeniedError
            Only a lead may.
        """
        entry = what if isinstance(what, BinEntry) else entry_called(what, self.entries())
        chosen = self._kinds[entry.kind]
        who = self._context.allow("lead", f"bring {chosen.plural} back", by)
        self._check_owner(entry)
        self._context.note("restore", who, f"brings the {chosen.noun} {entry.name!r} back", f"{entry.kind}:{entry.id}")
        back = None if entry.removing else chosen.bring_back(entry)
        if back is None:
            raise NotFoundError(
                f"The {chosen.noun} {entry.name!r} is not in the bin any more.",
                "It was brought back already, or is removed for good.",
            )
        return back

    def entries(self) -> list[BinEntry]:
        """What is in the bin, newest first."""
        return self._context.bin.list()

    def empty(
        self,
        entries: Sequence[BinEntry] | None = None,
        *,
        expired: bool = False,
        by: Identity | str | None = None,
    ) -> list[BinEntry]:
        """Remove the files of what is in the bin for good.

        Parameters
        ----------
        entries : sequence of BinEntry, optional
            By default all of it.
        expired : bool
            Only that whose time is over.
        by : Identity or str, optional
            Who empties it.

        Returns
        -------
        list of BinEntry
            What is gone; what somebody still writes into is left for the next time.

        Raises
        ------
        PermissionDeniedError
            Only a lead may.
        """
        who = self._context.allow("lead", "empty the bin", by)
        chosen = self.entries() if entries is None else list(entries)
        if expired:
            chosen = [entry for entry in chosen if self.is_expired(entry)]
        return [entry for entry in chosen if self._remove(entry, who)]

    def size(self, what: Deletable) -> int:
        """Bytes on disk of something and all that belongs to it."""
        return self._size(self._family(*self._find(what)))

    def leftovers(self, *, checkpoints: bool = False) -> list[Leftover]:
        """What nobody needs: files of ended or cut-off jobs, old uploads, things without a record, the bin's expired.

        Parameters
        ----------
        checkpoints : bool
            Training checkpoints of runs that were cancelled or failed count too; these can then be resumed only from
            their start.
        """
        expired = [entry for entry in self.entries() if self.is_expired(entry)]
        return [
            *(Leftover(BIN, f"{entry.kind}:{entry.id}", entry.size, "whose time is over") for entry in expired),
            *Leftovers(self._context, checkpoints=checkpoints).find(),
        ]

    def cautions(self) -> list[str]:
        """Sentences on what looks like a leftover and is left alone."""
        return Leftovers(self._context).cautions()

    def clean(self, *, checkpoints: bool = False, by: Identity | str | None = None) -> list[Leftover]:
        """Remove `leftovers`, and give those that are gone; what somebody uses is never one.

        Raises
        ------
        PermissionDeniedError
            Only a lead may.
        """
        who = self._context.allow("lead", "clean up", by)
        remover, gone = Leftovers(self._context, checkpoints=checkpoints), []
        for leftover in self.leftovers(checkpoints=checkpoints):
            if leftover.kind == BIN:
                entry = self._context.bin.get(*kind_and_id(leftover.path))
                if entry is not None and self._remove(entry, who):
                    gone.append(leftover)
            elif remover.remove(leftover):
                self._context.note("deletion", who, f"removes the leftover {leftover.path}")
                gone.append(leftover)
        return gone

    def noun(self, kind: str) -> str:
        """A kind in sentences."""
        return self._kinds[kind].noun

    def is_expired(self, entry: BinEntry) -> bool:
        """Whether its time in the bin is over."""
        return entry.removing or self.ends(entry) <= self._context.records.now()

    def ends(self, entry: BinEntry) -> datetime:
        """When its files are removed."""
        return entry.at + timedelta(days=self._context.settings.bin_days)

    def age(self, entry: BinEntry) -> timedelta:
        """How long ago it was deleted, by the database's clock."""
        return self._context.records.now() - entry.at

    def _size(self, family: Sequence[Key]) -> int:
        return sum(map(self._context.files.size, self._paths(family))) + sum(map(local_size, self._local(family)))

    def _family(self, kind: str, id: str, *, marked: bool = False) -> list[Key]:
        """A thing and all that goes with it, without what is in the bin for itself; with `marked` it may be."""
        return family_of(self._kinds, (kind, id), self._context.bin.keys() - ({(kind, id)} if marked else set()))

    def _work(self, family: Sequence[Key]) -> list[Work]:
        return [work for kind, id in family for work in self._kinds[kind].work(id)]

    def _counts(self, parts: Sequence[Key]) -> list[str]:
        """Such as "3 runs"; a further training is no run in people's eyes."""
        kinds = Counter(kind for kind, _ in parts)
        records = [self._context.records.get(id, deleted=True) for kind, id in parts if kind == "run"]
        trainings = sum(record.parent_id is not None for record in records)
        kinds["run"] -= trainings
        nouns = [(kind.noun, kind.plural, kinds[kind.name]) for kind in KINDS]
        nouns.insert(2, ("further training", "further trainings", trainings))
        return [f"{count:,} {noun if count == 1 else plural}" for noun, plural, count in nouns if count > 0]

    def _keep_for_others(self, family: Sequence[Key]) -> None:
        """Let proofs that stay keep the trainings that they share with what goes."""
        runs = {id for kind, id in family if kind == "run"}
        gone = {id for kind, id in family if kind == "proof"}
        for proof in list_proofs(self._context):
            shared = {training.run_id for training in proof.trainings} & runs
            if not shared or proof.run_id in runs or proof.id in gone:
                continue
            proof.results()  # notes those that are not noted yet
            for run_id in shared:
                if self._context.records.get(run_id, deleted=True).origin == "proof":
                    self._context.records.set_parent(run_id, proof.run_id)

    def _check_owner(self, entry: BinEntry) -> None:
        for owner in self._context.bin.list():
            if owner.key != entry.key and entry.key in family_of(self._kinds, owner.key):
                noun = self._kinds[owner.kind].noun
                raise BadInputError(
                    f"The {noun} {owner.name!r}, which it belongs to, is in the bin too.",
                    f"Bring that back first: diet-explorer restore {owner.kind}:{owner.id}",
                )

    def _remove(self, entry: BinEntry, who: Identity) -> bool:
        family = family_of(self._kinds, entry.key)
        if any(is_locked(path / "lock") for path in self._local(family)):
            return False
        if not self._context.bin.begin_removal(*entry.key):
            return False
        why = "whose time is over" if self.is_expired(entry) else "now"
        noun = self._kinds[entry.kind].noun
        self._context.note("deletion", who, f"removes the {noun} {entry.name!r} for good, {why}", ":".join(entry.key))
        if entry.content is None:
            files = self._context.files
            for path in self._paths(family):
                files.remove(path)
            for local in self._local(family):
                shutil.rmtree(local, ignore_errors=True)
            for kind, id in reversed(family):
                self._kinds[kind].forget(id)
        self._context.bin.forget(family)
        return True

    def _paths(self, family: Sequence[Key]) -> list[str]:
        """Paths of some things, without those that lie in others of them."""
        paths = {path for kind, id in family for path in self._kinds[kind].paths(id)}
        return sorted(path for path in paths if not any(path.startswith(f"{other}/") for other in paths))

    def _local(self, family: Sequence[Key]) -> list[Path]:
        return [path for kind, id in family for path in self._kinds[kind].local_paths(id)]


def kind_and_id(text: str) -> Key:
    """The two parts of ``kind:id``."""
    kind, _, id = text.partition(":")
    return kind, id


def _listed(entries: list[str]) -> str:
    more = len(entries) - _NAMED
    return ", ".join(entries[:_NAMED]) + (f" and {more} more" if more > 0 else "")
