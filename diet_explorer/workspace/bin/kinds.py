"""The table of kinds of things that can be renamed and deleted: what depends on each, what works on it, its files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, get_args

from sqlalchemy import delete

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.jobs.kinds.export import ExportJob
from diet_explorer.jobs.kinds.map import MapJob
from diet_explorer.jobs.kinds.push import PushJob
from diet_explorer.pruning.shelf import PolicyShelf, SavedPolicy
from diet_explorer.store.bin import BinEntry, Key, checked_key
from diet_explorer.store.database import transaction
from diet_explorer.store.embeddings import Representation
from diet_explorer.store.layout import Layout
from diet_explorer.store.names import NAME_LENGTH
from diet_explorer.store.runs import RunRecord
from diet_explorer.store.tables import ClaimRow
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.core import RunCore
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.exports import Export, Exports
from diet_explorer.workspace.proof import list_proofs, load_proof
from diet_explorer.workspace.run import Run


@dataclass(frozen=True)
class Work:
    """A job that goes on: what it is, in words, what stops it, and whether it still goes on."""

    words: str
    cancel: Callable[[], object]
    goes_on: Callable[[], bool]

    def stop(self) -> None:
        """Stop it; a BadInputError says why that cannot be done from here."""
        try:
            self.cancel()
        except BadInputError:
            if self.goes_on():
                raise


class Kind(ABC):
    """One kind of thing; all of its things are named by ids."""

    name: ClassVar[str]  # as on the command line and in the bin
    noun: ClassVar[str]  # as in sentences
    plural: ClassVar[str]

    def __init__(self, context: Context) -> None:
        self.context = context
        self.layout = Layout(context.files)

    @abstractmethod
    def title(self, id: str) -> str:
        """What people call it; NotFoundError where there is none."""

    @abstractmethod
    def titles(self, id: str) -> dict[str, str]:
        """Ids and names of those beside which its name must be told apart, itself among them."""

    @abstractmethod
    def rename(self, id: str, name: str) -> None:
        """Call it otherwise."""

    def parts(self, id: str) -> list[Key]:
        """What goes when it goes, whether that is in the bin already or not."""
        return []

    def work(self, id: str) -> list[Work]:
        """Jobs that work on it now."""
        return []

    def stays(self, id: str) -> list[str]:
        """Sentences on what stays when it goes."""
        return []

    def paths(self, id: str) -> list[str]:
        """Files and folders of the workspace that are its own."""
        return []

    def local_paths(self, id: str) -> list[Path]:
        """Files and folders of this machine that are its own."""
        return []

    def mark(self, entry: BinEntry) -> None:
        """Put it into the bin."""
        self.context.bin.add(entry)

    def bring_back(self, entry: BinEntry) -> BinEntry | None:
        """Take it out of the bin; None where it is not there any more."""
        return self.context.bin.take_out(entry.kind, entry.id)

    def forget(self, id: str) -> None:
        """Remove its records, when its files are gone."""
        return


class DatasetKind(Kind):
    """Datasets."""

    name, noun, plural = "dataset", "dataset", "datasets"

    def title(self, id: str) -> str:
        """The name in its manifest."""
        return Dataset.load(self.context, id).name

    def titles(self, id: str) -> dict[str, str]:
        """All datasets."""
        deleted, manifests = self.context.bin.keys(), DatasetManifest.all(self.context.files)
        return {entry.id: entry.name for entry in manifests if ("dataset", entry.id) not in deleted}

    def rename(self, id: str, name: str) -> None:
        """Write its manifest anew, and let names of runs that begin with its own follow."""
        manifest = DatasetManifest.load(self.context.files, id)
        path = self.layout.dataset(id).manifest
        self.context.files.write_json(path, replace(manifest, name=name).to_json())
        before = f"{manifest.name} · "
        for record in self.context.records.list(id, deleted=True):
            if record.name.startswith(before):
                self.context.records.rename(record.id, f"{name} · {record.name.removeprefix(before)}"[:NAME_LENGTH])

    def parts(self, id: str) -> list[Key]:
        """Its runs."""
        runs = self.context.records.list(id, deleted=True)
        return [("run", record.id) for record in runs if record.parent_id is None]

    def stays(self, id: str) -> list[str]:
        """Decisions stay in the ledger."""
        count = Dataset.load(self.context, id).ledger.position()
        if not count:
            return []
        return [
            "The decisions about its examples stay in the ledger: they are there again when it is brought back, and "
            "when the same file is imported again under the same name."
        ]

    def paths(self, id: str) -> list[str]:
        """Its folder, and what was measured on it."""
        files = self.context.files
        measured = [name for name in files.list(files.path("measurements")) if name.startswith(f"{id}-")]
        return [self.layout.dataset(id).folder, *(files.path("measurements", name) for name in measured)]

    def local_paths(self, id: str) -> list[Path]:
        """The index of its texts, where that is not in its folder."""
        return [self.context.settings.scratch_folder / "search" / id]

    def forget(self, id: str) -> None:
        """Forget who has which of its examples before them; decisions stay."""
        with transaction(self.context.database) as session:
            session.execute(delete(ClaimRow).where(ClaimRow.dataset_id == id))


class RunKind(Kind):
    """Runs, and further trainings for runs."""

    name, noun, plural = "run", "run", "runs"

    def title(self, id: str) -> str:
        """The name in its record."""
        return self.context.records.get(id).name

    def titles(self, id: str) -> dict[str, str]:
        """All runs, or all further trainings of its parent."""
        parent = self.context.records.get(id).parent_id
        return {entry.id: entry.name for entry in self.context.records.list() if entry.parent_id == parent}

    def rename(self, id: str, name: str) -> None:
        """Change its record, and the file that says what it is."""
        self.context.records.rename(id, name)
        files, path = self.context.files, self.layout.run(id).config
        if files.exists(path):
            files.write_json(path, {**files.read_json(path), "name": name})

    def parts(self, id: str) -> list[Key]:
        """Its further trainings, proofs, exports, maps and saved policies."""
        context, files = self.context, self.context.files
        states = {which: map_job(context, id, which).progress() for which in get_args(Representation)}
        maps = [which for which, state in states.items() if state.is_active or state.drawn is not None]
        return [
            *(("run", record.id) for record in context.records.list(parent_id=id, deleted=True)),
            *(("proof", proof.id) for proof in list_proofs(context, deleted=True) if proof.run_id == id),
            *(("export", export.id) for export in Exports(context).list(id, deleted=True)),
            *(("map", f"{id}/{which}") for which in maps),
            *(("policy", f"{id}/{saved.name}") for saved in PolicyShelf(files, id).list()),
        ]

    def work(self, id: str) -> list[Work]:
        """Its training."""
        records = self.context.records
        record = records.get(id, deleted=True)
        if not record.is_active:
            return []
        what = "run" if record.parent_id is None else "training"
        run = RunCore(self.context, id, record)
        words = f"the {what} “{record.name}” is {record.status}"
        return [Work(words, run.cancel, lambda: records.get(id, deleted=True).is_active)]

    def paths(self, id: str) -> list[str]:
        """Its folder."""
        return [self.layout.run(id).folder]

    def local_paths(self, id: str) -> list[Path]:
        """What its training and its maps left on this machine."""
        scratch = self.context.settings.scratch_folder
        trained = self.context.settings.training_folder / id
        return [
            *sorted({trained, scratch / id}),
            *(scratch / f"map-{id}-{which}" for which in get_args(Representation)),
        ]

    def forget(self, id: str) -> None:
        """Remove its record, and let trainings of proofs that it was be done anew where their result is not known."""
        files, layout = self.context.files, self.layout
        for name in files.list(files.path("proofs", "trainings")):
            path = files.path("proofs", "trainings", name)
            training = files.read_json(path)
            if training["run_id"] == id and training["figures"] is None:
                files.remove_file(layout.proof_training(name.removesuffix(".json")))
        for which in get_args(Representation):
            map_job(self.context, id, which).forget()
        self.context.records.remove([id])


class ProofKind(Kind):
    """Proofs."""

    name, noun, plural = "proof", "proof", "proofs"

    def title(self, id: str) -> str:
        """The name that a person gave it, or its run and time."""
        return load_proof(self.context, id).name

    def titles(self, id: str) -> dict[str, str]:
        """All proofs."""
        return {proof.id: proof.name for proof in list_proofs(self.context)}

    def rename(self, id: str, name: str) -> None:
        """Write its file anew."""
        files, path = self.context.files, self.layout.proof(id)
        files.write_json(path, {**files.read_json(path), "name": name})

    def parts(self, id: str) -> list[Key]:
        """Its trainings, but those that another proof shares."""
        proofs = list_proofs(self.context, deleted=True)
        others = {training.run_id for proof in proofs if proof.id != id for training in proof.trainings}
        own = {training.run_id for proof in proofs if proof.id == id for training in proof.trainings} - others
        records: list[RunRecord] = []
        for run_id in sorted(own):
            with suppress(NotFoundError):
                records.append(self.context.records.get(run_id, deleted=True))
        return [("run", record.id) for record in records if record.origin == "proof"]

    def paths(self, id: str) -> list[str]:
        """Its file."""
        return [self.layout.proof(id)]


class ExportKind(Kind):
    """Exports."""

    name, noun, plural = "export", "export", "exports"

    def title(self, id: str) -> str:
        """The name that a person gave it, or what its policy does."""
        return Exports(self.context).get(id).name

    def titles(self, id: str) -> dict[str, str]:
        """Exports that have a name of their own."""
        named = [export for export in Exports(self.context).list() if export.request.name or export.id == id]
        return {export.id: export.name for export in named}

    def rename(self, id: str, name: str) -> None:
        """Write what was asked for anew."""
        Exports(self.context).get(id).rename(name)

    def work(self, id: str) -> list[Work]:
        """Its writing, and its push."""
        export = Export(self.context, id)
        work = []
        if export.progress().is_active:
            words = f"the export {id} is being written"
            work.append(Work(words, export.cancel, lambda: export.progress().is_active))
        if export.push_progress().is_active:
            words = f"the export {id} is being pushed"
            work.append(Work(words, export.cancel_push, lambda: export.push_progress().is_active))
        return work

    def stays(self, id: str) -> list[str]:
        """A folder outside of the workspace is its owner's."""
        folder = Export(self.context, id).folder
        inside = folder.startswith(f"{self.layout.export(id).folder}/")
        return (
            []
            if inside or not self.context.files.at(folder).exists(folder)
            else [f"The exported files in {folder} stay."]
        )

    def paths(self, id: str) -> list[str]:
        """Its files where no other folder was named."""
        return [self.layout.export(id).folder]

    def local_paths(self, id: str) -> list[Path]:
        """What its writing and its push left on this machine."""
        settings = self.context.settings
        scratch = settings.scratch_folder
        return [scratch / f"export-{id}", scratch / "fetched" / id, settings.home_folder / "pushes" / id]

    def forget(self, id: str) -> None:
        """Forget what was asked for, and how it and its push went."""
        context = self.context
        for kind in (ExportJob, PushJob):
            kind(context.settings, context.files, context.database, id).forget()


class MapKind(Kind):
    """Embedding maps: ``RUN/tuned`` and ``RUN/initial``."""

    name, noun, plural = "map", "embedding map", "embedding maps"

    def title(self, id: str) -> str:
        """Which map of which run."""
        run_id, which = _map(id)
        run = Run(self.context, run_id)
        self.context.bin.check(("map", id))
        if run.maps.progress(which).drawn is None and not run.maps.progress(which).is_active:
            raise NotFoundError(f"The run {run.id} has no {which} map.", f"Draw it with: diet-explorer map {run.id}")
        return f"{which} map of {run.name}"

    def titles(self, id: str) -> dict[str, str]:
        """It has no name of its own."""
        return {}

    def rename(self, id: str, name: str) -> None:
        """It has no name of its own."""
        raise BadInputError("A map has no name of its own.", "Rename the run that it belongs to.")

    def work(self, id: str) -> list[Work]:
        """Its drawing."""
        run_id, which = _map(id)
        job = map_job(self.context, run_id, which)
        if not job.progress().is_active:
            return []
        return [Work(f"the {which} map is being drawn", job.cancel, lambda: job.progress().is_active)]

    def stays(self, id: str) -> list[str]:
        """What a map is drawn from is used elsewhere too."""
        return ["Embeddings and neighbours stay with the run; the map can be drawn again from them."]

    def paths(self, id: str) -> list[str]:
        """The map, and what it was drawn with."""
        run_id, which = _map(id)
        paths = self.layout.run(run_id)
        return [paths.map(which), paths.map_parameters(which)]

    def forget(self, id: str) -> None:
        """Forget how its drawing went."""
        map_job(self.context, *_map(id)).forget()


class PolicyKind(Kind):
    """Saved policies: ``RUN/NAME``. They are small, so that the bin itself keeps them."""

    name, noun, plural = "policy", "saved policy", "saved policies"

    def title(self, id: str) -> str:
        """Its name."""
        run, name = self._split(id)
        return run.pruning.saved_policy(name).name

    def titles(self, id: str) -> dict[str, str]:
        """Those of its run."""
        run, _ = self._split(id)
        return {f"{run.id}/{saved.name}": saved.name for saved in run.pruning.policies()}

    def rename(self, id: str, name: str) -> None:
        """Save it under the other name."""
        run, old = self._split(id)
        run.pruning.rename_policy(old, name)

    def mark(self, entry: BinEntry) -> None:
        """Move it into the bin."""
        run, name = self._split(entry.id)
        run.pruning.delete_policy(name, by=entry.by)

    def bring_back(self, entry: BinEntry) -> BinEntry | None:
        """Move it back."""
        run, _ = self._split(entry.id)
        run.pruning.bring_back_policy(SavedPolicy.from_json(entry.content or {}))
        return super().bring_back(entry)

    def _split(self, id: str) -> tuple[Run, str]:
        run_id, _, name = id.partition("/")
        return Run(self.context, run_id), name


def map_job(context: Context, run_id: str, which: Representation) -> MapJob:
    """The drawing of one map of a run."""
    return MapJob(context.settings, context.files, context.database, run_id, which)


def _map(id: str) -> tuple[str, Representation]:
    run_id, _, name = id.partition("/")
    which: Representation | None = next((entry for entry in get_args(Representation) if entry == name), None)
    if which is None:
        raise NotFoundError(f"There is no map {name!r}.", "Name it RUN/tuned or RUN/initial.")
    return run_id, which


KINDS: tuple[type[Kind], ...] = (DatasetKind, RunKind, ProofKind, ExportKind, MapKind, PolicyKind)


def family_of(kinds: dict[str, Kind], key: Key, without: Iterable[Key] = ()) -> list[Key]:
    """A thing and all that goes with it, but for what stands in `without` and what goes with that."""
    found: dict[Key, None] = {}
    waiting, left_out = [key], set(without)
    while waiting:
        current = waiting.pop()
        if current not in found and current not in left_out:
            found[current] = None
            kind, id = checked_key(current)
            waiting += kinds[kind].parts(id)[::-1]
    return list(found)
