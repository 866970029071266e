"""Commands that stay: the browser app, and a worker. `app` registers them."""

from __future__ import annotations

from typing import Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace
from diet_explorer.config import load_settings


def app_command(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one. Default: 8501.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Open with the sample imported and being scored.")] = False,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Whether a worker is started beside it, on this machine.")
    ] = True,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open the browser app, with a worker that does the jobs."""
    workspace = open_workspace(home)  # one that cannot be used is reported now, not by a page
    from diet_explorer.jobs.supervisor import run_app
    from diet_explorer.workspace.sample import SAMPLE_SETTINGS

    def announce(urls: list[str], caution: str) -> None:
        if as_json:
            out.print_event({"url": urls[0], "urls": urls, "warning": caution or None})
            return
        out.print_line(f"diet-explorer is open at {out.listed(urls)} (stop it with Ctrl-C)")
        if caution:
            out.note(caution)

    def score_sample() -> None:
        dataset = workspace.import_sample()
        if not workspace.runs(dataset):
            workspace.score(dataset, **SAMPLE_SETTINGS)

    settings = load_settings(home=home, port=port)
    with_worker = worker and workspace.context.it.moved_to is None  # in one that was moved nothing is to be done
    run_app(settings, announce=announce, meanwhile=score_sample if sample else None, with_worker=with_worker)


def worker_command(
    slot: Annotated[
        int | None, typer.Option(help="Which of this machine's places. Default: the first free one.")
    ] = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the jobs of a workspace, one at a time, until stopped."""
    from diet_explorer.jobs.worker import run_worker
    from diet_explorer.store.belonging import check_not_moved

    def announce(line: str) -> None:
        if as_json:
            out.print_event({"event": line})
        else:
            out.print_line(line)

    workspace = open_workspace(home)
    check_not_moved(workspace.context.it, workspace.context.files)
    run_worker(workspace.settings, slot=slot, announce=announce, tidy=lambda: workspace.bin.empty(expired=True))
