"""The command that pushes an export to the Hub. `app` registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.finding import find_export
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace

if TYPE_CHECKING:
    from diet_explorer.jobs.kinds.push import PushProgress


def push_command(
    name: Annotated[str, typer.Argument(metavar="EXPORT", help="Id, beginning of an id, folder, or: last.")],
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="The dataset on the Hub; made if it is not there.")],
    public: Annotated[bool, typer.Option("--public", help="Everybody may see it. Default: only you.")] = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Push an export to the Hub, with a dataset card.

    The token is that of HF_TOKEN or of `hf auth login`; it is kept nowhere. Cut off, it leaves the Hub as it was, and
    the same command goes on.
    """
    export = find_export(open_workspace(home), name, written=True)
    export.push(repo, private=not public, wait=False)
    line = out.LiveLine()
    try:
        done = export.wait_for_push(lambda progress: line.show(_in_a_line(progress), progress.stage.split(":")[0]))
    except KeyboardInterrupt:
        export.cancel_push()
        raise
    finally:
        line.close()
    seen = "only its owner can see it" if done.private else "everybody can see it"
    pushed = f"Pushed {export.id} to {done.url} ({seen}), revision {done.commit}"
    names = "state repo private stage bytes_sent bytes_total url commit note error remedy kind finished_at"
    pushed += f"\n{done.note}" if done.note else ""
    out.print_result({"export": export.id, **out.job_facts(done, names)}, pushed, as_json=as_json)


def _in_a_line(progress: PushProgress) -> str:
    return f"{progress.share:.0%} · {progress.stage}"
