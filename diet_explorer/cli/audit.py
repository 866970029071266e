"""Commands about wrong labels: suspects, k-fold training, noise check. `cli` registers them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from diet_explorer.analysis.suspects.noise import CAUTION, NoiseMode
from diet_explorer.analysis.suspects.witnesses import COMBINED, WITNESSES
from diet_explorer.cli import output as out
from diet_explorer.cli.options import CheckpointOption, JsonOption, RunArgument, WorkspaceOption, open_workspace

if TYPE_CHECKING:
    from diet_explorer.workspace.run import Run
    from diet_explorer.workspace.workspace import Workspace

TEXT_WIDTH = 80
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end, with a worker of its own.")]


def suspects_command(
    run: RunArgument,
    by: Annotated[
        str,
        typer.Option(metavar="WITNESS", help=" · ".join(f"{entry.name}: {entry.explanation}" for entry in WITNESSES)),
    ] = COMBINED,
    checkpoint: CheckpointOption = None,
    top: Annotated[int, typer.Option(min=1, help="How many examples.")] = 100,
    label: Annotated[list[str] | None, typer.Option(help="Only this given label; repeat for more.")] = None,
    undecided: Annotated[
        bool, typer.Option("--undecided", help="Only examples that nobody has decided about.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List training examples whose labels deserve a look, with reasons and a suggested label."""
    place = open_workspace(workspace)
    from diet_explorer.analysis.filters import ExampleFilter
    from diet_explorer.analysis.suspects.table import KIND_RULE
    from diet_explorer.cli.finding import find_run

    found = find_run(place, run)
    where = ExampleFilter(labels=tuple(label or ()), decided=("undecided",) if undecided else ())
    frame = found.audit.suspects(by, where if label or undecided else None, checkpoint, top)
    records = frame.to_dict("records")
    if as_json:
        missing = [
            {"name": entry.name, "remedy": entry.remedy}
            for entry in found.audit.witnesses(checkpoint)
            if not entry.available
        ]
        out.print_json({"run": found.id, "by": by, "suspects": records, "missing_witnesses": missing})
        return
    rows = [
        (
            entry["place"],
            entry["id"],
            entry["label"],
            "–" if entry["suggested"] is None else f"{entry['suggested']} {entry['suggested_share']:.0%}",
            f"{entry['suspicion']:.3f}",
            entry["kind"],
            entry["text"][:TEXT_WIDTH],
            "; ".join(entry["reasons"]),
        )
        for entry in records
    ]
    out.print_table(("place", "id", "given", "suggested", "suspicion", "kind", "text", "reasons"), rows)
    out.note(KIND_RULE)
    for witness in found.audit.witnesses(checkpoint):
        if not witness.available:
            out.note(f"{witness.title} is missing. {witness.remedy}")


def folds_command(
    run: RunArgument,
    folds: Annotated[int, typer.Option(min=2, help="Into how many parts the training split is cut.")] = 4,
    repeats: Annotated[int, typer.Option(min=1, help="How often, with other parts each time.")] = 1,
    wait: WaitOption = True,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train again with a part left out each time, so that every label is judged by models that never saw it."""
    place = open_workspace(workspace)
    from diet_explorer.cli.finding import find_run

    found = find_run(place, run)
    child = found.audit.folds(folds, repeats)
    _finish(place, child, wait, as_json, f"See diet-explorer suspects {found.id}")


def noise_command(
    run: RunArgument,
    share: Annotated[float, typer.Option(help="Share of the labels to flip on a copy, up to 0.5.")] = 0.1,
    mode: Annotated[
        NoiseMode, typer.Option(help="Any other class alike, or those that the models mix up.")
    ] = "uniform",
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    report: Annotated[bool, typer.Option("--report", help="Only show the report of the latest check.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Flip a known share of labels on a copy, score it, and report how well each witness finds them."""
    place = open_workspace(workspace)
    from diet_explorer.cli.finding import find_run, wait_for

    found = find_run(place, run)
    if not report:
        child = found.audit.noise_check(share, mode, seed)
        out.note(f"Training on a copy with wrong labels, as {child.id}")
        wait_for(child, place)
    frame = found.audit.noise_report()
    if as_json:
        out.print_json({"run": found.id, "caution": CAUTION, "witnesses": frame.to_dict("records")})
        return
    rows = [
        (entry.title, f"{entry.average_precision:.3f}", f"{entry.precision:.1%}", f"{entry.chance:.1%}")
        for entry in frame.itertuples()
    ]
    out.print_table(("witness", "average precision", "precision among as many as are wrong", "chance"), rows)
    out.note(CAUTION)


def _finish(place: Workspace, child: Run, wait: bool, as_json: bool, then: str) -> None:
    """Follow a further training to its end if that is wanted, and say what came of it."""
    from diet_explorer.cli.finding import run_facts, wait_for

    if wait:
        out.note(f"{child.name}, as {child.id}")
        wait_for(child, place)
    if as_json:
        out.print_json({**run_facts(child.refresh()), "progress": asdict(child.progress())})
    else:
        out.print_line(then if wait else f"Queued {child.id}. Follow it with: diet-explorer status {child.id}")
