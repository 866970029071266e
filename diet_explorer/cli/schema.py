"""The command that prints JSON Schemas: schema. `app` registers it."""

from __future__ import annotations

from typing import Annotated

import typer

from diet_explorer.cli import output as out
from diet_explorer.errors import NotFoundError


def schema_command(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]", help="Such as rank, or decisions list. Default: all.")
    ] = None,
) -> None:
    """Print the JSON Schema of what a command prints with --json, or those of all commands by their names."""
    from diet_explorer.cli.schemas import FORMS, schema_of

    if not words:
        out.print_json({verb: schema_of(verb) for verb in FORMS})
        return
    verb = " ".join(words)
    if verb not in FORMS:
        raise NotFoundError(f"No command {verb!r} prints JSON.", f"Choose one of: {', '.join(FORMS)}.")
    out.print_json(schema_of(verb))
