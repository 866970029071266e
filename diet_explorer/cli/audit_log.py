"""The command that shows the audit log. `app` registers it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.options import JsonOption, WorkspaceOption, open_workspace


def audit_log_command(
    kind: Annotated[
        str | None,
        typer.Option(help="Only these: sign-in, refusal, export, push, deletion, restore, backup, upgrade, move."),
    ] = None,
    who: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this name did.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many lines.")] = 50,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who came in, was refused, took data away or deleted something, newest first."""
    entries = open_workspace(home).audit_log(kind=kind, who=who, limit=limit)
    if as_json:
        out.print_json([asdict(entry) for entry in entries])
    elif not entries:
        out.print_line("Nothing of that kind is in the audit log.")
    else:
        out.print_table(
            ("when", "kind", "who", "role", "what"),
            [(f"{entry.at:%Y-%m-%d %H:%M:%S} UTC", entry.kind, entry.who, entry.role, entry.what) for entry in entries],
        )
