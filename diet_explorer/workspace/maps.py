"""Embeddings of a run: neighbours of an example, and the embedding map."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.projection import MapParameters
from diet_explorer.errors import BadInputError, DietExplorerError, NotFoundError
from diet_explorer.jobs.kinds.map import MapJob, MapProgress, MapRequest
from diet_explorer.store.embeddings import EmbeddingFiles, Representation
from diet_explorer.store.queries import parquet
from diet_explorer.store.runs import ACTIVE
from diet_explorer.training.models import recorded_model
from diet_explorer.workspace.core import RunCore

if TYPE_CHECKING:
    from diet_explorer.drawing.frame import Figure


class Maps:
    """Embeddings of the examples of a run.

    ``tuned`` embeddings come from the model at the end of seed 0, ``initial`` ones from before fine-tuning.
    """

    def __init__(self, run: RunCore) -> None:
        self._run = run

    def neighbours(self, row: int, which: Representation | None = None) -> pd.DataFrame:
        """The examples that are most like one, by the cosine of their embeddings.

        Parameters
        ----------
        row : int
        which : {"tuned", "initial"}, optional
            By default the tuned embeddings, or the initial ones where only these are there.

        Returns
        -------
        pandas.DataFrame
            ``row, id, text, [text_pair,] label, split, similarity`` in [−1, 1], nearest first; empty where neighbours
            have not been computed, see `draw`.
        """
        columns = ["row", "id", "text", *(["text_pair"] if self._run.dataset.manifest.mapping.text_pair else [])]
        found = self._neighbour_record(row, which)
        pairs = [] if found is None else list(zip(found["neighbours"], found["similarity"], strict=True))
        similarity = {other: value for other, value in pairs if other >= 0}
        examples = self._run.dataset.examples(list(similarity))[[*columns, "label", "split"]]
        examples["similarity"] = examples["row"].map(similarity).astype(float)
        return examples.sort_values(["similarity", "row"], ascending=[False, True], ignore_index=True)

    def neighbour_agreement(self, row: int, which: Representation | None = None) -> float | None:
        """Share of an example's training neighbours that have its given label, in [0, 1], low = suspect.

        None where neighbours have not been computed, or none of them is a training example.
        """
        found = self._neighbour_record(row, which)
        share = None if found is None else found["agreement"]
        return None if share is None or share != share else float(share)

    def draw(
        self, which: Representation = "tuned", *, neighbors: int = 15, min_dist: float = 0.1, seed: int = 0
    ) -> MapProgress:
        """Queue the drawing of the embedding map, and of whatever it needs; returns at once.

        Nothing happens where this very map is drawn already.

        Parameters
        ----------
        which : {"tuned", "initial"}
        neighbors : int
            How many neighbours each example is kept near to, 2 to 200.
        min_dist : float
            How closely examples may be packed, in [0, 1].
        seed : int

        Raises
        ------
        BadInputError
            A parameter is out of its range, the map is being drawn, or the embeddings cannot be had.
        WorkspaceError
            The jobs database cannot be reached or written.
        """
        self._run.context.allow("lead", "start jobs")
        self._job(which)
        self._run.context.bin.take_out("map", self.bin_id(which))  # drawn as it was it is back, else another follows
        parameters = MapParameters(neighbors, min_dist, seed).validated()
        progress = self.progress(which)
        if progress.is_active:
            raise BadInputError("The map is being drawn already.", "Wait for it, or cancel it.")
        self._check_embeddings(which)
        job = self._job(which)
        job_id = f"map-{self._run.id}-{which}-{uuid.uuid4().hex[:8]}"
        job.save_request(MapRequest(id=job_id, parameters=parameters))
        if progress.drawn == parameters:
            job.end(job_id, "succeeded")
            return job.progress()
        try:
            self._run.context.jobs.submit(MapJob.route, job_id, *job.arguments)
        except DietExplorerError as error:
            job.end(job_id, "failed", error)
            raise
        return job.progress()

    def progress(self, which: Representation = "tuned") -> MapProgress:
        """How far the drawing of a map is, and with which parameters the map that is there was drawn."""
        job = self._job(which)
        deleted = self._run.context.bin.get("map", self.bin_id(which)) is not None
        return MapProgress(which=which) if deleted else job.progress()

    def plot(
        self,
        which: Representation = "tuned",
        where: ExampleFilter | None = None,
        checkpoint: float | None = None,
        *,
        colour: str = "label",
        limit: int = 20_000,
    ) -> Figure:
        """The embedding map as a figure; its axes have no meaning, nor have distances between far groups.

        Parameters
        ----------
        which : {"tuned", "initial"}
            Which map, see `draw`.
        where : ExampleFilter, optional
            By default every example of the training split.
        checkpoint : float, optional
            Whose predictions and scores are shown; by default `default_checkpoint`.
        colour : str
            ``label, trajectory, decided`` or a score. For ``label``, an outline marks examples whose given label is not
            the predicted one.
        limit : int
            Where there are more examples, a fixed sample of so many.

        Returns
        -------
        plotly.graph_objects.Figure

        Raises
        ------
        BadInputError
            No example fits the filter.
        NotFoundError
            The map has not been drawn, or there is no such score or checkpoint.
        """
        from diet_explorer.drawing.maps import Axes, map_of  # loads plotly

        point = self._run.checkpoint_or_default(checkpoint, None)
        if self.progress(which).drawn is None:
            raise NotFoundError(f"The {which} map has not been drawn.", f'Draw it: run.maps.draw("{which}").')
        return map_of(
            self._run.ranking(point),
            f"embedding-{which}.x",
            f"embedding-{which}.y",
            Axes("", ""),
            colour,
            self._run.dataset.classes,
            where=where or ExampleFilter(),
            limit=limit,
            title=f"{self._run.name}, embeddings {'after' if which == 'tuned' else 'before'} training",
        )

    def bin_id(self, which: Representation) -> str:
        """What a map is called in the bin."""
        return f"{self._run.id}/{which}"

    def stamp(self) -> str:
        """Changes whenever a map is drawn with other parameters; a key for caches."""
        return EmbeddingFiles(self._run.context.files, self._run.id).stamp()

    def cancel(self, which: Representation = "tuned") -> None:
        """Stop the drawing of a map within seconds; an earlier map stays.

        Raises
        ------
        BadInputError
            It is neither waiting nor being drawn.
        """
        self._run.context.allow("lead", "cancel jobs")
        job = self._job(which)
        if not job.progress().is_active:
            raise BadInputError("No map is being drawn.", "Draw it with the button or `diet-explorer map`.")
        job.cancel()

    def _job(self, which: Representation) -> MapJob:
        if which not in get_args(Representation):
            raise NotFoundError(f"There are no {which!r} embeddings.", "Choose tuned or initial.")
        context = self._run.context
        return MapJob(context.settings, context.files, context.database, self._run.id, which)

    def _check_embeddings(self, which: Representation) -> None:
        if EmbeddingFiles(self._run.context.files, self._run.id).has_vectors(which):
            return
        if self._run.is_imported:
            raise BadInputError(
                f"The run {self._run.id} was imported: its model, which would embed the examples, is not known here.",
                "Score the dataset with diet-explorer score, and draw the map of that run.",
            )
        if which == "initial":
            recorded_model(self._run.config.model)
            return
        if self._run.record.status in ACTIVE:
            remedy = "Wait until its first seed is done, or draw the initial map."
        elif self._run.record.status == "succeeded":
            remedy = "Draw the initial map, or score the dataset again as a new run."
        else:
            remedy = f"Go on with: diet-explorer resume {self._run.id}"
        raise BadInputError(f"The run {self._run.id} has no embeddings of its fine-tuned model.", remedy)

    def _neighbour_record(self, row: int, which: Representation | None) -> dict[str, Any] | None:
        store = EmbeddingFiles(self._run.context.files, self._run.id)
        wanted: list[Representation] = ["tuned", "initial"] if which is None else [which]
        for name in wanted:
            if store.has_neighbours(name):
                sql = f"SELECT * FROM {parquet(store.paths.neighbours(name))} WHERE row = ?"
                records: list[dict[str, Any]] = self._run.context.queries.table(sql, [row]).to_pylist()
                return records[0] if records else None
        return None
