"""Options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diet_explorer.analysis.conditions import Condition, YesNo
from diet_explorer.analysis.filters import CONDITIONS, ExampleFilter
from diet_explorer.scoring import catalogue

if TYPE_CHECKING:
    from diet_explorer.workspace.workspace import Workspace

WorkspaceOption = Annotated[
    str | None, typer.Option("--workspace", metavar="FOLDER|URL", help="Default: $DIET_EXPLORER_HOME, else workspace.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end, with a worker of its own.")]

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id, beginning of an id, name, or: last.")]
CheckpointOption = Annotated[float | None, typer.Option(help="In epochs. Default: 1, or the latest before it.")]
SeedOption = Annotated[int | None, typer.Option(help="One seed. Default: the mean over seeds.")]
ScoreOption = Annotated[
    str,
    typer.Option(metavar="SCORE", help=" · ".join(f"{score.name}: {score.explanation}" for score in catalogue.SCORES)),
]
TopOption = Annotated[int, typer.Option(min=1, help="How many examples.")]


def open_workspace(home: str | None) -> Workspace:
    """The workspace of the option, else that of the settings; its imports wait until a command runs."""
    from diet_explorer.workspace.workspace import Workspace

    return Workspace(home)


def with_filter_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command flags for all conditions in place of its keyword-only parameter `where`."""
    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def with_flags(**given: Any) -> None:
        flags = {name: given.pop(name) for name in CONDITIONS}
        asked = {name: flag for name, flag in flags.items() if flag not in (None, [])}
        where = ExampleFilter(**{name: _value(CONDITIONS[name], flag) for name, flag in asked.items()})
        command(where=where, **given)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += _flags() if parameter.name == "where" else [parameter]
    with_flags.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_flags


def _flags() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                entry.flag_type,
                typer.Option(entry.flag or f"--{entry.key}", metavar=entry.metavar, help=entry.help),
            ],
        )
        for name, entry in CONDITIONS.items()
    ]


def _value(entry: Condition, flag: Any) -> Any:
    return flag if isinstance(entry, YesNo) else entry.read([flag] if isinstance(flag, str) else flag)
