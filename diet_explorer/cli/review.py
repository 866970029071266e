"""Commands about decisions: decide, undo, the ledger in and out, agreement. `app` registers them."""

from __future__ import annotations

import getpass
import sys
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.cli import output as out
from diet_explorer.cli.careful import CarefulCommand
from diet_explorer.cli.finding import find_dataset, find_run
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace
from diet_explorer.cli.piped import piped_text
from diet_explorer.errors import BadInputError

if TYPE_CHECKING:
    from diet_explorer.review.agreement import Interval
    from diet_explorer.store.decisions import DecisionEvent
    from diet_explorer.workspace.dataset import Dataset
    from diet_explorer.workspace.run import Run

SHOWN_IDS = 3
MOST_IDS = 1000
STANDARD = "-"
NOTE = "note"  # as the ledger calls it, which is imported when a command runs

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Id, beginning of an id, name, or: last.")]
AnnotatorOption = Annotated[str | None, typer.Option("--annotator", help="Who decides. Default: the account's name.")]
UidOption = Annotated[
    str | None, typer.Option(help="A name of your own for this decision: sent again with it, it is stored once.")
]
ByOption = Annotated[str | None, typer.Option("--annotator", help="Only this annotator's.")]
SinceOption = Annotated[datetime | None, typer.Option(help="Only from this time on, in UTC.")]
UntilOption = Annotated[datetime | None, typer.Option(help="Only before this time, in UTC.")]

decisions_app = typer.Typer(
    help="The ledger of decisions: list, notes, progress, guidelines, export, import, rules.", rich_markup_mode=None
)


def decide_command(
    name: DatasetArgument,
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of the examples; several are one decision.")],
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="keep, relabel, exclude, unsure, undecided, flag, note …")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The new class, for relabel.")] = None,
    note: Annotated[
        str | None, typer.Option(help="Why; without an action it is left as a note, and nothing is decided.")
    ] = None,
    adjudicate: Annotated[bool, typer.Option("--adjudicate", help="Settle a conflict about one example.")] = False,
    suggesting: Annotated[
        str | None,
        typer.Option(
            "--accept-suggestions",
            metavar="RUN",
            help="Instead of an action: relabel each to the class that this run suggests, if it suggests one.",
        ),
    ] = None,
    uid: UidOption = None,
    annotator: AnnotatorOption = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide about one example or several; nothing is overwritten, and undo takes it back."""
    workspace = open_workspace(home)
    dataset, who = find_dataset(workspace, name), annotator or getpass.getuser()
    rows = dataset.rows_of(ids)
    if suggesting is not None:
        if action or label or adjudicate:
            raise BadInputError(
                "Suggestions are accepted as they are.", "Give --accept-suggestions without an action and a label."
            )
        event = _accept(find_run(workspace, suggesting), dataset, ids, who, note, uid)
        _print_event(dataset, event, as_json, _accepted_words(dataset, event, len(rows)))
        return
    action = action or (NOTE if note else None)
    if action is None:
        raise BadInputError("No decision was given.", "Give --action, --note, or --accept-suggestions with a run.")
    if adjudicate:
        if len(rows) != 1:
            raise BadInputError("One example is adjudicated at a time.", "Give one id.")
        event = dataset.ledger.adjudicate(int(rows[0]), action, annotator=who, label=label, note=note, uid=uid)
    else:
        event = dataset.decide(rows, action, annotator=who, label=label, note=note, uid=uid)
    _print_event(
        dataset, event, as_json, f"Saved: {action} for {len(event.rows)} of {dataset.id}, by {event.annotator}"
    )


def undo_command(
    name: DatasetArgument,
    uid: UidOption = None,
    annotator: AnnotatorOption = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back an annotator's latest decision."""
    dataset = find_dataset(open_workspace(home), name)
    event = dataset.undo(annotator or getpass.getuser(), uid=uid)
    if event is None:
        raise BadInputError("There is nothing to undo.", "Name the annotator whose decision it was with --annotator.")
    _print_event(dataset, event, as_json, f"Undone: it was about {len(event.rows)} of {dataset.id}")


def agreement_command(
    name: DatasetArgument,
    seed: Annotated[int, typer.Option(help="Of the bootstrap intervals.")] = 0,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how far annotators agree: raw, Cohen's κ of each pair, Krippendorff's α, with 95 % intervals."""
    agreement = find_dataset(open_workspace(home), name).ledger.agreement(seed=seed)
    if as_json:
        out.print_json(asdict(agreement))
        return
    facts = {"examples with two opinions or more": agreement.rows, "annotators": agreement.annotators}
    out.print_facts(
        {**facts, "raw agreement": _interval(agreement.raw), "Krippendorff's α": _interval(agreement.alpha)}
    )
    rows = [
        (pair.first, pair.second, pair.rows, _interval(pair.raw), _interval(pair.kappa)) for pair in agreement.pairs
    ]
    if rows:
        out.print_table(("annotator", "and", "examples", "raw", "Cohen's κ"), rows)


@decisions_app.command("progress", cls=CarefulCommand)
def progress_command(name: DatasetArgument, home: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Say how far the review is, who does how much of it, at which pace, and who is behind."""
    dataset = find_dataset(open_workspace(home), name)
    progress = dataset.progress()
    if as_json:
        out.print_json({"dataset": dataset.id, **asdict(progress)})
        return
    out.print_facts(
        {
            "training examples": progress.examples,
            "decided": progress.decided,
            "decisions left": progress.left,
            "per hour of work": _number(progress.per_hour),
            "hours of work left": _number(progress.hours_left),
            "per day": _number(progress.per_day),
            "days left": _number(progress.days_left),
        }
    )
    rows = [
        (
            person.annotator,
            person.examples,
            person.behind,
            person.today,
            _number(person.per_hour),
            "–" if person.agreement is None else f"{100 * person.agreement:.0f} %",
            person.guidelines,
        )
        for person in progress.people
    ]
    if rows:
        out.print_table(("annotator", "examples", "behind", "today", "per hour", "agreement", "guidelines"), rows)


@decisions_app.command("guidelines", cls=CarefulCommand)
def guidelines_command(
    name: DatasetArgument,
    source: Annotated[
        str | None, typer.Option("--set", metavar="FILE|-", help="A new version, in Markdown; - reads standard input.")
    ] = None,
    versions: Annotated[bool, typer.Option("--versions", help="List all versions instead of the text.")] = False,
    annotator: AnnotatorOption = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a dataset's examples are to be labelled, or write a new version for everybody."""
    dataset = find_dataset(open_workspace(home), name)
    if source is not None:
        dataset.set_guidelines(_read(source), by=annotator or getpass.getuser())
    every = dataset.guideline_versions()
    shown = every if versions else every[-1:]
    if as_json:
        out.print_json({"dataset": dataset.id, "guidelines": [asdict(version) for version in shown]})
    elif versions:
        rows = [(entry.version, f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.by, len(entry.text)) for entry in every]
        out.print_table(("version", "time (UTC)", "by", "characters"), rows)
    else:
        out.print_line(shown[0].text if shown and shown[0].text else "There are no guidelines.")


@decisions_app.command("list", cls=CarefulCommand)
def list_command(
    name: DatasetArgument,
    top: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    annotator: ByOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List decisions, the newest first, and what holds now."""
    dataset = find_dataset(open_workspace(home), name)
    events = dataset.ledger.events(annotator, since, until, top)
    if as_json:
        facts = {"dataset": dataset.id, "counts": dataset.ledger.counts(), "conflicts": len(dataset.ledger.conflicts())}
        out.print_json({**facts, "events": [_facts(dataset, event) for event in events]})
        return
    out.print_facts({**dataset.ledger.counts(), "in conflict": len(dataset.ledger.conflicts())})
    rows = [
        (
            f"{event.at:%Y-%m-%d %H:%M:%S}",
            event.annotator,
            event.action,
            event.label if event.labels is None else "one each",
            _examples(dataset, event),
        )
        for event in events
    ]
    out.print_table(("time (UTC)", "annotator", "decision", "label", "examples"), rows)


@decisions_app.command("notes", cls=CarefulCommand)
def notes_command(
    name: DatasetArgument,
    containing: Annotated[str, typer.Option(metavar="TEXT", help="Only notes that contain this, in any case.")] = "",
    top: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List notes on examples, the newest first."""
    dataset = find_dataset(open_workspace(home), name)
    events = dataset.ledger.notes(containing, top)
    if as_json:
        out.print_json({"dataset": dataset.id, "notes": [_facts(dataset, event) for event in events]})
        return
    rows = [
        (f"{event.at:%Y-%m-%d %H:%M:%S}", event.annotator, event.action, _examples(dataset, event), event.note)
        for event in events
    ]
    out.print_table(("time (UTC)", "annotator", "with", "examples", "note"), rows)


@decisions_app.command("export", cls=CarefulCommand)
def export_command(
    name: DatasetArgument,
    output: Annotated[str, typer.Option(metavar="FILE|-", help="JSON Lines; - writes to standard output.")],
    annotator: ByOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the ledger as JSON Lines, one event a line."""
    dataset = find_dataset(open_workspace(home), name)
    target = sys.stdout if output == STANDARD else Path(output)
    count = dataset.export_decisions(target, annotator=annotator, since=since, until=until)
    if output == STANDARD:
        return
    facts = {"dataset": dataset.id, "events": count, "output": str(Path(output).absolute())}
    out.print_result(facts, f"Wrote {count:,} events to {output}", as_json=as_json)


@decisions_app.command("import", cls=CarefulCommand)
def import_command(
    name: DatasetArgument,
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="What an export wrote; - reads standard input.")],
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the events of an exported ledger; those that are here already stay as they are."""
    dataset = find_dataset(open_workspace(home), name)
    count = dataset.import_decisions(piped_text() if source == STANDARD else Path(source))
    line = f"Added {count.added:,} events; {count.known:,} were here already"
    out.print_result({"dataset": dataset.id, **asdict(count)}, line, as_json=as_json)


@decisions_app.command("rules", cls=CarefulCommand)
def rules_command(
    name: DatasetArgument,
    overlap: Annotated[int | None, typer.Option(help="How many people decide about each example.")] = None,
    blind: Annotated[bool | None, typer.Option("--blind/--open", help="Hide suggestions, scores and votes.")] = None,
    audit_share: Annotated[float | None, typer.Option(help="Share of random examples in the queue, 0 to 0.5.")] = None,
    annotator: AnnotatorOption = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a dataset is reviewed, or change it for everybody."""
    ledger = find_dataset(open_workspace(home), name).ledger
    given = {"overlap": overlap, "blind": blind, "audit_share": audit_share}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    rules = replace(ledger.rules(), **changes)
    if changes:
        ledger.set_rules(rules, annotator=annotator or getpass.getuser())
    if as_json:
        out.print_json(rules.to_json())
    else:
        out.print_facts({name.replace("_", " "): value for name, value in rules.to_json().items()})


def _print_event(dataset: Dataset, event: DecisionEvent, as_json: bool, line: str) -> None:
    out.print_result(_facts(dataset, event), line, as_json=as_json)


def _facts(dataset: Dataset, event: DecisionEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "uid": event.uid,
        "at": event.at,
        "annotator": event.annotator,
        "action": event.action,
        "label": event.label,
        **_own_labels(dataset, event),
        "note": event.note,
        "count": len(event.rows),
        "ids": dataset.ids_of(event.rows[:MOST_IDS]),
        "adjudicates": event.adjudicates,
        "undoes": event.undoes,
    }


def _own_labels(dataset: Dataset, event: DecisionEvent) -> dict[str, list[str]]:
    if event.labels is None:
        return {}
    return {"labels": [dataset.classes[code] for code in event.labels[:MOST_IDS]]}


def _accept(
    run: Run, dataset: Dataset, ids: list[str], annotator: str, note: str | None, uid: str | None
) -> DecisionEvent:
    if run.dataset.id != dataset.id:
        raise BadInputError(f"The run {run.id} is of the dataset {run.dataset.id}.", "Give a run of this dataset.")
    return run.review.accept_suggestions(ExampleFilter(ids=tuple(ids)), annotator=annotator, note=note, uid=uid)


def _accepted_words(dataset: Dataset, event: DecisionEvent, chosen: int) -> str:
    without = chosen - len(event.rows)
    left_out = f"; {without} without a suggestion stay as they are" if without else ""
    return f"Saved: suggestions accepted for {len(event.rows)} of {dataset.id}, by {event.annotator}{left_out}"


def _read(source: str) -> str:
    try:
        with piped_text() if source == STANDARD else Path(source).open(encoding="utf-8-sig") as stream:
            return stream.read()
    except UnicodeDecodeError as error:
        raise BadInputError(f"{source} is not in UTF-8.", "Save it in UTF-8.") from error


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"


def _examples(dataset: Dataset, event: DecisionEvent) -> str:
    more = len(event.rows) - SHOWN_IDS
    return ", ".join(dataset.ids_of(event.rows[:SHOWN_IDS])) + (f" and {more:,} more" if more > 0 else "")


def _interval(interval: Interval | None) -> str:
    return "–" if interval is None else f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
