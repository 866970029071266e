"""The command that pushes an export to the Hub. `cli` registers it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace
from diet_explorer.errors import BadInputError, NotFoundError

if TYPE_CHECKING:
    from diet_explorer.jobs.kinds.push import PushProgress
    from diet_explorer.workspace.exports import Export
    from diet_explorer.workspace.workspace import Workspace

LAST = "last"


def push_command(
    export: Annotated[str, typer.Argument(metavar="EXPORT", help="Id, beginning of an id, folder, or: last.")],
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The dataset on the Hub; made if it is not there.")],
    public: Annotated[bool, typer.Option("--public", help="Everybody may see it. Default: only you.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Push an export to the Hub, with a dataset card.

    The token is that of HF_TOKEN or of `hf auth login`; it is kept nowhere. Cut off, it leaves the Hub as it was, and
    the same command goes on.
    """
    found = find_export(open_workspace(workspace), export)
    found.push(repo, private=not public, wait=False)
    line = out.LiveLine()
    try:
        done = found.wait_for_push(lambda progress: line.show(_in_a_line(progress), progress.stage.split(":")[0]))
    except KeyboardInterrupt:
        found.cancel_push()
        raise
    finally:
        line.close()
    if as_json:
        out.print_json({"export": found.id, **asdict(done)})
    else:
        seen = "only its owner can see it" if done.private else "everybody can see it"
        out.print_line(f"Pushed {found.id} to {done.url} ({seen}), revision {done.commit}")


def find_export(workspace: Workspace, name: str) -> Export:
    """The export of that id, beginning of an id, or folder; ``last`` is the newest that is done.

    Raises
    ------
    NotFoundError, BadInputError
        There is none, or there are several.
    """
    exports = workspace.exports()
    if name == LAST:
        matches = [entry for entry in exports if entry.status == "succeeded"][:1]
    else:
        matches = [
            entry for entry in exports if entry.id == name or entry.folder.rstrip("/") == str(Path(name).absolute())
        ]
        matches = matches or [entry for entry in exports if name and entry.id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(entry.id for entry in matches[:10])
        raise BadInputError(f"{name!r} means several exports.", f"Give one of the ids: {ids}.")
    known = ", ".join(entry.id for entry in exports[:10]) or "none yet"
    raise NotFoundError(f"There is no export {name!r}.", f"Make one with `diet-explorer prune`. Exports here: {known}.")


def _in_a_line(progress: PushProgress) -> str:
    return f"{progress.share:.0%} · {progress.stage}"
