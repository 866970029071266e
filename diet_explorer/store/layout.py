"""Where everything lies in a workspace: the one place that knows its paths.

Layout::

    workspace.json                        version of the workspace
    datasets/<dataset id>/                see `DatasetPaths`
    runs/<run id>/                        see `RunPaths`
    exports/<export id>/                  see `ExportPaths`
    proofs/<proof id>.json                what a proof is made of
    proofs/trainings/<key>.json           a training of proofs: the run that it is, and its result
    measurements/<dataset id>-<key>.json  seconds per example of a model on this machine
"""

from __future__ import annotations

import hashlib

from diet_explorer.store.files import Files
from diet_explorer.store.names import checked_id, is_id

KEPT = ("datasets", "runs", "exports", "pushes", "proofs")
"""Folders that a backup is made of: all but what belongs to one machine."""
MANIFEST_NAME = "manifest.json"
MEAN = "mean"
"""What stands for the seed in the paths of what is made of all seeds."""


class DatasetPaths:
    """Paths of one dataset, in ``datasets/<dataset id>`` or in the temporary folder that becomes it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.manifest = f"{folder}/{MANIFEST_NAME}"  # comes last: without it there is no dataset
        self.examples = f"{folder}/examples.parquet"
        self.order = f"{folder}/order.arrow"  # each example's split and its position in id order
        self.rows = f"{folder}/by_row.arrow"  # texts, numbers and times to be read by row
        self.set_aside = f"{folder}/set_aside.parquet"  # line, reason, remedy, raw, file of rows that cannot be used
        self.search = f"{folder}/search"  # folder of the index of the texts
        self.tokens = f"{folder}/tokens"  # folder of token ids, which has one per tokenizer and length


class RunPaths:
    """Paths of one run; where a seed may be None, that stands for the mean over the seeds."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.config = f"{folder}/config.json"  # name and settings
        self.scores_folder = f"{folder}/scores"  # has a folder per seed
        self.scored_rows = f"{folder}/rows/scored.parquet"  # row: what is scored where that is not all
        self.held_out_rows = f"{folder}/rows/held_out.parquet"  # row: training rows kept for a proof
        self.policies = f"{folder}/policies"
        self.training = f"{folder}/training"  # what seeds go on from, where the workspace is not local

    def scores(self, seed: int, checkpoint: float) -> str:
        """Scores and logits of one seed at one checkpoint (in epochs), Parquet."""
        return f"{self.scores_folder}/{_seed(seed)}/{_checkpoint(checkpoint)}.parquet"

    def rankings_folder(self, seed: int | None) -> str:
        """Folder that has a ranking per checkpoint."""
        return f"{self.folder}/rankings/{_seed(seed)}"

    def ranking(self, seed: int | None, checkpoint: float) -> str:
        """The values of a ranking, Arrow."""
        return f"{self.rankings_folder(seed)}/{_checkpoint(checkpoint)}.arrow"

    def ranking_order(self, seed: int | None, checkpoint: float) -> str:
        """The order by each of its scores, Arrow."""
        return f"{self.rankings_folder(seed)}/{_checkpoint(checkpoint)}.order.arrow"

    def statistics(self, seed: int | None, checkpoint: float) -> str:
        """What charts show of a ranking, JSON."""
        return f"{self.folder}/statistics/{_seed(seed)}/{_checkpoint(checkpoint)}.json"

    def training_checkpoints(self, seed: int) -> str:
        """Folder of the checkpoint that a seed's training goes on from, in a workspace that is not local."""
        return f"{self.training}/{_seed(seed)}"

    def training_rows(self, seed: int) -> str:
        """What a seed is trained on where that is not the training split, Parquet: ``row, label``."""
        return f"{self.folder}/rows/training/{_seed(seed)}.parquet"

    def vectors(self, which: str) -> str:
        """Embeddings of the initial or the tuned model, Parquet: ``row, vector``."""
        return f"{self.folder}/embeddings/{_which(which)}.parquet"

    def neighbours(self, which: str) -> str:
        """Nearest examples by these, Parquet: ``row, neighbours, similarity, agreement``."""
        return f"{self.folder}/neighbours/{_which(which)}.parquet"

    def map(self, which: str) -> str:
        """Map of these, Parquet: ``row, x, y``."""
        return f"{self.folder}/maps/{_which(which)}.parquet"

    def map_parameters(self, which: str) -> str:
        """What the map was drawn with, JSON."""
        return f"{self.folder}/maps/{_which(which)}.json"

    def suspects(self, key: str) -> str:
        """A table of suspects, kept by what it depends on, Arrow."""
        return f"{self.folder}/suspects/{key}.arrow"

    def policy(self, name: str) -> str:
        """A saved policy, JSON."""
        return f"{self.policies}/{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


class ExportPaths:
    """Paths of what is known of one export, in ``exports/<export id>``."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.data = f"{folder}/data"  # the exported files, where no other folder was named


class Layout:
    """Paths of one workspace; an id that would lead elsewhere is a NotFoundError."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.version = files.path("workspace.json")
        self.datasets = files.path("datasets")
        self.exports = files.path("exports")
        self.proofs = files.path("proofs")

    def ids(self, folder: str) -> list[str]:
        """What can be ids among the names in one of the folders of datasets, exports or proofs."""
        return list(filter(is_id, (name.removesuffix(".json") for name in self._files.list(folder))))

    def dataset(self, dataset_id: str) -> DatasetPaths:
        """Paths of a dataset."""
        return DatasetPaths(self._files.path("datasets", checked_id("dataset", dataset_id)))

    def run(self, run_id: str) -> RunPaths:
        """Paths of a run."""
        return RunPaths(self._files.path("runs", checked_id("run", run_id)))

    def export(self, export_id: str) -> ExportPaths:
        """Paths of an export."""
        return ExportPaths(self._files.path("exports", checked_id("export", export_id)))

    def proof(self, proof_id: str) -> str:
        """What a proof is made of, JSON."""
        return self._files.path("proofs", f"{checked_id('proof', proof_id)}.json")

    def proof_training(self, key: str) -> str:
        """A training of proofs, JSON."""
        return self._files.path("proofs", "trainings", f"{checked_id('training', key)}.json")

    def measurement(self, dataset_id: str, key: str) -> str:
        """Seconds per example of a model on this machine, JSON."""
        return self._files.path("measurements", f"{checked_id('dataset', dataset_id)}-{checked_id('key', key)}.json")


def _which(which: str) -> str:
    return checked_id("map", which)


def _seed(seed: int | None) -> str:
    return f"seed={MEAN if seed is None else int(seed)}"


def _checkpoint(checkpoint: float) -> str:
    return f"checkpoint={checkpoint:.10g}"
