"""The front door of the library: a workspace with its datasets and runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from diet_explorer.config import Settings, load_settings
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.examples import read_labels
from diet_explorer.data.importing import import_examples
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.readers.opening import Source, open_source, open_upload
from diet_explorer.data.readers.options import DEFAULT_OPTIONS, ReadingOptions
from diet_explorer.errors import BadInputError, ModelError, NotFoundError
from diet_explorer.review.annotators import Identity
from diet_explorer.scoring.cartography import CartographyFolder
from diet_explorer.scoring.dataset_costs import DatasetCosts
from diet_explorer.scoring.given_outputs import GivenOutputs, OutputKind
from diet_explorer.store.audit_log import AuditEntry
from diet_explorer.store.bin import BinEntry, Key
from diet_explorer.store.names import name_or
from diet_explorer.store.reach import Reach
from diet_explorer.store.runs import Origin
from diet_explorer.training.config import BUNDLED, GradientMode, RunConfig, default_checkpoints
from diet_explorer.training.cost import CostEstimate
from diet_explorer.training.models import ModelSource
from diet_explorer.workspace.backup import BackupResult, back_up, restore_backup
from diet_explorer.workspace.bin.bin import Bin, Deletable
from diet_explorer.workspace.bin.names import KIND_NAMES, kind_and_name
from diet_explorer.workspace.context import Context
from diet_explorer.workspace.core import RunCore, create_record
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.exports import Export, Exports
from diet_explorer.workspace.finding import find
from diet_explorer.workspace.moving import move, move_back
from diet_explorer.workspace.proof import Proof, list_proofs, load_proof
from diet_explorer.workspace.recorded import record_run
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.sample import SAMPLE_MAPPING, SAMPLE_NAME, open_sample
from diet_explorer.workspace.upgrade import UpgradePlan, plan_upgrade, upgrade

_CLASSES: dict[type[Any], str] = {Dataset: "dataset", Run: "run", Proof: "proof", Export: "export"}
_IMPORTING = "import data"
_IMPORTED = 0.4  # share of an import's time until the rows are written; the rest goes into the search index


class Workspace:
    """A folder of datasets and runs.

    Parameters
    ----------
    home : str or Path, optional
        Local folder or fsspec URL; by default the setting ``DIET_EXPLORER_HOME``, else ``workspace``.
    database_url, jobs_url : str, optional
        SQLAlchemy URLs; by default SQLite files in the workspace.

    Attributes
    ----------
    context : Context
        What it works with, and for whom.

    Raises
    ------
    WorkspaceError
        The workspace cannot be read or written, or a newer version of this program made it.

    Examples
    --------
    >>> workspace = Workspace("workspace")                                            # doctest: +SKIP
    >>> dataset = workspace.import_dataset("reviews.csv", text="text", label="label")  # doctest: +SKIP
    >>> run = workspace.score(dataset, model="bundled", epochs=3, seeds=3)             # doctest: +SKIP
    >>> run.wait().ranked(by="el2n", checkpoint=1)                                     # doctest: +SKIP
    """

    def __init__(
        self, home: str | Path | None = None, *, database_url: str | None = None, jobs_url: str | None = None
    ) -> None:
        settings = load_settings(home=None if home is None else str(home), database_url=database_url, jobs_url=jobs_url)
        self.context = Context.opened(settings)

    @property
    def settings(self) -> Settings:
        """How it was opened."""
        return self.context.settings

    def acting_as(self, identity: Identity | None) -> Workspace:
        """The same workspace for somebody: what their role may not do is refused in it and in all it hands out."""
        other = copy.copy(self)
        other.context = self.context.acting_as(identity)
        return other

    def reading_within(self, reach: Reach) -> Workspace:
        """The same workspace with a limit on what is read and written beside its own files; see `store.reach`.

        The browser app opens it so; the command line and scripts of one's own are not limited.
        """
        other = copy.copy(self)
        other.context = replace(self.context, reach=reach)
        return other

    def datasets(self) -> list[Dataset]:
        """All datasets, newest first."""
        deleted = self.context.bin.keys()
        there = [entry for entry in DatasetManifest.all(self.context.files) if ("dataset", entry.id) not in deleted]
        there.sort(key=lambda manifest: manifest.created_at, reverse=True)
        return [Dataset(self.context, manifest) for manifest in there]

    def dataset(self, name: str) -> Dataset:
        """A dataset by its id, its name, or the beginning of its id.

        Raises
        ------
        NotFoundError, BadInputError
            There is none, or there are several; the message has ids.
        """
        return find(
            "dataset",
            name,
            self.datasets,
            load=lambda dataset_id: Dataset.load(self.context, dataset_id),
            is_called=lambda dataset: dataset.name == name,
            remedy="Import it first. Datasets here",
        )

    def import_dataset(
        self,
        location: str | Path | Sequence[str | Path] | Source,
        *,
        text: str,
        label: str | None = None,
        text_pair: str | None = None,
        id: str | None = None,
        split: str | None = None,
        skip_labels: Sequence[str] | str = (),
        annotators: str | Sequence[str] = (),
        skip_ties: bool = False,
        name: str | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        header: bool | None = None,
        column_names: Sequence[str] | None = None,
        sheet: str | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> Dataset:
        """Import a file, a folder or ``hub:NAME``; importing the same content again gives the same dataset.

        Parameters
        ----------
        location : str, Path, sequence of these, or Source
            A data file of any format, a folder or glob of them whose names are splits, a `datasets` folder, a URL, or
            ``hub:NAME``; see `open_source`.
        text, label, text_pair, id, split : str
            Names of the columns; a dotted path such as ``data.text`` names a field inside the objects of a column.
        skip_labels : sequence of str, or str
            Labels that are none, such as ``-1`` or ``n/a``; rows with them are set aside.
        annotators : str or sequence of str, optional
            Columns of several people's labels, empty where somebody gave none; or one column that holds a list of them
            per row. The label is what most people say; where as many say one label as another, the one of these that
            comes first in this order. With `label` that column stays the label. In either case each example gets the
            share of its people who say otherwise, a filter and a witness among the suspects; the columns themselves
            stay further columns.
        skip_ties : bool
            Set rows aside on which these people are tied.
        name : str, optional
            What to call the dataset; by default the file's name.
        encoding : str, optional
            Codec of a text file, such as ``cp1252``; by default its byte order mark decides, else UTF-8.
        delimiter : str, optional
            What separates the cells of a CSV or TSV file; by default it is guessed from the first rows.
        header : bool, optional
            Whether the first line of a CSV or TSV file names the columns; by default its looks decide.
        column_names : sequence of str, optional
            What to call the columns of a CSV or TSV file; without a header they are ``column 1``, ``column 2``, ….
        sheet : str, optional
            Which sheet of an Excel workbook; by default the first that has rows.
        progress : callable, optional
            Called with the share done in [0, 1] and a word on what is happening.

        Raises
        ------
        BadInputError
            The file or a column cannot be used. Single unusable rows are set aside instead; see `Dataset.set_aside`.
        """
        self.context.allow("lead", _IMPORTING)
        names: Any = column_names if column_names is None or isinstance(column_names, str) else tuple(column_names)
        options = ReadingOptions(encoding, delimiter, header, names, sheet)
        if isinstance(location, Source):
            options.check("an opened source")
        source = location if isinstance(location, Source) else self.open_source(location, options)
        skipped = tuple(map(str, [skip_labels] if isinstance(skip_labels, str) else skip_labels))
        people = (annotators,) if isinstance(annotators, str) else tuple(annotators)
        mapping = ColumnMapping(
            text,
            label,
            text_pair=text_pair,
            id=id,
            split=split,
            skip_labels=skipped,
            annotators=people,
            skip_ties=skip_ties,
        )
        return self._imported(source, mapping, name, progress)

    def open_source(
        self, location: str | Path | Sequence[str | Path], options: ReadingOptions = DEFAULT_OPTIONS
    ) -> Source:
        """Open what is at a location, to be looked at and imported; nothing is imported yet.

        Parameters
        ----------
        location : str, Path, or sequence of these
            As for `import_dataset`.
        options : ReadingOptions, optional
            How it is to be read.

        Returns
        -------
        Source
            With columns, a preview and the rows.

        Raises
        ------
        PermissionDeniedError
            Only a lead may; that is said before anything is looked at.
        BadInputError
            There is nothing that can be read, or it is out of reach.
        """
        self.context.allow("lead", _IMPORTING)
        return open_source(location, options, self.context.reach)

    def open_upload(self, path: Path, options: ReadingOptions = DEFAULT_OPTIONS) -> Source:
        """The same for a file that somebody brought, which lies in the workspace meanwhile; it goes by its name alone.

        Raises
        ------
        PermissionDeniedError
            Only a lead may.
        BadInputError
            It is no upload, or cannot be read.
        """
        self.context.allow("lead", _IMPORTING)
        uploads = Reach((self.settings.home_folder / "uploads",))
        if not uploads.permits(path) or not path.is_file():
            raise BadInputError(f"The upload {path.name} is not there any more.", "Upload the file again.")
        return open_upload(path, options)

    def model(self, name: str) -> ModelSource:
        """Find a model by its name, without loading it: ``bundled``, a local folder, or a Hub id.

        Raises
        ------
        PermissionDeniedError
            Only a lead may name one that no run has yet.
        ModelError, BadInputError
            The folder holds no usable model or is out of reach, or the name is no Hub id.
        """
        return self.context.model(name)

    def import_sample(self) -> Dataset:
        """Import the sample that comes with the program: film snippets with human ratings of their labels."""
        self.context.allow("lead", _IMPORTING)
        return self._imported(open_sample(), SAMPLE_MAPPING, SAMPLE_NAME, None)

    def score(
        self,
        dataset: Dataset | str,
        *,
        model: str | Path = "bundled",
        epochs: int = 3,
        seeds: int = 1,
        checkpoints: Sequence[float] | None = None,
        grand: GradientMode = "all",
        batch_size: int = 32,
        max_length: int = 128,
        learning_rate: float = 5e-5,
        diet: float = 1.0,
        gpu: bool = False,
        memory_gb: int = 0,
        name: str | None = None,
    ) -> Run:
        """Queue the training of a model during which every example is scored; returns at once.

        Parameters
        ----------
        dataset : Dataset or str
        model : str or Path
            ``bundled``, a local folder, or a Hub id.
        epochs, seeds : int
            Passes over the training split; independent repetitions.
        checkpoints : sequence of float, optional
            Moments in epochs; by default 0, 0.25, 0.5 and the end of every epoch.
        grand : {"all", "head", "off"}
            Gradient norms over all parameters, over the classifier only, or none.
        batch_size, max_length : int
        learning_rate : float
        diet : float
            Epochs after the first train on this share of the examples, those with the highest EL2N but for the very
            highest; 1 for all. Every example is scored in any case.
        gpu : bool
            Whether only a worker that has a GPU may train it.
        memory_gb : int
            So many gigabytes of memory its worker must have; 0 for any. Where no worker has what is asked for, the run
            waits and says so.
        name : str, optional
            What to call the run.

        Raises
        ------
        BadInputError
            A setting or the model cannot be used.
        """
        self.context.allow("lead", "start jobs")
        chosen = self._dataset(dataset)
        if not isinstance(model, str | PathLike):
            raise BadInputError(
                f"A {type(model).__name__} names no model.",
                "Give `bundled`, a folder that it was saved to with save_pretrained, or a Hub id; a model in a script "
                "of your own is scored by ScoreRecorder.",
            )
        config = RunConfig(
            dataset_id=chosen.id,
            model=str(model),
            epochs=epochs,
            seeds=seeds,
            checkpoints=default_checkpoints(epochs) if checkpoints is None else _several(checkpoints),
            grand=grand,
            batch_size=batch_size,
            max_length=max_length,
            learning_rate=learning_rate,
            diet=diet,
            gpu=gpu,
            memory_gb=memory_gb,
        ).validated()
        config = self._located(config)
        run = self.create_run(config, name=name_or(name, f"{chosen.name} · {Path(config.model).name}"), origin="job")
        run.submit()
        return run

    def import_cartography(self, dataset: Dataset | str, folder: str | Path, *, name: str | None = None) -> Run:
        """Import training dynamics of Dataset Cartography's format as a run with one seed.

        Parameters
        ----------
        dataset : Dataset or str
            Its ids are the files' guids; the run has the examples that the files name.
        folder : str or Path
            Holds ``dynamics_epoch_0.jsonl`` and so on, itself or in ``training_dynamics``.
        name : str, optional
            What to call the run.

        Returns
        -------
        Run
            With every score that logits alone give, so without GraNd; its checkpoints are the ends of the epochs.

        Raises
        ------
        BadInputError
            A file cannot be read, or does not fit the dataset; nothing is imported then.
        """
        self.context.allow("lead", _IMPORTING)
        chosen, path, context = self._dataset(dataset), Path(folder).absolute(), self.context
        dynamics = CartographyFolder(context.queries, context.files, chosen.manifest, path, context.reach)
        for _ in dynamics.tables():
            pass  # reads and checks all of it, before anything is written
        words = f"Imported training dynamics of {len(dynamics.checkpoints)} epochs."
        called, model = name_or(name, f"{chosen.name} · {path.name}"), "imported training dynamics"
        return record_run(context, chosen, dynamics, origin="cartography", model=model, name=called, words=words)

    def record(
        self,
        dataset: Dataset | str,
        outputs: Mapping[float, ArrayLike] | Sequence[ArrayLike] | ArrayLike,
        *,
        kind: OutputKind,
        classes: Sequence[Any] | None = None,
        rows: Iterable[int] | None = None,
        model: str = "own model",
        name: str | None = None,
    ) -> Run:
        """Record the outputs of any model as a run: scikit-learn, SetFit, a framework of your own.

        Parameters
        ----------
        dataset : Dataset or str
            An imported dataset, its id or its name.
        outputs : mapping of float to array, sequence of arrays, or array
            For each checkpoint, in epochs, an array of shape (M, K), or (S, M, K) of S trainings (seeds), for M
            examples and K classes. A list or tuple has the ends of epochs 1, 2, …; a single array that of epoch 1. A
            table of pandas, Polars or Arrow is read by the names of its columns.
        kind : {"logits", "probabilities"}
            What they are. Probabilities sum to 1 and are kept as their logarithms, 0 as 1e-12. Log-probabilities are
            logits.
        classes : sequence, optional
            Names of the K classes in the columns' order, such as an estimator's ``classes_``; by default those of a
            table's columns, else the dataset's order.
        rows : sequence of int, or mask, optional
            Which M examples the outputs are of; by default all, in the dataset's order.
        model : str
            What to call the model.
        name : str, optional
            What to call the run.

        Returns
        -------
        Run
            With every score that logits alone give, so without GraNd. It is ranked, reviewed and exported as any other.

        Raises
        ------
        BadInputError
            The outputs do not fit the dataset, are not finite, are no probabilities, or are some where logits were
            said; nothing is recorded then.

        Examples
        --------
        >>> probabilities = cross_val_predict(model, texts, labels, method="predict_proba")  # doctest: +SKIP
        >>> run = workspace.record("reviews", probabilities, kind="probabilities", classes=names)  # doctest: +SKIP
        """
        self.context.allow("lead", _IMPORTING)
        chosen = self._dataset(dataset)
        labels = read_labels(self.context.files, chosen.id)
        given = GivenOutputs(outputs, labels, chosen.classes, kind=kind, columns=classes, rows=rows)
        words = f"Recorded the outputs of {model} at {len(given.checkpoints)} checkpoints."
        called = name_or(name, f"{chosen.name} · {model}")
        return record_run(self.context, chosen, given, origin="record", model=model, name=called, words=words)

    def create_run(self, config: RunConfig, *, name: str, origin: Origin, parent: RunCore | None = None) -> Run:
        """Record a run, or a further training for the run `parent`, without starting anything."""
        record = create_record(
            self.context, config, name=name, origin=origin, parent_id=None if parent is None else parent.id
        )
        return Run(self.context, record.id, record)

    def runs(self, dataset: Dataset | str | None = None) -> list[Run]:
        """All runs, or one dataset's, newest first; not the further trainings that belong to a run.

        Parameters
        ----------
        dataset : Dataset or str, optional
            Only the runs of this dataset; a dataset, its id or its name.

        Raises
        ------
        NotFoundError
            There is no such dataset.
        """
        records = self.context.records.list(None if dataset is None else self._dataset(dataset).id)
        return [Run(self.context, record.id, record) for record in records if record.parent_id is None]

    def run(self, name: str) -> Run:
        """A run by its id, its name, or the beginning of its id.

        A further training that belongs to a run is found by its whole id only.

        Raises
        ------
        NotFoundError, BadInputError
            There is none, or there are several; the message has ids.
        """
        return find(
            "run",
            name,
            self.runs,
            load=lambda run_id: Run(self.context, run_id),
            is_called=lambda run: run.name == name,
            remedy="List the runs with `diet-explorer runs`. Runs here",
        )

    def proofs(self) -> list[Proof]:
        """Proofs of all runs, newest first."""
        return list_proofs(self.context)

    def proof(self, name: str) -> Proof:
        """A proof by its id or the beginning of its id.

        Raises
        ------
        NotFoundError, BadInputError
            There is none, or there are several; the message has ids.
        """
        return find(
            "proof",
            name,
            self.proofs,
            load=lambda proof_id: load_proof(self.context, proof_id),
            remedy="List them with `diet-explorer proofs`. Proofs here",
        )

    def exports(self, run: Run | str | None = None) -> list[Export]:
        """Exports of all runs, or of one run, newest first; those of whichever state."""
        run_id = None if run is None else (run if isinstance(run, Run) else self.run(run)).id
        return Exports(self.context).list(run_id)

    def export(self, name: str) -> Export:
        """An export by its id, its folder, or the beginning of its id.

        Raises
        ------
        NotFoundError, BadInputError
            There is none, or there are several; the message has ids.
        """
        return find(
            "export",
            name,
            self.exports,
            load=Exports(self.context).get,
            is_called=lambda export: export.folder.rstrip("/") in (name, str(Path(name).absolute())),
            remedy="Make one with `diet-explorer prune`. Exports here",
        )

    def export_again(
        self, manifest: str | Path, folder: str | Path | None = None, *, by: Identity | str | None = None
    ) -> Export:
        """Write an export again from its manifest, with the same bytes.

        Parameters
        ----------
        manifest : str or Path
            ``manifest.json``, or the folder that has it; of an export of this workspace, or of one that this is a copy
            of.
        folder : str or Path, optional
            A new or empty folder; by default one of the workspace.
        by : Identity or str, optional
            Who exports.

        Raises
        ------
        NotFoundError, BadInputError
            The manifest, or the dataset or run that it names, is not there or has other content.
        JobFailedError
            The bytes would differ; the message says where, and nothing is left.
        """
        return Exports(self.context).write_again(manifest, folder, by=by)

    @property
    def bin(self) -> Bin:
        """What was deleted, and all that has to do with deleting, renaming and cleaning up."""
        return Bin(self.context, self._key)

    def delete(self, what: Deletable, *, cancel: bool = False, by: Identity | str | None = None) -> BinEntry:
        """Put a dataset, run, proof, export, map or saved policy into the bin; see `Bin.delete`."""
        return self.bin.delete(what, cancel=cancel, by=by)

    def rename(self, what: Deletable, name: str, *, by: Identity | str | None = None) -> str:
        """Call a dataset, run, proof, export or saved policy otherwise; see `Bin.rename`."""
        return self.bin.rename(what, name, by=by)

    def restore(self, what: BinEntry | str, *, by: Identity | str | None = None) -> BinEntry:
        """Bring something back from the bin, with all that went along; see `Bin.restore`."""
        return self.bin.restore(what, by=by)

    def backup(
        self,
        target: str | Path,
        *,
        progress: Callable[[float, str], None] | None = None,
        by: Identity | str | None = None,
    ) -> BackupResult:
        """Copy all of the workspace to one place, also while people decide and runs train.

        The copy has the datasets, runs, proofs, exports that lie in the workspace, policies, the ledger and all other
        tables, the audit log and the bin, as they are at one moment. It has no secrets, no jobs database, no logs of
        processes and nothing that was exported to a folder elsewhere.

        Parameters
        ----------
        target : str or Path
            A file that ends in ``.zip`` or ``.tar``, which is written anew as a whole; or a folder or fsspec URL such
            as ``s3://bucket/backups``, to which a later backup of this workspace adds only what is new.
        progress : callable, optional
            Called with the share done in [0, 1] and a word on what is happening. What it raises ends the backup, and
            an earlier one stays as it was.
        by : Identity or str, optional
            Who makes it.

        Returns
        -------
        BackupResult

        Raises
        ------
        BadInputError
            Something else, or the backup of another workspace, is there.
        WorkspaceError
            Something cannot be read or written; an earlier backup stays as it was.
        PermissionDeniedError
            Only a lead may.

        See Also
        --------
        from_backup : Put it in place elsewhere.

        Examples
        --------
        >>> workspace.backup("/backups/reviews").new_bytes                                 # doctest: +SKIP
        """
        return back_up(self.context, str(target), progress, by)

    @classmethod
    def from_backup(
        cls,
        backup: str | Path,
        home: str | Path,
        *,
        database_url: str | None = None,
        jobs_url: str | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> Workspace:
        """Put a backup in place as a workspace of its own, and open it.

        All of the backup is read and checked before anything is written. What was in work when it was made is there as
        interrupted: runs go on from their last checkpoint with `resume`, other jobs are started again.

        Parameters
        ----------
        backup : str or Path
            What `backup` was given.
        home : str or Path
            A new or empty local folder, or an fsspec URL below which there is nothing.
        database_url, jobs_url : str, optional
            As for `Workspace`; the database must be empty.
        progress : callable, optional
            Called with the share done in [0, 1] and a word on what is happening.

        Returns
        -------
        Workspace

        Raises
        ------
        NotFoundError
            There is no backup.
        BadInputError
            The home or the database is not empty.
        WorkspaceError
            The backup is damaged, or of a newer version of this program; nothing was written.
        """
        settings = load_settings(home=str(home), database_url=database_url, jobs_url=jobs_url)
        restore_backup(settings, str(backup), progress)
        return cls(home, database_url=database_url, jobs_url=jobs_url)

    def move(
        self,
        home: str | Path,
        *,
        database_url: str | None = None,
        jobs_url: str | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> Workspace:
        """Move the workspace to another home, and with it to another database; the old one can only be read then.

        All is copied and checked; what others try to change in the old one from the first moment on is refused with
        words that say where it went. A copy that goes on beside the old one is made by `backup` and `from_backup`.

        Parameters
        ----------
        home : str or Path
            A new or empty local folder, or an fsspec URL below which there is nothing.
        database_url, jobs_url : str, optional
            As for `Workspace`; the database must be empty.
        progress : callable, optional
            Called with the share done in [0, 1] and a word on what is happening. What it raises ends the move, and the
            old workspace is as it was.

        Returns
        -------
        Workspace
            The workspace in its new home, with the same id.

        Raises
        ------
        BadInputError
            A run waits or is in work, or the new home or database is not empty.
        WorkspaceError
            There is no room for it: while it lasts it takes twice the workspace's size in the new place.
        PermissionDeniedError
            Only a lead may.
        """
        target = load_settings(home=str(home), jobs_url=jobs_url).model_copy(update={"database_url": database_url})
        move(self.context, target, progress or (lambda share, words: None))
        return type(self)(home, database_url=target.explorer_url, jobs_url=jobs_url)

    def move_back(self) -> Workspace:
        """Open a workspace again that was moved, as it was then; what was done in its new home is not in it.

        Raises
        ------
        BadInputError
            It was not moved.
        PermissionDeniedError
            Only a lead may.
        """
        move_back(self.context)
        other = copy.copy(self)
        other.context = replace(self.context, it=replace(self.context.it, moved_to=None))
        return other

    @classmethod
    def upgrade(
        cls,
        home: str | Path | None = None,
        *,
        database_url: str | None = None,
        backup: str | Path | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> UpgradePlan:
        """Bring a workspace of an older version into the form of this one, after a backup.

        Nothing is done where it has that form. Until then this version opens no older workspace.

        Parameters
        ----------
        home : str or Path, optional
        database_url : str, optional
            Both as for `Workspace`.
        backup : str or Path, optional
            What `backup` takes; by default a folder beside the workspace.
        progress : callable, optional
            Called with the share done in [0, 1] and a word on what is happening.

        Returns
        -------
        UpgradePlan
            What was done.

        Raises
        ------
        WorkspaceError
            There is no workspace, a newer version made it, or an app or worker of this machine has it open.
        """
        settings = load_settings(home=None if home is None else str(home), database_url=database_url)
        plan = plan_upgrade(settings, None if backup is None else str(backup))
        if plan.is_needed:
            upgrade(settings, plan, progress or (lambda share, words: None))
        return plan

    def audit_log(self, *, kind: str | None = None, who: str | None = None, limit: int = 200) -> list[AuditEntry]:
        """Who came in, was refused, took data away or deleted something: the latest lines, newest first.

        Parameters
        ----------
        kind : {"sign-in", "refusal", "export", "push", "deletion", "restore", "backup", "upgrade", "move"}, optional
        who : str, optional
            Only what is kept of this name.
        limit : int
            At most so many lines.

        Raises
        ------
        BadInputError
            There is no such kind.
        PermissionDeniedError
            Only a lead may.
        """
        self.context.allow("lead", "read the audit log")
        return self.context.audit_log.entries(kind=kind, who=who, limit=limit)

    def estimate(self, dataset: Dataset, config: RunConfig) -> CostEstimate:
        """What a run of this kind will take on this machine, from `measure`'s rates if they are there.

        Parameters
        ----------
        dataset : Dataset
        config : RunConfig
            Settings of the run; nothing is started.

        Returns
        -------
        CostEstimate
            Seconds of training and of scoring, and what the figures rest on.
        """
        return self.estimates(dataset, config)[config.grand]

    def estimates(self, dataset: Dataset, config: RunConfig) -> dict[GradientMode, CostEstimate]:
        """The same for each choice of gradient norms."""
        with suppress(ModelError):  # of a model that cannot be found the size is assumed
            config = self._located(config)
        return DatasetCosts(self.context.files, self.context.queries, dataset.manifest).estimates(config)

    def measure(self, dataset: Dataset, config: RunConfig) -> dict[GradientMode, CostEstimate]:
        """Time a few batches of the dataset with the model, in a process of its own; takes some seconds.

        Parameters
        ----------
        dataset : Dataset
        config : RunConfig
            Names the model, the batch size and the greatest length.

        Returns
        -------
        dict of str to CostEstimate
            For each choice of gradient norms; the rates are kept for `estimate`.

        Raises
        ------
        ModelError
            The model cannot be loaded.
        """
        self.context.allow("lead", "start jobs")
        costs = DatasetCosts(self.context.files, self.context.queries, dataset.manifest)
        located = self._located(config.validated())
        costs.measure(located)
        return costs.estimates(located)

    def _key(self, what: Deletable) -> Key:
        """Kind and id of something that is there."""
        if isinstance(what, BinEntry):
            return what.key
        if not isinstance(what, str):
            return next(name for kind, name in _CLASSES.items() if isinstance(what, kind)), what.id
        kind, name = kind_and_name(what)
        if kind is not None:
            return kind, self._id(kind, name)
        keys: list[Key] = []
        for kind in _CLASSES.values():
            with suppress(NotFoundError):
                keys.append((kind, self._id(kind, name)))
        if len(keys) == 1:
            return keys[0]
        if keys:
            listed = ", ".join(f"{kind}:{id}" for kind, id in keys)
            raise BadInputError(f"{what!r} means several things.", f"Say which: {listed}.")
        raise NotFoundError(
            f"Nothing here is called {what!r}.",
            f"Name it KIND:NAME, with one of the kinds {', '.join(KIND_NAMES)}, as the lists show it.",
        )

    def _id(self, kind: str, name: str) -> str:
        if kind in ("map", "policy"):
            run_name, _, part = name.partition("/")
            run = self.run(run_name)
            return f"{run.id}/{run.pruning.saved_policy(part).name if kind == 'policy' else part or 'tuned'}"
        finders: dict[str, Callable[[str], Dataset | Run | Proof | Export]] = {
            "dataset": self.dataset,
            "run": self.run,
            "proof": self.proof,
            "export": self.export,
        }
        return finders[kind](name).id

    def _dataset(self, dataset: Dataset | str) -> Dataset:
        return dataset if isinstance(dataset, Dataset) else self.dataset(dataset)

    def _located(self, config: RunConfig) -> RunConfig:
        """The same settings, a local model by its whole path: the worker may run in another folder."""
        source = self.context.model(config.model)
        return replace(config, model=source.location) if source.is_local and source.name != BUNDLED else config

    def _imported(
        self,
        source: Source,
        mapping: ColumnMapping,
        name: str | None,
        progress: Callable[[float, str], None] | None,
    ) -> Dataset:
        self.context.allow("lead", _IMPORTING)
        report = progress or (lambda share, message: None)
        manifest = import_examples(
            source,
            mapping,
            self.context.files,
            name=name,
            progress=lambda share, message: report(_IMPORTED * share, message),
        )
        ExampleRows(self.context.files, manifest).make()
        self.context.text_search(manifest).build(
            lambda share, message: report(_IMPORTED + (1 - _IMPORTED) * share, message)
        )
        if self.context.bin.get("dataset", manifest.id) is not None:  # it is there again, with all that it had
            self.bin.restore(f"dataset:{manifest.id}")
        report(1.0, f"Imported {manifest.rows:,} rows")
        return Dataset(self.context, manifest)


def _several(checkpoints: Iterable[float] | float) -> tuple[float, ...]:
    """A list of checkpoints; a lone number is one."""
    return tuple(checkpoints) if isinstance(checkpoints, Iterable) else (checkpoints,)
