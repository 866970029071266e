"""Commands about other labelling tools: send examples there, take what was labelled back. `app` registers them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.suspects.witnesses import COMBINED, WITNESSES
from diet_explorer.cli import output as out
from diet_explorer.cli.finding import find_run
from diet_explorer.cli.options import (
    CheckpointOption,
    JsonOption,
    RunArgument,
    WorkspaceOption,
    open_workspace,
    with_filter_flags,
)
from diet_explorer.cli.piped import piped
from diet_explorer.errors import BadInputError
from diet_explorer.review.elsewhere.report import TakenBack, told
from diet_explorer.review.elsewhere.tools import TOOLS
from diet_explorer.store.in_words import counted

STANDARD = "-"
_MOST_SHOWN = 20

_Tool = typer.Argument(metavar="TOOL", help=f"One of: {', '.join(TOOLS)}.")


@with_filter_flags
def send_command(
    tool: Annotated[str, _Tool],
    name: RunArgument,
    output: Annotated[str, typer.Option(metavar="FILE|-", help="Where to; - writes to standard output.")],
    by: Annotated[
        str, typer.Option(metavar="WITNESS", help=f"The order: {', '.join(entry.name for entry in WITNESSES)}.")
    ] = COMBINED,
    checkpoint: CheckpointOption = None,
    top: Annotated[int | None, typer.Option(min=1, help="How many suspects. Default: all.")] = None,
    blind: Annotated[
        bool | None, typer.Option("--blind/--open", help="Without what the models think. Default: the dataset's rules.")
    ] = None,
    *,
    where: ExampleFilter,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the suspects as work for a labelling tool, the most suspicious first, with suggestions and reasons."""
    run = find_run(open_workspace(home), name)
    target = sys.stdout if output == STANDARD else Path(output)
    sent = run.review.send_to(tool, target, where=where, limit=top, order=by, checkpoint=checkpoint, blind=blind)
    if output == STANDARD:
        return
    facts = {"run": run.id, **asdict(sent)}
    setup = TOOLS[tool].setup
    beside = f"; {sent.setup} has the {setup.title}" if setup else ""
    line = f"Wrote {counted(sent.examples, 'example')} for {TOOLS[tool].title} to {output}{beside}"
    out.print_result(facts, line, as_json=as_json)


def take_command(
    name: RunArgument,
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="What the tool exported; - reads standard input.")],
    tool: Annotated[str | None, typer.Option(metavar="TOOL", help="Default: the file is looked at.")] = None,
    annotator: Annotated[
        str | None, typer.Option("--annotator", help="Who labelled, where the file does not say it.")
    ] = None,
    called: Annotated[
        list[str] | None,
        typer.Option("--call", metavar="NUMBER=NAME", help="What an annotator is called here; repeat for more."),
    ] = None,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take what was labelled in another tool as decisions; nothing is overwritten, and nothing comes twice."""
    run = find_run(open_workspace(home), name)
    stream = piped() if source == STANDARD else Path(source)
    taken = run.review.take_back(stream, tool=tool, annotator=annotator, names=_names(called or []))
    out.print_result({"run": run.id, **asdict(taken)}, _line(taken), as_json=as_json)
    lines = [] if as_json else list(told(taken.left_out))
    for line in lines[:_MOST_SHOWN]:
        out.note(line)
    if len(lines) > _MOST_SHOWN:
        out.note(f"and {len(lines) - _MOST_SHOWN:,} more; --json has all of them")


def _line(taken: TakenBack) -> str:
    kinds = ", ".join(f"{count:,} {action}" for action, count in taken.decisions.items())
    return (
        f"Added {counted(taken.added, 'decision')}; {taken.known:,} were here already; {taken.open:,} are open still; "
        f"{len(taken.left_out):,} are no decisions" + (f" ({kinds})" if kinds else "")
    )


def _names(pairs: list[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        number, equals, name = pair.partition("=")
        if not (number and equals and name):
            raise BadInputError(f"{pair!r} does not say who is called what.", "Write it like --call 1=ann.")
        names[number] = name
    return names
