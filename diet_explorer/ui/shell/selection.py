"""The view of the URL, resolved: which dataset, run, score, checkpoint and seed a page is about."""

from __future__ import annotations

from dataclasses import dataclass, replace

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.drawing.colours import class_colours
from diet_explorer.errors import BadInputError, DietExplorerError, NotFoundError
from diet_explorer.scoring import catalogue
from diet_explorer.store.runs import ACTIVE
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.person import NOBODY, person
from diet_explorer.ui.shell.view import View, read_view, write
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run


@dataclass(frozen=True)
class Selection:
    """What is selected, with defaults filled in; None where there is nothing to choose from yet.

    Attributes
    ----------
    view : View
        As it stands in the URL.
    datasets, runs : list
        What can be chosen; `runs` are those of the dataset.
    dataset, run : Dataset or None, Run or None
    scores : list of str
        Scores that there are at the checkpoint.
    checkpoints : list of float
        Those whose ranking is there for the seed.
    seeds : list of int
        Seeds of which something has landed.
    score : catalogue.Score
    checkpoint : float or None
    seed : int or None
    where : ExampleFilter
        The filter; in a blind review it knows one's own notes alone.
    """

    view: View
    datasets: list[Dataset]
    runs: list[Run]
    dataset: Dataset | None
    run: Run | None
    scores: list[str]
    checkpoints: list[float]
    seeds: list[int]
    score: catalogue.Score
    checkpoint: float | None
    seed: int | None
    where: ExampleFilter

    @property
    def colours(self) -> dict[str, str]:
        """Class name to hex colour, fixed for the dataset."""
        return class_colours(self.dataset.classes) if self.dataset else {}


def resolve(view: View) -> Selection:
    """Fill in what the view leaves open.

    The newest dataset and its newest run are the defaults; a run decides its dataset. A score over the training that
    there is not yet at the checkpoint gives way to the default; what does not exist at all is an error.

    Raises
    ------
    NotFoundError
        The link names a dataset, run or seed that is not there.
    """
    workspace = open_workspace()
    datasets = workspace.datasets()
    run = workspace.run(view.run) if view.run else None
    if run is not None:
        dataset: Dataset | None = run.dataset
    elif view.dataset:
        dataset = workspace.dataset(view.dataset)
    else:
        newest = workspace.runs()[:1]
        dataset = newest[0].dataset if newest else (datasets[0] if datasets else None)
    runs = workspace.runs(dataset) if dataset else []
    if run is None and runs:
        run = next((entry for entry in runs if entry.checkpoints() or entry.status in ACTIVE), runs[0])
    seeds = sorted(run.landed()) if run else []
    if run is not None and view.seed is not None and view.seed not in range(run.config.seeds):
        raise NotFoundError(f"The run has no seed {view.seed}.", f"Its seeds go from 0 to {run.config.seeds - 1}.")
    checkpoints = run.checkpoints(view.seed) if run else []
    checkpoint = _checkpoint(view, run, checkpoints)
    scores = questions.score_names(run, checkpoint, view.seed) if run and checkpoint is not None else []
    return Selection(
        view=view,
        datasets=datasets,
        runs=runs,
        dataset=dataset,
        run=run,
        scores=scores,
        checkpoints=checkpoints,
        seeds=seeds,
        score=_score(view, scores),
        checkpoint=checkpoint,
        seed=view.seed,
        where=_readable(view.where, dataset),
    )


def _readable(where: ExampleFilter, dataset: Dataset | None) -> ExampleFilter:
    """The filter as whoever asks may use it."""
    asks_for_notes = where.note or where.noted is not None
    if dataset is None or not asks_for_notes or not dataset.ledger.rules().blind:
        return where
    return replace(where, notes_of=(person() or NOBODY).name)


def _score(view: View, recorded: list[str]) -> catalogue.Score:
    chosen = catalogue.score(view.score or catalogue.DEFAULT_SCORE)
    if recorded and chosen.name not in recorded:
        if view.score and chosen.span == "checkpoint":
            titles = ", ".join(catalogue.score(name).title for name in recorded)
            raise NotFoundError(f"This run did not record {chosen.title}.", f"It recorded: {titles}.")
        return catalogue.score(recorded[0])
    return chosen


def _checkpoint(view: View, run: Run | None, landed: list[float]) -> float | None:
    if run is None or not landed:
        return None
    if view.checkpoint is None:
        return run.default_checkpoint(view.seed)
    if view.checkpoint in landed:
        return view.checkpoint
    titles = ", ".join(catalogue.checkpoint_title(point) for point in landed)
    if view.checkpoint in run.config.checkpoints:
        raise BadInputError(
            f"The scores {catalogue.checkpoint_title(view.checkpoint)} have not landed yet.",
            f"Wait for the run, or choose one that is there: {titles}.",
        )
    raise NotFoundError(f"The run has no checkpoint {view.checkpoint:g}.", f"Those that are there: {titles}.")


def refine(where: ExampleFilter) -> None:
    """Make `where` the URL's filter; for callbacks of controls, before the page runs again."""
    view = read_view()
    changed = view.changed(where=where)
    try:
        keeps = view.example is not None and _matches(resolve(changed), view.example)
    except DietExplorerError:  # the page itself will say what is wrong with the address
        keeps = False
    write(replace(changed, example=view.example) if keeps else changed)


def _matches(selection: Selection, row: int) -> bool:
    run, checkpoint, where = selection.run, selection.checkpoint, selection.where
    if run is None or checkpoint is None:
        return False
    example = questions.card(run, row, checkpoint, selection.seed)[0]
    if where.ids and example.id not in where.ids:
        return False
    return questions.count(run, checkpoint, selection.seed, replace(where, ids=(example.id,))) > 0
