"""Where everything lies in a workspace: the one place that knows its paths.

Layout::

    workspace.json                        version of the workspace
    datasets/<dataset id>/                see `DatasetPaths`
    runs/<run id>/                        see `RunPaths`
    exports/<export id>/                  see `ExportPaths`
    pushes/<export id>/                   see `PushPaths`
    proofs/<proof id>.json                what a proof is made of
    proofs/trainings/<key>.json           a training of proofs: the run that it is, and its result
    measurements/<dataset id>-<key>.json  seconds per example of a model on this machine
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from diet_explorer.errors import NotFoundError
from diet_explorer.store.files import Files

MEAN = "mean"
"""What stands for the seed in the paths of what is made of all seeds."""


@dataclass(frozen=True)
class DatasetPaths:
    """Paths of one dataset.

    Attributes
    ----------
    folder : str
        ``datasets/<dataset id>``, or the temporary folder that becomes it.
    """

    folder: str

    @property
    def manifest(self) -> str:
        """What is known of the dataset, JSON."""
        return f"{self.folder}/manifest.json"

    @property
    def examples(self) -> str:
        """The examples, Parquet."""
        return f"{self.folder}/examples.parquet"

    @property
    def order(self) -> str:
        """Each example's split and its position in id order, Arrow."""
        return f"{self.folder}/order.arrow"

    @property
    def rows(self) -> str:
        """Texts and numbers to be read by row, Arrow."""
        return f"{self.folder}/rows.arrow"

    @property
    def set_aside(self) -> str:
        """Rows that the import could not use, Parquet: ``line, reason, remedy, raw``."""
        return f"{self.folder}/set_aside.parquet"

    @property
    def search(self) -> str:
        """Folder of the index of the texts."""
        return f"{self.folder}/search"


@dataclass(frozen=True)
class RunPaths:
    """Paths of one run.

    Attributes
    ----------
    folder : str
        ``runs/<run id>``.
    """

    folder: str

    @property
    def config(self) -> str:
        """Name and settings, JSON."""
        return f"{self.folder}/config.json"

    @property
    def log(self) -> str:
        """Structured log, a JSON line per event."""
        return f"{self.folder}/log.jsonl"

    @property
    def log_folder(self) -> str:
        """Folder of the log's lines, a file each, where files cannot be appended to."""
        return f"{self.folder}/log"

    def progress(self, seed: int) -> str:
        """How far a seed is, JSON."""
        return f"{self.folder}/progress/seed={seed}.json"

    @property
    def scores_folder(self) -> str:
        """Folder that has a folder per seed."""
        return f"{self.folder}/scores"

    def scores(self, seed: int, checkpoint: float) -> str:
        """Scores and logits of one seed at one checkpoint (in epochs), Parquet."""
        return f"{self.scores_folder}/{_seed(seed)}/{_checkpoint(checkpoint)}.parquet"

    def rankings_folder(self, seed: int | None) -> str:
        """Folder of the rankings of one seed, or of the mean over seeds for None."""
        return f"{self.folder}/rankings/{_seed(seed)}"

    def ranking(self, seed: int | None, checkpoint: float) -> str:
        """A ranking of one seed, or of the mean over seeds for None, Arrow."""
        return f"{self.rankings_folder(seed)}/{_checkpoint(checkpoint)}.arrow"

    def statistics(self, seed: int | None, checkpoint: float) -> str:
        """What charts show of a ranking, JSON."""
        return f"{self.folder}/statistics/{_seed(seed)}/{_checkpoint(checkpoint)}.json"

    def training_rows(self, seed: int) -> str:
        """What a seed is trained on where that is not the training split, Parquet: ``row, label``."""
        return f"{self.folder}/rows/training/{_seed(seed)}.parquet"

    @property
    def scored_rows(self) -> str:
        """What is scored where that is not all, Parquet: ``row``."""
        return f"{self.folder}/rows/scored.parquet"

    @property
    def held_out_rows(self) -> str:
        """Training rows kept for a proof, Parquet: ``row``."""
        return f"{self.folder}/rows/held_out.parquet"

    def vectors(self, which: str) -> str:
        """Embeddings of the initial or the tuned model, Parquet: ``row, vector``."""
        return f"{self.folder}/embeddings/{which}.parquet"

    def neighbours(self, which: str) -> str:
        """Nearest examples by these, Parquet: ``row, neighbours, similarity, agreement``."""
        return f"{self.folder}/neighbours/{which}.parquet"

    def map(self, which: str) -> str:
        """Map of these, Parquet: ``row, x, y``."""
        return f"{self.folder}/maps/{which}.parquet"

    def map_parameters(self, which: str) -> str:
        """What the map was drawn with, JSON."""
        return f"{self.folder}/maps/{which}.json"

    def map_request(self, which: str) -> str:
        """Which map was asked for last, JSON."""
        return f"{self.folder}/progress/map-{which}-request.json"

    def map_status(self, which: str) -> str:
        """How far the drawing of a map is, JSON."""
        return f"{self.folder}/progress/map-{which}.json"

    def suspects(self, key: str) -> str:
        """A table of suspects, kept by what it depends on, Arrow."""
        return f"{self.folder}/suspects/{key}.arrow"

    @property
    def policies(self) -> str:
        """Folder of the saved policies."""
        return f"{self.folder}/policies"

    def policy(self, name: str) -> str:
        """A saved policy, JSON."""
        return f"{self.policies}/{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


@dataclass(frozen=True)
class ExportPaths:
    """Paths of what is known of one export.

    Attributes
    ----------
    folder : str
        ``exports/<export id>``.
    """

    folder: str

    @property
    def request(self) -> str:
        """What was asked for, JSON."""
        return f"{self.folder}/request.json"

    @property
    def status(self) -> str:
        """How far it is, JSON."""
        return f"{self.folder}/status.json"

    @property
    def data(self) -> str:
        """The exported files, where no other folder was named."""
        return f"{self.folder}/data"


@dataclass(frozen=True)
class PushPaths:
    """Paths of what is known of the last push of one export.

    Attributes
    ----------
    folder : str
        ``pushes/<export id>``.
    """

    folder: str

    @property
    def status(self) -> str:
        """How far it is, JSON."""
        return f"{self.folder}/status.json"

    @property
    def request(self) -> str:
        """What was asked for but the token, JSON."""
        return f"{self.folder}/request.json"

    @property
    def lock(self) -> str:
        """Held by the process that pushes; on this machine."""
        return f"{self.folder}/lock"


def may_be_id(text: str) -> bool:
    """Whether a text names one thing in a folder, and no other place."""
    return text not in ("", ".", "..") and set(text).isdisjoint("/\\\0")


class Layout:
    """Paths of one workspace; an id that would lead elsewhere is a NotFoundError.

    Parameters
    ----------
    files : Files
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    @property
    def version(self) -> str:
        """Version of the workspace, JSON."""
        return self._files.path("workspace.json")

    @property
    def datasets(self) -> str:
        """Folder that has a folder per dataset."""
        return self._files.path("datasets")

    def dataset(self, dataset_id: str) -> DatasetPaths:
        """Paths of a dataset."""
        return DatasetPaths(self._files.path("datasets", _id("dataset", dataset_id)))

    def run(self, run_id: str) -> RunPaths:
        """Paths of a run."""
        return RunPaths(self._files.path("runs", _id("run", run_id)))

    @property
    def exports(self) -> str:
        """Folder that has a folder per export."""
        return self._files.path("exports")

    def export(self, export_id: str) -> ExportPaths:
        """Paths of an export."""
        return ExportPaths(self._files.path("exports", _id("export", export_id)))

    def push(self, export_id: str) -> PushPaths:
        """Paths of the last push of an export."""
        return PushPaths(self._files.path("pushes", _id("export", export_id)))

    @property
    def proofs(self) -> str:
        """Folder of what proofs are made of."""
        return self._files.path("proofs")

    def proof(self, proof_id: str) -> str:
        """What a proof is made of, JSON."""
        return self._files.path("proofs", f"{_id('proof', proof_id)}.json")

    def proof_training(self, key: str) -> str:
        """A training of proofs, JSON."""
        return self._files.path("proofs", "trainings", f"{key}.json")

    def measurement(self, dataset_id: str, key: str) -> str:
        """Seconds per example of a model on this machine, JSON."""
        return self._files.path("measurements", f"{dataset_id}-{key}.json")


def _id(kind: str, text: str) -> str:
    if not may_be_id(text):
        raise NotFoundError(f"There is no {kind} {text!r}.", "Give an id as the lists of this workspace show it.")
    return text


def _seed(seed: int | None) -> str:
    return f"seed={MEAN if seed is None else seed}"


def _checkpoint(checkpoint: float) -> str:
    return f"checkpoint={checkpoint:g}"
