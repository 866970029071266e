"""Commands that tidy up: rename, delete, restore, bin, clean. `app` registers them."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.backup import is_backup, restore_backup
from diet_explorer.cli.finding import LAST, find_dataset, find_export, find_proof, find_run
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace
from diet_explorer.errors import BadInputError
from diet_explorer.store.in_words import bytes_in_words, counted

if TYPE_CHECKING:
    from diet_explorer.store.bin import BinEntry
    from diet_explorer.workspace.bin.bin import Deletion
    from diet_explorer.workspace.workspace import Workspace

_THING = (
    "dataset:NAME, run:NAME, proof:ID, export:ID, map:RUN/tuned or policy:RUN/NAME; NAME may be an id, the beginning "
    "of an id, or: last. Without the kind where only one thing is called so."
)
ThingArgument = Annotated[str, typer.Argument(metavar="KIND:NAME", help=_THING)]
ThingsArgument = Annotated[list[str], typer.Argument(metavar="KIND:NAME…", help=_THING)]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


def delete_command(
    things: ThingsArgument,
    dry_run: DryRunOption = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel jobs that work on it first.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Remove the files at once: it cannot be brought back.")] = False,
    yes: YesOption = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a dataset, run, proof, export, map or saved policy, with what depends on it; `restore` brings it back."""
    workspace = open_workspace(home)
    plans = [workspace.bin.plan(_thing(workspace, text)) for text in things]
    if dry_run:
        _print_plans(plans, as_json)
        return
    if now and not yes:
        _ask("Remove for good: " + "; ".join(_words(plan) for plan in plans) + "?")
    deleted = [workspace.delete(f"{plan.kind}:{plan.id}", cancel=cancel) for plan in plans]
    if now:
        workspace.bin.empty(deleted)
    if as_json:
        out.print_json(
            [{**_plan_facts(plan), **_entry_facts(workspace, entry)} for plan, entry in _pairs(plans, deleted)]
        )
        return
    for plan, entry in _pairs(plans, deleted):
        out.print_line(f"Deleted {_words(plan)}")
        for sentence in plan.stays:
            out.print_line(f"  {sentence}")
        if workspace.bin.is_expired(entry) or now:
            out.print_line("  Its files are removed.")
        else:
            until = f"{workspace.bin.ends(entry).astimezone():%Y-%m-%d %H:%M}"
            key = shlex.quote(f"{entry.kind}:{entry.id}")
            out.print_line(f"  Until {until} it is brought back by: diet-explorer restore {key}")


def rename_command(
    thing: ThingArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call a dataset, run, proof, export or saved policy otherwise; its id stays."""
    workspace = open_workspace(home)
    key = _thing(workspace, thing)
    tidy = workspace.rename(key, name)
    out.print_result({"id": key, "name": tidy}, f"{key} is called {tidy!r} now.", as_json=as_json)


def restore_command(
    things: Annotated[list[str], typer.Argument(metavar="KIND:NAME…|FILE|URL", help=f"{_THING} Or a backup.")],
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring something back from the bin, with all that went along; or put a backup in place as a new workspace."""
    if is_backup(things[0]):
        restore_backup(things, home, as_json)
        return
    workspace = open_workspace(home)
    entries = [workspace.restore(_newest_deleted(workspace) if text == LAST else text) for text in things]
    if as_json:
        out.print_json([_entry_facts(workspace, entry) for entry in entries])
        return
    for entry in entries:
        out.print_line(f"The {workspace.bin.noun(entry.kind)} {entry.name!r} is back ({entry.id}).")


def bin_command(
    empty: Annotated[bool, typer.Option("--empty", help="Remove all of it for good.")] = False,
    yes: YesOption = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was deleted and can be brought back, newest first, or empty the bin."""
    workspace = open_workspace(home)
    entries = workspace.bin.entries()
    if empty and entries:
        size = sum(entry.size for entry in entries)
        if not yes:
            _ask(f"Remove {len(entries):,} things for good ({bytes_in_words(size)})?")
        gone = workspace.bin.empty(entries)
        free = bytes_in_words(sum(entry.size for entry in gone))
        line = f"Removed {len(gone):,} of {len(entries):,}; {free} are free again."
        out.print_result([_entry_facts(workspace, entry) for entry in gone], line, as_json=as_json)
    elif as_json:
        out.print_json([_entry_facts(workspace, entry) for entry in entries])
    elif not entries:
        out.print_line("The bin is empty.")
    else:
        rows = [
            (
                f"{entry.kind}:{entry.id}",
                bytes_in_words(entry.size),
                out.ago(entry.at),
                entry.by,
                f"{workspace.bin.ends(entry).astimezone():%Y-%m-%d %H:%M}",
                entry.name,
            )
            for entry in entries
        ]
        out.print_table(("deleted", "size", "when", "by", "kept until", "name"), rows)


def clean_command(
    dry_run: DryRunOption = False,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Also those of cancelled and failed runs, which resume needs.")
    ] = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what nobody needs any more: files of ended jobs, old uploads, orphans, what is over in the bin."""
    workspace = open_workspace(home)
    if dry_run:
        found = workspace.bin.leftovers(checkpoints=checkpoints)
    else:
        found = workspace.bin.clean(checkpoints=checkpoints)
    cautions, size = workspace.bin.cautions(), sum(leftover.size for leftover in found)
    if as_json:
        listed = [asdict(leftover) for leftover in found]
        out.print_json({"removed": not dry_run, "size": size, "leftovers": listed, "cautions": cautions})
        return
    for sentence in cautions:
        out.note(sentence)
    if not found:
        out.print_line("There is nothing to clean up.")
        return
    out.print_table(
        ("size", "what", "path"),
        [(bytes_in_words(entry.size), f"{entry.kind} {entry.why}", entry.path) for entry in found],
    )
    verb = "Would remove" if dry_run else "Removed"
    out.print_line(f"{verb} {counted(len(found), 'leftover')}, {bytes_in_words(size)}.")


def _thing(workspace: Workspace, text: str) -> str:
    """What is meant, as ``kind:id``, so that ``last`` may stand for the newest."""
    kind, _, name = text.partition(":")
    finders: dict[str, Any] = {"dataset": find_dataset, "run": find_run, "proof": find_proof, "export": find_export}
    if name == LAST and kind in finders:
        return f"{kind}:{finders[kind](workspace, LAST).id}"
    if kind in ("map", "policy") and name.startswith(f"{LAST}/"):
        return f"{kind}:{find_run(workspace, LAST).id}/{name.removeprefix(f'{LAST}/')}"
    plan = workspace.bin.key(text)
    return f"{plan[0]}:{plan[1]}"


def _newest_deleted(workspace: Workspace) -> BinEntry:
    entries = workspace.bin.entries()
    if not entries:
        raise BadInputError("The bin is empty.", "There is nothing to bring back.")
    return entries[0]


def _pairs(plans: list[Deletion], entries: list[BinEntry]) -> zip[tuple[Deletion, BinEntry]]:
    return zip(plans, entries, strict=True)


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise BadInputError("This cannot be undone, and nobody can be asked.", "Say --yes if you mean it.")
    typer.confirm(question, abort=True)


def _words(plan: Deletion) -> str:
    along = f" with {out.listed(plan.counts)}" if plan.counts else ""
    return f"{plan.kind} {plan.name!r} ({plan.id}){along}, {bytes_in_words(plan.size)}"


def _print_plans(plans: list[Deletion], as_json: bool) -> None:
    if as_json:
        out.print_json([_plan_facts(plan) for plan in plans])
        return
    for plan in plans:
        out.print_line(f"Would delete {_words(plan)}")
        for words in plan.work:
            out.print_line(f"  In use: {words} (--cancel cancels it first)")
        for sentence in plan.stays:
            out.print_line(f"  {sentence}")


def _plan_facts(plan: Deletion) -> dict[str, Any]:
    return {**asdict(plan), "parts": [f"{kind}:{id}" for kind, id in plan.parts]}


def _entry_facts(workspace: Workspace, entry: BinEntry) -> dict[str, Any]:
    facts = {name: getattr(entry, name) for name in ("kind", "id", "name", "by", "at", "size")}
    return {**facts, "until": workspace.bin.ends(entry)}
