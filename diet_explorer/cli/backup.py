"""Commands about a whole workspace: backup, restore for what it made, move, upgrade. `app` registers them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace
from diet_explorer.errors import BadInputError
from diet_explorer.redaction import redacted
from diet_explorer.store.in_words import bytes_in_words, counted

if TYPE_CHECKING:
    from diet_explorer.workspace.backup import Progress

_KINDS = ("dataset:", "run:", "proof:", "export:", "map:", "policy:")
_TARGET = (
    "A new .zip or .tar file; or a folder or URL, such as s3://bucket/backups, to which only what is new is added."
)


def backup_command(
    target: Annotated[str, typer.Argument(metavar="FILE|URL", help=_TARGET)],
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy all of the workspace to one place, also while people decide and runs train; `restore` puts it in place."""
    with _live() as progress:
        made = open_workspace(home).backup(target, progress=progress)
    size, new = bytes_in_words(made.size), bytes_in_words(made.new_bytes)
    words = f"{made.files:,} files and {made.rows:,} rows of tables, {size}, of which {new} are new"
    out.print_result(asdict(made), f"Backed up to {made.target}: {words}.", as_json=as_json)


def move_command(
    target: Annotated[str, typer.Argument(metavar="FOLDER|URL", help="The new home, empty.")] = "",
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            envvar="DIET_EXPLORER_MOVE_DATABASE_URL",
            help="The new database, empty. Default: SQLite in the new home. One with a password stands better in "
            "$DIET_EXPLORER_MOVE_DATABASE_URL.",
        ),
    ] = None,
    back: Annotated[bool, typer.Option("--back", help="Open a workspace again that was moved.")] = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move the workspace to another home and database; the old one can only be read then, and says where it went."""
    if back and (target or database_url):
        given = f"The target {target}" if target else "--database-url"
        raise BadInputError(f"{given} and --back exclude each other.", "Give one of them.")
    if not back and not target:
        raise BadInputError("The target is missing: the new home.", "Give a folder or URL, or --back.")
    workspace = open_workspace(home)
    if back:
        workspace.move_back()
        out.print_result(
            {"home": redacted(workspace.settings.home)}, f"{workspace.settings.home} is open again.", as_json=as_json
        )
        return
    from diet_explorer.workspace.moving import space_for_move

    out.note(f"The move {space_for_move(workspace.context, target).describe()}; half of it is given back at the end.")
    with _live() as progress:
        moved = workspace.move(target, database_url=database_url, progress=progress)
    facts = {"from": redacted(workspace.settings.home), "to": redacted(moved.settings.home)}
    words = f"Moved to {moved.settings.home}. {workspace.settings.home} can be read still; remove it when you like."
    out.print_result(facts, words, as_json=as_json)


def upgrade_command(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    backup: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Where the backup goes. Default: beside the workspace.")
    ] = None,
    own_id: Annotated[
        bool, typer.Option("--own-id", help="Give a copy of a workspace's folder an id of its own, and do no more.")
    ] = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a workspace of an older version into the form of this one; a backup is made first."""
    from diet_explorer.config import load_settings
    from diet_explorer.workspace.upgrade import plan_upgrade, take_own_id, upgrade

    settings = load_settings(home=home)
    if own_id:
        facts = {"home": redacted(settings.home), "id": take_own_id(settings)}
        out.print_result(facts, f"{settings.home} has an id of its own now: {facts['id']}.", as_json=as_json)
        return
    plan = plan_upgrade(settings, backup)
    if not plan.is_needed:
        out.print_result(asdict(plan), f"{plan.home} has the form of this version already.", as_json=as_json)
        return
    if not yes:
        if not sys.stdin.isatty():
            raise BadInputError(
                f"{plan.home} is to be upgraded from {plan.earlier} to {plan.later}, and nobody can be asked.",
                f"Say --yes if you mean it; it is backed up to {plan.backup} first.",
            )
        typer.confirm(f"Back up {plan.home} to {plan.backup}, then upgrade it?", abort=True)
    with _live() as progress:
        upgrade(settings, plan, progress)
    words = f"Upgraded {plan.home} from {plan.earlier} to {plan.later}; as it was, it is in {plan.backup}."
    out.print_result(asdict(plan), words, as_json=as_json)


def is_backup(text: str) -> bool:
    """Whether what is to be restored is a backup, not something in the bin."""
    if text.startswith(_KINDS):
        return False
    return "/" in text or text.endswith((".zip", ".tar")) or Path(text).exists()


def restore_backup(sources: list[str], home: str | None, as_json: bool) -> None:
    """Put a backup in place as the workspace of the option, else that of the settings."""
    from diet_explorer.config import load_settings
    from diet_explorer.workspace.workspace import Workspace

    if len(sources) > 1:
        raise BadInputError("Several backups cannot be put in one place.", "Name one, and --workspace.")
    with _live() as progress:
        workspace = Workspace.from_backup(sources[0], load_settings(home=home).home, progress=progress)
    datasets, runs = len(workspace.datasets()), len(workspace.runs())
    facts = {"workspace": redacted(workspace.settings.home), "datasets": datasets, "runs": runs}
    out.print_result(
        facts,
        f"Restored to {workspace.settings.home}: {counted(datasets, 'dataset')}, {counted(runs, 'run')}.",
        as_json=as_json,
    )


@contextmanager
def _live() -> Iterator[Progress]:
    line = out.LiveLine()

    def show(share: float, words: str) -> None:
        line.show(f"{share:4.0%} {words}", words.split()[0])

    try:
        yield show
    finally:
        line.close()
