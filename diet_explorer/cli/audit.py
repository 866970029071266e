"""Commands about wrong labels: suspects, k-fold training, noise check. `app` registers them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.suspects.noise import CAUTION, NoiseMode
from diet_explorer.analysis.suspects.witnesses import COMBINED, WITNESSES
from diet_explorer.cli import output as out
from diet_explorer.cli.finding import find_run
from diet_explorer.cli.options import (
    CheckpointOption,
    JsonOption,
    RunArgument,
    TopOption,
    WaitOption,
    WorkspaceOption,
    open_workspace,
)
from diet_explorer.cli.runs import run_facts, wait_for_run

TEXT_WIDTH = 80


def suspects_command(
    name: RunArgument,
    by: Annotated[
        str,
        typer.Option(metavar="WITNESS", help=" · ".join(f"{entry.name}: {entry.explanation}" for entry in WITNESSES)),
    ] = COMBINED,
    checkpoint: CheckpointOption = None,
    top: TopOption = 100,
    label: Annotated[list[str] | None, typer.Option(help="Only this given label; repeat for more.")] = None,
    undecided: Annotated[
        bool, typer.Option("--undecided", help="Only examples that nobody has decided about.")
    ] = False,
    first: Annotated[
        int,
        typer.Option(min=1, help="Of how many first suspects to estimate how many are wrong."),
    ] = 100,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List training examples whose labels deserve a look, with reasons, a suggested label and an estimate of how many
    are wrong."""
    run = find_run(open_workspace(home), name)
    from diet_explorer.analysis.suspects.table import KIND_RULE

    where = None
    if label or undecided:
        where = ExampleFilter(labels=tuple(label or ()), decided=("undecided",) if undecided else ())
    frame = run.audit.suspects(by, where, checkpoint, top)
    errors = run.audit.expected_errors(first, by, where, checkpoint)
    records = frame.to_dict("records")
    if as_json:
        missing = [
            {"name": entry.name, "remedy": entry.remedy}
            for entry in run.audit.witnesses(checkpoint)
            if not entry.available
        ]
        said = asdict(errors) | {"words": errors.words}
        out.print_json({"run": run.id, "by": by, "suspects": records, "expected": said, "missing_witnesses": missing})
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
    out.note(errors.words)
    out.note(KIND_RULE)
    for witness in run.audit.witnesses(checkpoint):
        if not witness.available:
            out.note(f"{witness.title} is missing. {witness.remedy}")


def folds_command(
    name: RunArgument,
    folds: Annotated[int, typer.Option(min=2, help="Into how many parts the training split is cut.")] = 4,
    repeats: Annotated[int, typer.Option(min=1, help="How often, with other parts each time.")] = 1,
    wait: WaitOption = True,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train again with a part left out each time, so that every label is judged by models that never saw it."""
    workspace = open_workspace(home)
    run = find_run(workspace, name)
    child = run.audit.folds(folds, repeats)
    if wait:
        out.note(f"{child.name}, as {child.id}")
        wait_for_run(child, workspace)
        line = f"See diet-explorer suspects {run.id}"
    else:
        line = f"Queued {child.id}. Follow it with: diet-explorer status {child.id}"
    facts = {**run_facts(child.refresh()), "progress": asdict(child.progress())}
    out.print_result(facts, line, as_json=as_json)


def noise_command(
    name: RunArgument,
    share: Annotated[float, typer.Option(help="Share of the labels to flip on a copy, up to 0.5.")] = 0.1,
    mode: Annotated[
        NoiseMode, typer.Option(help="Any other class alike, or those that the models mix up.")
    ] = "uniform",
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    report: Annotated[bool, typer.Option("--report", help="Only show the report of the latest check.")] = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Flip a known share of labels on a copy, score it, and report how well each witness finds them."""
    workspace = open_workspace(home)
    run = find_run(workspace, name)
    if not report:
        child = run.audit.noise_check(share, mode, seed)
        out.note(f"Training on a copy with wrong labels, as {child.id}")
        wait_for_run(child, workspace)
    frame = run.audit.noise_report()
    if as_json:
        out.print_json({"run": run.id, "caution": CAUTION, "witnesses": frame.to_dict("records")})
        return
    rows = [
        (entry.title, f"{entry.average_precision:.3f}", f"{entry.precision:.1%}", f"{entry.chance:.1%}")
        for entry in frame.itertuples()
    ]
    out.print_table(("witness", "average precision", "precision among as many as are wrong", "chance"), rows)
    out.note(CAUTION)
