"""Commands that look at scores: rank, stability, compare, and training dynamics in and out. `app` registers them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.cli import output as out
from diet_explorer.cli.finding import find_dataset, find_run
from diet_explorer.cli.options import (
    CheckpointOption,
    JsonOption,
    RunArgument,
    ScoreOption,
    SeedOption,
    TopOption,
    WorkspaceOption,
    open_workspace,
    with_filter_flags,
)
from diet_explorer.cli.runs import run_facts
from diet_explorer.errors import NotFoundError
from diet_explorer.scoring import catalogue

if TYPE_CHECKING:
    import pandas as pd

    from diet_explorer.workspace.run import Run

TEXT_WIDTH = 100
AgreementOf = Literal["checkpoints", "seeds", "scores"]
OtherRunArgument = Annotated[str, typer.Argument(metavar="OTHER", help="Another run of the same dataset.")]


@with_filter_flags
def rank_command(
    name: RunArgument,
    by: ScoreOption = catalogue.DEFAULT_SCORE,
    checkpoint: CheckpointOption = None,
    seed: SeedOption = None,
    top: TopOption = 50,
    *,
    where: ExampleFilter,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List examples from the worst on, all or those that a filter keeps."""
    score = catalogue.score(by)
    run = find_run(open_workspace(home), name)
    point = _checkpoint(run, checkpoint, seed)
    frame = run.ranked(by, point, seed=seed, where=where, limit=top)
    warnings = run.dynamics.warnings(point, seed, by)
    if as_json:
        facts = {"run": run.id, "by": by, "checkpoint": point, "seed": seed, "filter": where.to_query()}
        facts |= {"count": run.count(where, point, seed=seed), "warnings": [asdict(entry) for entry in warnings]}
        out.print_json({**facts, "examples": _records(frame)})
        return
    whose = "mean over seeds" if seed is None else f"seed {seed}"
    out.print_line(f"{score.axis} · {catalogue.checkpoint_title(point)} · {whose}")
    for entry in warnings:
        out.print_line(entry.words)
    if frame.empty:
        asked = "; ".join(words for words, _ in where.describe()) or "none"
        out.print_line(
            f"No example fits the filters: {asked}. The dataset's splits: {', '.join(run.dataset.manifest.splits)}."
        )
        return
    names = ["rank", "id", by, "label", "predicted", "text"]
    shown = frame.assign(text=frame["text"].str[:TEXT_WIDTH], **{by: frame[by].map("{:.4f}".format)})
    out.print_table(names, shown[names].itertuples(index=False))


def stability_command(
    name: RunArgument,
    by: ScoreOption = catalogue.DEFAULT_SCORE,
    between: Annotated[AgreementOf, typer.Option(help="What is compared.")] = "checkpoints",
    checkpoint: Annotated[float | None, typer.Option(help="For seeds and scores. Default: 1.")] = None,
    seed: SeedOption = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far checkpoints, seeds or scores rank the training examples alike."""
    run = find_run(open_workspace(home), name)
    if between == "checkpoints":
        frame = run.dynamics.stability(by, seed)
    elif between == "seeds":
        frame = run.dynamics.seed_stability(by, checkpoint)
    else:
        frame = run.dynamics.agreement(checkpoint, seed=seed)
    if as_json:
        out.print_json({"run": run.id, "by": None if between == "scores" else by, "agreement": _records(frame)})
        return
    shares = [name for name in frame.columns if name.startswith("top_")]
    head = [between[:-1], "and", "Spearman", *(f"worst {float(name[4:]):.0%}" for name in shares)]
    rows = [
        (f"{first:g}", f"{second:g}") if between != "scores" else (first, second)
        for first, second in zip(frame["first"], frame["second"], strict=True)
    ]
    figures = zip(
        frame["spearman"].map("{:.3f}".format), *(frame[name].map("{:.1%}".format) for name in shares), strict=True
    )
    out.print_table(head, [(*names, *values) for names, values in zip(rows, figures, strict=True)])


def compare_command(
    name: RunArgument,
    other: OtherRunArgument,
    by: ScoreOption = catalogue.DEFAULT_SCORE,
    checkpoint: CheckpointOption = None,
    other_checkpoint: Annotated[float | None, typer.Option(help="Of the other run. Default: the same.")] = None,
    seed: SeedOption = None,
    top: TopOption = 50,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the training examples that moved most between two runs of a dataset."""
    workspace = open_workspace(home)
    here, there = find_run(workspace, name), find_run(workspace, other)
    point = _checkpoint(here, checkpoint, seed)
    frame = here.dynamics.compare(there, by, point, other_checkpoint, seed=seed, limit=top)
    summary = here.dynamics.compare_summary(there, by, point, other_checkpoint, seed=seed)
    if as_json:
        facts = {"run": here.id, "other": there.id, "by": by, "checkpoint": point, "other_checkpoint": other_checkpoint}
        out.print_json({**facts, "summary": asdict(summary), "examples": _records(frame)})
        return
    overlaps = ", ".join(f"{overlap:.0%} of the worst {share:.0%}" for share, overlap in summary.overlap.items())
    spearman = "none" if summary.spearman is None else f"{summary.spearman:.3f}"
    title = catalogue.score(by).title
    out.print_line(f"{title} of {summary.examples:,} training examples: Spearman {spearman}; the same: {overlaps}")
    rows = [
        (
            f"{record['moved']:+.1f}",
            record["id"],
            f"{record['here']:.4f}",
            f"{record['there']:.4f}",
            record["label"],
            record["text"][:TEXT_WIDTH],
        )
        for record in _records(frame)
    ]
    out.print_table(("percentiles", "id", "here", "there", "label", "text"), rows)


def export_cartography_command(
    name: RunArgument,
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Gets dynamics_epoch_0.jsonl and so on.")],
    seed: Annotated[int | None, typer.Option(help="Which seed. Default: the first.")] = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write training dynamics in Dataset Cartography's format."""
    run = find_run(open_workspace(home), name)
    written = [str(path) for path in run.dynamics.export_cartography(output, seed)]
    lines = "\n".join(f"Wrote {path}" for path in written)
    out.print_result({"run": run.id, "written": written}, lines, as_json=as_json)


def import_cartography_command(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Id or name; its ids are the files' guids.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Holds dynamics_epoch_0.jsonl and so on.")],
    name: Annotated[str | None, typer.Option(help="What to call the run.")] = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import training dynamics of Dataset Cartography's format as a run."""
    workspace = open_workspace(home)
    run = workspace.import_cartography(find_dataset(workspace, dataset), folder, name=name)
    line = f"Imported {len(run.checkpoints())} epochs as {run.id}. See diet-explorer rank {run.id}"
    out.print_result(run_facts(run), line, as_json=as_json)


def _checkpoint(run: Run, checkpoint: float | None, seed: int | None) -> float:
    if seed is not None and seed not in run.landed():
        known = ", ".join(str(number) for number in run.landed()) or "none yet"
        raise NotFoundError(f"The run {run.id} has no scores of seed {seed}.", f"Recorded seeds: {known}.")
    return run.checkpoint_or_default(checkpoint, seed)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values; what is not a number is None."""
    records = cast(list[dict[str, Any]], frame.to_dict("records"))
    return [{key: (None if value != value else value) for key, value in record.items()} for record in records]
