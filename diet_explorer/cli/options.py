"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from diet_explorer.scoring import catalogue

if TYPE_CHECKING:
    from diet_explorer.workspace.workspace import Workspace

WorkspaceOption = Annotated[
    str | None, typer.Option("--workspace", metavar="FOLDER|URL", help="Default: $DIET_EXPLORER_HOME, else workspace.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id, beginning of an id, name, or: last.")]
CheckpointOption = Annotated[float | None, typer.Option(help="In epochs. Default: 1, or the latest before it.")]
SeedOption = Annotated[int | None, typer.Option(help="One seed. Default: the mean over seeds.")]
ScoreOption = Annotated[
    str,
    typer.Option(metavar="SCORE", help=" · ".join(f"{score.name}: {score.explanation}" for score in catalogue.SCORES)),
]


def open_workspace(home: str | None) -> Workspace:
    """The workspace of the option, else that of the settings; its imports wait until a command runs."""
    from diet_explorer.workspace.workspace import Workspace

    return Workspace(home)
