"""Commands that make a smaller set: prune and exports. `app` registers them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.finding import find_export, find_run
from diet_explorer.cli.options import CheckpointOption, JsonOption, ScoreOption, WorkspaceOption, open_workspace
from diet_explorer.errors import BadInputError
from diet_explorer.pruning.export.formats import ExportFormat
from diet_explorer.pruning.policies import KIND_NOTES, Policy, PolicyKind
from diet_explorer.scoring import catalogue

if TYPE_CHECKING:
    from diet_explorer.workspace.exports import Export
    from diet_explorer.workspace.pruning import RunPlan
    from diet_explorer.workspace.workspace import Workspace

_KINDS = " ".join(f"{kind}: {note}" for kind, note in KIND_NOTES.items())
_DEFAULT = Policy()
DropHardestOption = Annotated[float, typer.Option(metavar="PERCENT", help="For window, class_balanced, stratified.")]
DropEasiestOption = Annotated[float, typer.Option(metavar="PERCENT", help="For window and class_balanced.")]
KeepOption = Annotated[float, typer.Option(metavar="PERCENT", help="For hardest, easiest, random and stratified.")]


def prune_command(
    name: Annotated[str | None, typer.Argument(metavar="RUN", help="Id, beginning of an id, name, or: last.")] = None,
    policy: Annotated[PolicyKind, typer.Option(help=_KINDS)] = "window",
    saved: Annotated[str | None, typer.Option(metavar="NAME", help="A policy saved with the run, instead.")] = None,
    drop_hardest: DropHardestOption = 0.0,
    drop_easiest: DropEasiestOption = 0.0,
    keep: KeepOption = 100.0,
    size: Annotated[int | None, typer.Option(help="Keep exactly so many training examples, instead of --keep.")] = None,
    minimum_per_class: Annotated[int, typer.Option(help="No class goes below it.")] = _DEFAULT.minimum_per_class,
    strata: Annotated[int, typer.Option(help="Ranges of scores, for stratified.")] = _DEFAULT.strata,
    seed: Annotated[int, typer.Option(help="Of the draw, for random and stratified.")] = 0,
    decisions: Annotated[bool, typer.Option("--decisions/--no-decisions", help="Apply annotators' decisions.")] = True,
    deduplicate: Annotated[bool, typer.Option("--deduplicate", help="Keep one of each near-duplicates.")] = False,
    score: ScoreOption = catalogue.DEFAULT_SCORE,
    checkpoint: CheckpointOption = None,
    run_seed: Annotated[int | None, typer.Option(help="One seed of the run. Default: the mean over seeds.")] = None,
    decisions_at: Annotated[
        int | None, typer.Option(metavar="POSITION", help="Leave later decisions out. Default: all count.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="A new or empty folder for the export.")] = None,
    form: Annotated[ExportFormat, typer.Option("--format", help="How rows are written.")] = "csv",
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="Dropped rows too, with keep, reason, original_label, notes and scores.")
    ] = False,
    neutralise_formulas: Annotated[
        bool, typer.Option("--neutralise-formulas", help="In CSV, an apostrophe before texts that look like formulas.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would be dropped.")] = False,
    save: Annotated[str | None, typer.Option(metavar="NAME", help="Save the policy under a name as well.")] = None,
    from_manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an export again from its manifest.json, byte for byte.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Write now, or only queue the job.")] = True,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drop examples by a policy, and export what stays."""
    workspace = open_workspace(home)
    if from_manifest is not None:
        _replay(workspace, from_manifest, name, output, as_json)
        return
    if name is None:
        raise BadInputError("No run is named.", "Give the run whose scores count, or --from-manifest.")
    run = find_run(workspace, name)
    asked = Policy(
        kind=policy,
        drop_hardest=drop_hardest,
        drop_easiest=drop_easiest,
        keep=keep,
        size=size,
        minimum_per_class=minimum_per_class,
        strata=strata,
        seed=seed,
        use_decisions=decisions,
        deduplicate=deduplicate,
        score=score,
        checkpoint=checkpoint,
        run_seed=run_seed,
    )
    if saved is not None:
        if asked != _DEFAULT:
            raise BadInputError("--saved names a whole policy.", "Leave out the other options of the policy.")
        asked = run.pruning.saved_policy(saved).policy
    plan = run.pruning.plan(asked, decisions_at=decisions_at)
    if save is not None:
        run.pruning.save_policy(save, plan.policy)
    if preview:
        _print_preview(plan, as_json)
        return
    if wait:
        line = out.LiveLine()
        try:
            export = plan.export(
                output,
                format=form,
                all_rows=all_rows,
                neutralise_formulas=neutralise_formulas,
                progress=lambda share, words: line.show(f"{share:.0%} · {words}", "writing"),
            )
        finally:
            line.close()
    else:
        export = plan.submit_export(output, format=form, all_rows=all_rows, neutralise_formulas=neutralise_formulas)
    _print_export(export, plan, workspace, as_json)


def exports_command(
    name: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Only this run's.")] = None,
    cancel: Annotated[str | None, typer.Option(metavar="EXPORT", help="Stop one instead.")] = None,
    follow: Annotated[str | None, typer.Option(metavar="EXPORT", help="Wait for the end of one instead.")] = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the exports, newest first."""
    workspace = open_workspace(home)
    if cancel is not None or follow is not None:
        export = find_export(workspace, cancel or follow or "")
        if cancel is not None:
            export.cancel()
        else:
            _follow(export, workspace)
        out.print_result(
            _export_facts(export), f"{export.id} is {export.progress().label}: {export.folder}", as_json=as_json
        )
        return
    exports = workspace.exports(None if name is None else find_run(workspace, name))
    if as_json:
        out.print_json([_export_facts(export) for export in exports])
    elif not exports:
        out.print_line("No exports yet. Make one with: diet-explorer prune RUN --policy window --drop-hardest 2")
    else:
        rows = [
            (export.id, export.progress().label, out.ago(export.created_at), export.options.format, export.folder)
            for export in exports
        ]
        out.print_table(("export", "status", "asked", "format", "folder"), rows)
        out.note_delays(export.progress().delay for export in exports)


def _export_facts(export: Export) -> dict[str, Any]:
    """An export in plain values, for JSON."""
    return {
        "id": export.id,
        "run": export.run_id,
        "folder": export.folder,
        "created_at": export.created_at,
        "by": export.by,
        "policy": export.policy.to_json(),
        "decisions_at": export.request.decisions_at,
        "options": asdict(export.options),
        **out.job_facts(export.progress(), "state stage share seconds_left error remedy delay starts"),
    }


def _replay(workspace: Workspace, manifest: Path, run: str | None, output: Path | None, as_json: bool) -> None:
    if run is not None:
        raise BadInputError("--from-manifest says which run it is about.", "Leave the run out.")
    export = workspace.export_again(manifest, output)
    out.print_result(_export_facts(export), f"Wrote the same bytes again: {export.folder}", as_json=as_json)


def _follow(export: Export, workspace: Workspace) -> None:
    from diet_explorer.cli.following import follow, in_stages, some_worker

    with some_worker(workspace) as child:
        follow(export.progress, in_stages, child)
    export.wait()


def _print_preview(plan: RunPlan, as_json: bool) -> None:
    preview = plan.preview()
    if as_json:
        frames = {
            name: getattr(preview, name).to_dict("records")
            for name in ("counts", "reasons", "histogram", "boundary", "decisions", "suspects")
        }
        lengths = {name: getattr(preview.lengths, name).to_dict("records") for name in ("summary", "histogram")}
        facts = {"policy": plan.policy.to_json(), "decisions_at": plan.decisions_at, **frames, "lengths": lengths}
        facts |= {"cuts": [asdict(cut) for cut in preview.cuts], "ignored_decisions": preview.ignored_decisions}
        out.print_json(facts | {"noise": None if preview.noise is None else asdict(preview.noise)})
        return
    out.print_line(plan.policy.describe())
    _print_counts(plan)
    for reason, rows in plan.reasons().itertuples(index=False):
        out.print_line(f"{rows:>9,}  {reason}")
    if preview.noise is not None:
        out.print_line(f"Expected wrong labels: {preview.noise.before:.1%} before, {preview.noise.after:.1%} after.")


def _print_counts(plan: RunPlan) -> None:
    rows = [
        (entry.split, entry.label, f"{entry.before:,}", f"{entry.dropped:,}", f"{entry.kept:,}")
        for entry in plan.counts().itertuples()
    ]
    out.print_table(("split", "label", "before", "dropped", "kept"), rows)


def _print_export(export: Export, plan: RunPlan, workspace: Workspace, as_json: bool) -> None:
    if as_json:
        out.print_json({**_export_facts(export), "kept": len(plan.rows), "dropped": plan.dropped})
        return
    out.print_line(plan.policy.describe())
    _print_counts(plan)
    if export.status == "succeeded":
        out.print_line(f"Wrote {export.folder} ({export.id})")
        for column in export.manifest["columns"]:
            if column["written"]:
                out.print_line(f"Column {column['name']!r} ({column['type']}): {column['written']}.")
        out.print_line(f"Read it as it is with: {export.reading_code}")
    else:
        from diet_explorer.jobs.slots import workers_in_words

        out.print_line(f"Queued {export.id}. {workers_in_words(workspace.settings)}")
