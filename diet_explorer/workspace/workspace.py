"""The front door of the library: a workspace with its datasets and runs."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diet_explorer.analysis.search.index import TextSearch
from diet_explorer.config import Settings, load_settings
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.data.importing import import_examples
from diet_explorer.data.manifest import DatasetManifest, manifest_path
from diet_explorer.data.readers.opening import Source, open_source
from diet_explorer.errors import BadInputError, NotFoundError, WorkspaceError
from diet_explorer.jobs.queue import JobQueue
from diet_explorer.review.annotators import Identity, Role, allowed
from diet_explorer.review.decisions import Ledger
from diet_explorer.scoring.cartography import CartographyFolder
from diet_explorer.scoring.dataset_costs import DatasetCosts
from diet_explorer.scoring.progress import ProgressFiles
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from diet_explorer.store.queries import Queries
from diet_explorer.store.runs import Origin, RunRecord, RunRecords
from diet_explorer.training.config import GradientMode, RunConfig, default_checkpoints
from diet_explorer.training.cost import CostEstimate
from diet_explorer.training.models import locate_model
from diet_explorer.workspace.core import RunBase
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.exports import Export
from diet_explorer.workspace.proof import Proof, proof_path
from diet_explorer.workspace.run import Run

__all__ = ["SAMPLE_NAME", "SAMPLE_SETTINGS", "Dataset", "Run", "Workspace", "sample_folder"]

WORKSPACE_VERSION = 1
SAMPLE_NAME = "Film snippets (sample)"
SAMPLE_SETTINGS: dict[str, Any] = {"epochs": 3, "seeds": 1, "max_length": 64}
SAMPLE_MAPPING = ColumnMapping(text="text", label="label", id="id", split="split")
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
    jobs : JobQueue
        The queue that worker processes take runs from.
    identity : Identity or None
        For whom it acts; None is local use, which may do everything.

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
        self.settings: Settings = load_settings(
            home=None if home is None else str(home), database_url=database_url, jobs_url=jobs_url
        )
        self.files = Files(self.settings.home)
        self._check_version()
        self._database = open_database(self.settings)
        self.records = RunRecords(self._database)
        self.queries = Queries(self.files)
        self._searches: dict[str, TextSearch] = {}
        self._ledgers: dict[str, Ledger] = {}
        self.jobs = JobQueue(self.settings)
        self.identity: Identity | None = None

    def acting_as(self, identity: Identity | None) -> Workspace:
        """The same workspace for somebody: what their role may not do is refused in it and in all it hands out."""
        other = copy.copy(self)
        other.identity = identity
        return other

    def allow(self, role: Role, what: str, by: Identity | str | None = None) -> Identity:
        """Who does something that takes a role; PermissionDeniedError if they may not. See `allowed`."""
        return allowed(self.identity, by, role, what)

    def datasets(self) -> list[Dataset]:
        """All datasets, newest first."""
        names = self.files.list(self.files.path("datasets"))
        found = [self.dataset(name) for name in names if self.files.exists(manifest_path(self.files, name))]
        return sorted(found, key=lambda dataset: dataset.manifest.created_at, reverse=True)

    def dataset(self, name: str) -> Dataset:
        """A dataset by its id, or by its name where that is unique."""
        if self.files.exists(manifest_path(self.files, name)):
            return Dataset(self, DatasetManifest.load(self.files, name))
        named = [entry for entry in self.datasets() if entry.name == name]
        if len(named) == 1:
            return named[0]
        if named:
            ids = ", ".join(entry.id for entry in named)
            raise BadInputError(f"Several datasets are named {name!r}.", f"Give one of the ids: {ids}.")
        known = ", ".join(entry.id for entry in self.datasets()[:10]) or "none yet"
        raise NotFoundError(f"There is no dataset {name!r}.", f"Import it first. Datasets here: {known}.")

    def import_dataset(
        self,
        location: str | Path | Source,
        *,
        text: str,
        label: str,
        text_pair: str | None = None,
        id: str | None = None,
        split: str | None = None,
        name: str | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> Dataset:
        """Import a file, a folder or ``hub:NAME``; importing the same content again gives the same dataset.

        Parameters
        ----------
        location : str, Path or Source
            CSV, TSV, JSON Lines, Parquet, a `datasets` folder, or ``hub:NAME``.
        text, label, text_pair, id, split : str
            Names of the columns.
        name : str, optional
            What to call the dataset; by default the file's name.
        progress : callable, optional
            Called with the share done in [0, 1] and a word on what is happening.

        Raises
        ------
        BadInputError
            The file or a column cannot be used. Single unusable rows are set aside instead; see `Dataset.set_aside`.
        """
        source = location if isinstance(location, Source) else open_source(location)
        mapping = ColumnMapping(text=text, label=label, text_pair=text_pair, id=id, split=split)
        return self._imported(source, mapping, name, progress)

    def import_sample(self) -> Dataset:
        """Import the sample that comes with the program: film snippets with human ratings of their labels."""
        return self._imported(open_source(sample_folder() / "movie_snippets.csv"), SAMPLE_MAPPING, SAMPLE_NAME, None)

    def text_search(self, manifest: DatasetManifest) -> TextSearch:
        """The search over a dataset's texts, one per dataset, so that its latest results are kept."""
        found = TextSearch(self.files, manifest, self.settings.scratch_folder)
        return self._searches.setdefault(manifest.id, found)

    def ledger(self, manifest: DatasetManifest) -> Ledger:
        """The decisions about a dataset, one ledger per dataset, so that what was replayed is kept."""
        if manifest.id not in self._ledgers:
            self._ledgers.setdefault(manifest.id, Ledger(self._database, manifest))
        return self._ledgers[manifest.id].acting_as(self.identity)

    def score(
        self,
        dataset: Dataset | str,
        *,
        model: str = "bundled",
        epochs: int = 3,
        seeds: int = 1,
        checkpoints: Sequence[float] | None = None,
        grand: GradientMode = "all",
        batch_size: int = 32,
        max_length: int = 128,
        learning_rate: float = 5e-5,
        name: str | None = None,
    ) -> Run:
        """Queue the training of a model during which every example is scored; returns at once.

        Parameters
        ----------
        dataset : Dataset or str
        model : str
            ``bundled``, a local folder, or a Hub id.
        epochs, seeds : int
            Passes over the training split; independent repetitions.
        checkpoints : sequence of float, optional
            Moments in epochs; by default 0, 0.25, 0.5 and the end of every epoch.
        grand : {"all", "head", "off"}
            Gradient norms over all parameters, over the classifier only, or none.
        batch_size, max_length : int
        learning_rate : float
        name : str, optional
            What to call the run.

        Raises
        ------
        BadInputError
            A setting or the model cannot be used.
        """
        chosen = dataset if isinstance(dataset, Dataset) else self.dataset(dataset)
        config = RunConfig(
            dataset_id=chosen.id,
            model=model,
            epochs=epochs,
            seeds=seeds,
            checkpoints=default_checkpoints(epochs) if checkpoints is None else tuple(checkpoints),
            grand=grand,
            batch_size=batch_size,
            max_length=max_length,
            learning_rate=learning_rate,
        ).validated()
        source = locate_model(config.model)
        if source.is_local and source.name != "bundled":
            config = replace(config, model=source.location)  # the worker may run in another folder
        run = self.create_run(chosen, config, name=name or f"{chosen.name} · {Path(config.model).name}", origin="job")
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

        Raises
        ------
        BadInputError
            A file cannot be read, or does not fit the dataset; nothing is imported then.
        """
        chosen = dataset if isinstance(dataset, Dataset) else self.dataset(dataset)
        place = Path(folder).absolute()
        found = CartographyFolder(self.queries, self.files, chosen.manifest, place)
        for _ in found.tables():
            pass  # reads and checks all of it, before anything is written
        config = RunConfig(
            dataset_id=chosen.id,
            model="imported training dynamics",
            epochs=int(found.checkpoints[-1]),
            checkpoints=tuple(found.checkpoints),
            grand="off",
        ).validated()
        run = self.create_run(chosen, config, name=name or f"{chosen.name} · {place.name}", origin="cartography")
        self.records.set_status(run.id, "running")
        found.write(run.store, ProgressFiles(self.files, run.id))
        self.records.set_status(run.id, "succeeded")
        return run.refresh()

    def create_run(
        self, dataset: Dataset, config: RunConfig, *, name: str, origin: Origin, parent: RunBase | None = None
    ) -> Run:
        """Record a run, or a further training for the run `parent`, without starting anything."""
        self.allow("lead", "start jobs")
        now = datetime.now(UTC)
        record = RunRecord(
            id=f"run-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}",
            dataset_id=dataset.id,
            name=name,
            origin=origin,
            status="queued",
            config=config.to_json(),
            created_at=now,
            parent_id=None if parent is None else parent.id,
        )
        self.files.write_json(self.files.path("runs", record.id, "config.json"), {"name": name, **record.config})
        self.records.create(record)
        return Run(self, record.id)

    def runs(self, dataset: Dataset | str | None = None) -> list[Run]:
        """All runs, or one dataset's, newest first; not the further trainings that belong to a run."""
        dataset_id = dataset.id if isinstance(dataset, Dataset) else dataset
        return [Run(self, record.id, record) for record in self.records.list(dataset_id) if record.parent_id is None]

    def run(self, name: str) -> Run:
        """A run by its id."""
        return Run(self, name, self.records.get(name))

    def proofs(self) -> list[Proof]:
        """Proofs of all runs, newest first."""
        names = [name for name in self.files.list(self.files.path("proofs")) if name.endswith(".json")]
        found = [self.proof(name.removesuffix(".json")) for name in names]
        return sorted(found, key=lambda proof: proof.created_at, reverse=True)

    def proof(self, name: str) -> Proof:
        """A proof by its id."""
        path = proof_path(self.files, name)
        if not self.files.exists(path):
            raise NotFoundError(f"There is no proof {name!r}.", "List them with `diet-explorer proofs`.")
        return Proof(self, self.files.read_json(path))

    def exports(self, run: Run | str | None = None) -> list[Export]:
        """Exports of all runs, or of one run, newest first; those of whichever state."""
        run_id = run.id if isinstance(run, Run) else run
        found = [Export(self, name) for name in self.files.list(self.files.path("exports"))]
        chosen = [export for export in found if export.is_listed and run_id in (None, export.run_id)]
        return sorted(chosen, key=lambda export: export.created_at, reverse=True)

    def export(self, name: str) -> Export:
        """An export by its id; NotFoundError where there is none."""
        return Export(self, name).checked()

    def estimate(self, dataset: Dataset, config: RunConfig) -> CostEstimate:
        """What a run of this kind will take on this machine, from `measure`'s rates if they are there."""
        return self.estimates(dataset, config)[config.grand]

    def estimates(self, dataset: Dataset, config: RunConfig) -> dict[GradientMode, CostEstimate]:
        """The same for each choice of gradient norms."""
        return DatasetCosts(self.files, self.queries, dataset.manifest).estimates(config)

    def measure(self, dataset: Dataset, config: RunConfig) -> dict[GradientMode, CostEstimate]:
        """Time a few batches of the dataset with the model, in a process of its own; takes some seconds.

        Returns
        -------
        dict of str to CostEstimate
            For each choice of gradient norms; the rates are kept for `estimate`.

        Raises
        ------
        ModelError
            The model cannot be loaded.
        """
        self.allow("lead", "start jobs")
        costs = DatasetCosts(self.files, self.queries, dataset.manifest)
        costs.measure(config.validated())
        return costs.estimates(config)

    def _imported(
        self,
        source: Source,
        mapping: ColumnMapping,
        name: str | None,
        progress: Callable[[float, str], None] | None,
    ) -> Dataset:
        self.allow("lead", "import data")
        tell = progress or (lambda share, message: None)
        manifest = import_examples(
            source, mapping, self.files, name=name, progress=lambda share, message: tell(_IMPORTED * share, message)
        )
        ExampleRows(self.files, manifest).make()
        self.text_search(manifest).build(lambda share, message: tell(_IMPORTED + (1 - _IMPORTED) * share, message))
        tell(1.0, f"Imported {manifest.rows:,} rows")
        return Dataset(self, manifest)

    def _check_version(self) -> None:
        path = self.files.path("workspace.json")
        if self.files.exists(path):
            version = self.files.read_json(path).get("version")
            if not isinstance(version, int) or version > WORKSPACE_VERSION:
                raise WorkspaceError(
                    f"The workspace {self.files.root} was made by a newer version of diet-explorer "
                    f"(workspace version {version}, this one reads up to {WORKSPACE_VERSION}).",
                    "Upgrade diet-explorer, or choose another workspace with --workspace or DIET_EXPLORER_HOME.",
                )
            return
        self.files.make_folder(self.files.root)
        self.files.write_json(path, {"version": WORKSPACE_VERSION})


def sample_folder() -> Path:
    """Where the sample data lies: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parents[1]
    for folder in (package.parent / "sample_data", package / "_app" / "sample_data"):
        if folder.is_dir():
            return folder
    raise WorkspaceError("The sample data is missing from this installation.", "Install diet-explorer again.")
