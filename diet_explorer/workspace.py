"""The front door of the library: a workspace with its datasets and runs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from diet_explorer.analysis.card import ExampleCard, load_card
from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.config import Settings, load_settings
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.manifest import DatasetManifest, dataset_folder, examples_path, manifest_path, set_aside_path
from diet_explorer.data.readers import Source, open_source
from diet_explorer.data.validation import ValidationReport
from diet_explorer.errors import BadInputError, JobCancelledError, JobFailedError, NotFoundError, WorkspaceError
from diet_explorer.jobs.queue import JobQueue
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.progress import ProgressFiles, RunProgress, SeedProgress
from diet_explorer.store.database import open_database
from diet_explorer.store.files import Files
from diet_explorer.store.queries import Queries, parquet, quote_text
from diet_explorer.store.runs import ACTIVE, RunRecord, RunRecords
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.config import GradientMode, RunConfig, default_checkpoints
from diet_explorer.training.cost import CHARACTERS_PER_TOKEN, CostEstimate, estimate_cost
from diet_explorer.training.models import locate_model

WORKSPACE_VERSION = 1
SAMPLE_NAME = "Film snippets (sample)"
SAMPLE_SETTINGS: dict[str, Any] = {"epochs": 3, "seeds": 1, "max_length": 64}
SAMPLE_MAPPING = ColumnMapping(text="text", label="label", id="id", split="split")
POLL_SECONDS = 0.5


class Workspace:
    """A folder of datasets and runs.

    Parameters
    ----------
    home : str or Path, optional
        Local folder or fsspec URL; by default the setting ``DIET_EXPLORER_HOME``, else ``workspace``.
    database_url, jobs_url : str, optional
        SQLAlchemy URLs; by default SQLite files in the workspace.

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
        self.records = RunRecords(open_database(self.settings))
        self.queries = Queries(self.files)

    @cached_property
    def jobs(self) -> JobQueue:
        """The queue that worker processes take runs from."""
        return JobQueue(self.settings)

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
        return Dataset(self, import_examples(source, mapping, self.files, name=name, progress=progress))

    def import_sample(self) -> Dataset:
        """Import the sample that comes with the program: film snippets with human ratings of their labels."""
        source = open_source(sample_folder() / "movie_snippets.csv")
        return Dataset(self, import_examples(source, SAMPLE_MAPPING, self.files, name=SAMPLE_NAME))

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
        self.records.set_workflow(run.id, self.jobs.submit_score(run.id))
        return run

    def create_run(self, dataset: Dataset, config: RunConfig, *, name: str, origin: str) -> Run:
        """Record a run without starting anything."""
        now = datetime.now(UTC)
        record = RunRecord(
            id=f"run-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}",
            dataset_id=dataset.id,
            name=name,
            origin="callback" if origin == "callback" else "job",
            status="queued",
            config=config.to_json(),
            created_at=now,
        )
        self.files.write_json(self.files.path("runs", record.id, "config.json"), {"name": name, **record.config})
        self.records.create(record)
        return Run(self, record.id)

    def runs(self, dataset: Dataset | str | None = None) -> list[Run]:
        """All runs, or one dataset's, newest first."""
        dataset_id = dataset.id if isinstance(dataset, Dataset) else dataset
        return [Run(self, record.id, record) for record in self.records.list(dataset_id)]

    def run(self, name: str) -> Run:
        """A run by its id."""
        return Run(self, name, self.records.get(name))

    def estimate(self, dataset: Dataset, config: RunConfig) -> CostEstimate:
        """What a run of this kind will take on this machine."""
        sql = (
            f"SELECT split = 'train', count(*), sum(least(ceil((length(text)"
            f"{' + length(text_pair)' if dataset.manifest.mapping.text_pair else ''}) / {CHARACTERS_PER_TOKEN}) + 2, "
            f"{int(config.max_length)})) FROM {parquet(examples_path(self.files, dataset.id))} GROUP BY 1"
        )
        counts = {row[0]: (row[1], float(row[2])) for row in map(tuple, _rows(self.queries.table(sql)))}
        train_rows, train_tokens = counts.get(True, (0, 0.0))
        all_tokens = sum(tokens for _, tokens in counts.values())
        return estimate_cost(config, train_rows, train_tokens, all_tokens)

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


class Dataset:
    """One imported set; never changes. Made by `Workspace`."""

    def __init__(self, workspace: Workspace, manifest: DatasetManifest) -> None:
        self._workspace = workspace
        self.manifest = manifest
        self.id = manifest.id
        self.name = manifest.name

    def __repr__(self) -> str:
        return f"Dataset({self.id!r}, {self.rows:,} rows, {len(self.classes)} classes)"

    @property
    def rows(self) -> int:
        """Number of usable examples over all splits."""
        return self.manifest.rows

    @property
    def classes(self) -> list[str]:
        """Class names; a label's code is its position here."""
        return self.manifest.classes

    @property
    def folder(self) -> str:
        """Where its files lie."""
        return dataset_folder(self._workspace.files, self.id)

    @cached_property
    def report(self) -> ValidationReport:
        """What the import found."""
        return ValidationReport.from_json(self.manifest.report)

    def examples(self, rows: Sequence[int] | None = None) -> pd.DataFrame:
        """Examples as imported, all of them or those of some rows; `label` holds class names."""
        condition = "TRUE" if rows is None else f"row IN ({', '.join(str(int(row)) for row in rows) or 'NULL'})"
        sql = f"SELECT * FROM {parquet(examples_path(self._workspace.files, self.id))} WHERE {condition} ORDER BY row"
        frame = self._workspace.queries.table(sql).to_pandas()
        frame["label"] = frame["label"].map(dict(enumerate(self.classes)))
        return _frame(frame)

    def set_aside(self) -> pd.DataFrame:
        """Rows that could not be used: ``line, reason, remedy, raw``."""
        path = set_aside_path(self._workspace.files, self.id)
        return _frame(self._workspace.queries.table(f"SELECT * FROM {parquet(path)} ORDER BY line").to_pandas())


class Run:
    """One training run during which every example is scored. Made by `Workspace`."""

    def __init__(self, workspace: Workspace, run_id: str, record: RunRecord | None = None) -> None:
        self._workspace = workspace
        self.id = run_id
        self.record = record or workspace.records.get(run_id)
        self.store = ScoreFiles(workspace.files, run_id)
        self._progress = ProgressFiles(workspace.files, run_id)

    def __repr__(self) -> str:
        return f"Run({self.id!r}, {self.status})"

    def refresh(self) -> Run:
        """Read status and error again."""
        self.record = self._workspace.records.get(self.id)
        return self

    @property
    def name(self) -> str:
        """What people call it."""
        return self.record.name

    @property
    def status(self) -> str:
        """queued, running, succeeded, failed or cancelled, as last read."""
        return self.record.status

    @property
    def error(self) -> str | None:
        """What went wrong, if it failed."""
        return self.record.error

    @property
    def remedy(self) -> str | None:
        """What to do about the error."""
        return self.record.remedy

    @cached_property
    def config(self) -> RunConfig:
        """Its settings."""
        return RunConfig.from_json(self.record.config)

    @cached_property
    def dataset(self) -> Dataset:
        """The set it was trained on."""
        return self._workspace.dataset(self.record.dataset_id)

    def wait(self, timeout: float | None = None) -> Run:
        """Block until the run ends.

        Parameters
        ----------
        timeout : float, optional
            Seconds; None waits for ever.

        Raises
        ------
        JobFailedError, JobCancelledError
            The run ended without all of its scores; what has landed stays readable.
        TimeoutError
            It is not done in time; it goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while self.refresh().status in ACTIVE:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"The run {self.id} is still {self.status}; it goes on.")
            time.sleep(POLL_SECONDS)
        if self.status == "failed":
            raise JobFailedError(self.error or "The run failed.", self.remedy or "Read its log.")
        if self.status == "cancelled":
            raise JobCancelledError(f"The run {self.id} was cancelled.", f"Go on with: diet-explorer resume {self.id}")
        return self

    def cancel(self) -> None:
        """Stop the run within seconds; what has landed stays, and `resume` goes on from there.

        Raises
        ------
        BadInputError
            It has ended already, or it is a training script of somebody's own.
        """
        self._check_is_job("cancelled")
        if not self._workspace.records.set_status(self.id, "cancelled", only_from=ACTIVE):
            raise BadInputError(
                f"The run {self.id} cannot be cancelled: it has ended ({self.refresh().status}).",
                "Choose a run that is queued or running.",
            )
        workflow_id = self.refresh().record.workflow_id
        if workflow_id is not None:
            self._workspace.jobs.cancel(workflow_id)
        self._progress.log("cancelled", "Cancelled by a user.")

    def resume(self) -> Run:
        """Queue a cancelled or failed run again; it goes on from the last checkpoint.

        Raises
        ------
        BadInputError
            It is queued or running, or has all of its scores.
        """
        self._check_is_job("resumed")
        if not self._workspace.records.set_status(self.id, "queued", only_from=("cancelled", "failed")):
            status = self.refresh().status
            remedy = "It is complete; browse its scores." if status == "succeeded" else "Wait for it, or cancel it."
            raise BadInputError(f"The run {self.id} cannot be resumed: it is {status}.", remedy)
        self._workspace.records.set_workflow(self.id, self._workspace.jobs.submit_score(self.id))
        self._progress.log("resumed", "Resumed by a user.")
        return self.refresh()

    def progress(self) -> RunProgress:
        """How far it is, per seed and checkpoint."""
        self.refresh()
        seeds = [self._progress.load(seed) for seed in range(self.config.seeds)]
        waiting = self.status == "queued"
        return RunProgress(
            run_id=self.id,
            status=self.status,
            seeds=seeds,
            share=1.0 if self.status == "succeeded" else sum(map(self._seed_share, seeds)) / len(seeds),
            seconds_left=self._seconds_left(seeds) if self.status == "running" else None,
            error=self.error,
            remedy=self.remedy,
            queue_position=self._queue_position() if waiting else None,
        )

    def log(self, last: int = 200) -> list[dict[str, Any]]:
        """The last lines of its log: ``time, level, event, message`` and details."""
        return self._progress.read_log(last)

    def landed(self) -> dict[int, list[float]]:
        """Seed to the checkpoints (in epochs) whose scores are there."""
        return self.store.landed()

    def checkpoints(self, seed: int | None = None) -> list[float]:
        """Checkpoints that can be ranked, of one seed or of the mean over seeds."""
        return self.store.ranked_checkpoints(seed)

    def default_checkpoint(self, seed: int | None = None) -> float:
        """The end of epoch 1 if it has landed, else the latest checkpoint before it, else the first after it.

        Raises
        ------
        NotFoundError
            Nothing has landed yet.
        """
        points = self.checkpoints(seed)
        if not points:
            raise NotFoundError(f"The run {self.id} has no scores yet.", "Wait until its first checkpoint has landed.")
        early = [point for point in points if point <= catalogue.DEFAULT_CHECKPOINT]
        return early[-1] if early else points[0]

    def ranking(self, checkpoint: float | None = None, seed: int | None = None) -> Ranking:
        """The ranking at a checkpoint, of one seed or of the mean over seeds."""
        point = self.default_checkpoint(seed) if checkpoint is None else float(checkpoint)
        return Ranking(self._workspace.queries, self.store, self.dataset.manifest, point, seed)

    def score_names(self) -> list[str]:
        """Scores that the run records."""
        return self.ranking().score_names

    def ranked(
        self,
        by: str = catalogue.DEFAULT_SCORE,
        checkpoint: float | None = None,
        *,
        seed: int | None = None,
        where: ExampleFilter | None = None,
        limit: int | None = 50,
        offset: int = 0,
    ) -> pd.DataFrame:
        """Examples from the worst on; see `Ranking.page` for the columns.

        Parameters
        ----------
        by : str
            A score of the catalogue.
        checkpoint : float, optional
            In epochs; by default `default_checkpoint`.
        seed : int, optional
            One seed; by default the mean over seeds.
        where : ExampleFilter, optional
            By default every example of the training split.
        limit, offset : int
            Which part of the ranking; a limit of None gives all of it.
        """
        return self.ranking(checkpoint, seed).page(by, where or ExampleFilter(), limit, offset)

    def count(
        self, where: ExampleFilter | None = None, checkpoint: float | None = None, *, seed: int | None = None
    ) -> int:
        """How many examples a filter keeps."""
        return self.ranking(checkpoint, seed).count(where or ExampleFilter())

    def histogram(
        self,
        by: str = catalogue.DEFAULT_SCORE,
        checkpoint: float | None = None,
        *,
        seed: int | None = None,
        where: ExampleFilter | None = None,
        bins: int = 60,
    ) -> pd.DataFrame:
        """Counts of a score in equal-width bins: ``left, right, count``."""
        return self.ranking(checkpoint, seed).histogram(by, where or ExampleFilter(), bins)

    def card(self, row: int) -> ExampleCard:
        """Everything about one example."""
        return load_card(self._workspace.queries, self.store, self.dataset.manifest, row)

    def percentiles(self, row: int, checkpoint: float | None = None, *, seed: int | None = None) -> dict[str, float]:
        """For each score the share, in percent, of the example's split that is less suspicious than it."""
        return self.ranking(checkpoint, seed).percentiles(row)

    def scores(self) -> pd.DataFrame:
        """The long table: one row per example, seed and checkpoint.

        Returns
        -------
        pandas.DataFrame
            ``id, split, seed, checkpoint, label, predicted`` (class names) and every recorded score.
        """
        return _frame(self._workspace.queries.table(self._long_sql()).to_pandas())

    def export_scores(self, path: str | Path) -> Path:
        """Write the long table; the name's ending decides: .parquet, .csv or .jsonl.

        Raises
        ------
        BadInputError
            The ending is none of these.
        """
        target = Path(path).absolute()
        forms = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}
        if target.suffix not in forms:
            raise BadInputError(
                f"The ending of {target.name!r} is not known.", "Name a file that ends in .parquet, .csv or .jsonl."
            )
        with Files(target.parent).atomic_writer(str(target)) as stream:
            self._workspace.queries.copy(self._long_sql(), stream.name, forms[target.suffix])
        return target

    def _long_sql(self) -> str:
        names = self.score_names()
        paths = [self.store.scores_path(seed, point) for seed, points in self.landed().items() for point in points]
        classes = f"[{', '.join(quote_text(name) for name in self.dataset.classes)}]"
        scores = "".join(f", {name}" for name in names)
        return (
            f"SELECT id, split, seed, checkpoint, {classes}[label + 1] AS label, {classes}[predicted + 1] AS predicted"
            f"{scores} FROM {parquet(paths)} ORDER BY seed, checkpoint, row"
        )

    def _check_is_job(self, verb: str) -> None:
        if self.record.origin == "callback":
            raise BadInputError(
                f"The run {self.id} cannot be {verb} here: it belongs to a training script.", "Use the script itself."
            )

    def _seed_share(self, seed: SeedProgress) -> float:
        if seed.state == "done":
            return 1.0
        points = len(self.config.checkpoints)
        scored = len(seed.checkpoints) + (seed.scoring_done / seed.scoring_total if seed.scoring_total else 0.0)
        trained = seed.step / seed.total_steps if seed.total_steps else 0.0
        return (trained + min(scored / points, 1.0)) / 2

    def _seconds_left(self, seeds: list[SeedProgress]) -> float | None:
        known = [entry.seconds_left for entry in seeds if entry.seconds_left is not None and entry.state != "done"]
        if not known:
            return None
        took = [entry.training_seconds + entry.scoring_seconds for entry in seeds if entry.state == "done"]
        waiting = sum(entry.state == "waiting" for entry in seeds)
        running = [entry for entry in seeds if entry.state not in ("done", "waiting")]
        spent = [entry.training_seconds + entry.scoring_seconds + (entry.seconds_left or 0.0) for entry in running]
        each = took or spent
        return sum(known) + waiting * (sum(each) / len(each) if each else 0.0)

    def _queue_position(self) -> int | None:
        queued = [record.id for record in self._workspace.records.list() if record.status in ACTIVE]
        return len(queued) - queued.index(self.id) if self.id in queued else None


def sample_folder() -> Path:
    """Where the sample data lies: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent
    for folder in (package.parent / "sample_data", package / "_app" / "sample_data"):
        if folder.is_dir():
            return folder
    raise WorkspaceError("The sample data is missing from this installation.", "Install diet-explorer again.")


def _rows(table: Any) -> list[list[Any]]:
    return [list(row.values()) for row in table.to_pylist()]


def _frame(value: Any) -> pd.DataFrame:
    frame: pd.DataFrame = value
    return frame
