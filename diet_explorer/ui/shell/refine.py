"""A changed filter, written into the URL; the open card stays where its example still matches."""

from __future__ import annotations

from dataclasses import replace

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.errors import DietExplorerError
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.selection import Selection, resolve
from diet_explorer.ui.shell.view import read_view, write


def refine(where: ExampleFilter) -> None:
    """Make `where` the URL's filter; for callbacks of controls, before the page runs again."""
    view = read_view()
    changed = view.changed(where=where)
    try:
        keeps = view.example is not None and _matches(resolve(view), where, view.example)
    except DietExplorerError:  # the page itself will say what is wrong with the address
        keeps = False
    write(replace(changed, example=view.example) if keeps else changed)


def _matches(selection: Selection, where: ExampleFilter, row: int) -> bool:
    run, checkpoint = selection.run, selection.checkpoint
    if run is None or checkpoint is None:
        return False
    example = questions.card(run, row, checkpoint, selection.seed)[0]
    if where.ids and example.id not in where.ids:
        return False
    return questions.count(run, checkpoint, selection.seed, replace(where, ids=(example.id,))) > 0
