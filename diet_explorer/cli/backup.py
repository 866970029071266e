"""Commands that copy a whole workspace: backup, and restore for what it made. `app` registers them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace
from diet_explorer.errors import BadInputError
from diet_explorer.store.files import bytes_in_words

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
    facts = {"workspace": workspace.settings.home, "datasets": datasets, "runs": runs}
    out.print_result(
        facts,
        f"Restored to {workspace.settings.home}: {datasets:,} dataset{'' if datasets == 1 else 's'}, "
        f"{runs:,} run{'' if runs == 1 else 's'}.",
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
