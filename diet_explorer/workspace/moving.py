"""Moving a workspace to another home or database; the old one stays to be read and says where it went."""

from __future__ import annotations

from collections.abc import Callable

from diet_explorer.config import Settings
from diet_explorer.errors import BadInputError, WorkspaceError
from diet_explorer.redaction import redacted
from diet_explorer.review.annotators import allowed
from diet_explorer.store.backup.space import Space, size_of_workspace, space_at
from diet_explorer.store.belonging import MOVED, being_moved, close_for_move, open_after_move, write_version
from diet_explorer.store.files import Files
from diet_explorer.workspace.backup import back_up, check_apart, check_is_new, place_of, restore_backup
from diet_explorer.workspace.context import Context

Progress = Callable[[float, str], None]
_COPIED_OUT = 0.5
_COPIES = 2  # one that is checked, and the new home


def space_for_move(context: Context, home: str) -> Space:
    """What a move to a home takes there while it lasts: a copy that is checked, and the workspace itself."""
    context.allow("lead", "move the workspace")
    return space_at(place_of(home), _COPIES * size_of_workspace(context.files, context.database))


def move(context: Context, target: Settings, progress: Progress) -> None:
    """Copy all of a workspace to another home, under the same id, and close it here.

    It is closed first, so that nothing is decided here that would be missing there; where the copy fails it is opened
    again. BadInputError where a run waits or is in work, the new home is in the old one, or the new home or database is
    not empty; WorkspaceError where there is no room for it, or the new database cannot be used.
    """
    who = context.allow("lead", "move the workspace")
    active = [record for record in context.records.list() if record.is_active]
    if active:
        raise BadInputError(
            f"The run {active[0].id} is {active[0].status}: it would be cut off.",
            "Wait until all runs have ended, or cancel them; they can be resumed after the move.",
        )
    where = place_of(target.home)
    check_apart(context.files.root, where)
    check_apart(where, context.files.root)
    check_is_new(target, "Move to a new or empty folder or address.")
    space = space_for_move(context, where)
    if not space.is_enough:
        raise WorkspaceError(f"The move {space.describe()}.", "Free some space there, or choose another disk.")
    context.note("move", who, f"moves the workspace to {where}")
    between = being_moved(where)
    close_for_move(context.database, redacted(where))
    try:
        back_up(context, between, lambda share, words: progress(share * _COPIED_OUT, words))
        restore_backup(
            target, between, lambda share, words: progress(_COPIED_OUT + share * (1 - _COPIED_OUT), words), context.id
        )
    except BaseException:
        open_after_move(context.database)
        raise
    finally:
        Files(between).remove_folder(between)
    write_version(context.files, context.id, **{MOVED: True})


def move_back(context: Context) -> None:
    """Open a workspace again that was moved; BadInputError where it was not."""
    who = allowed(context.identity, None, "lead", "move the workspace", context.audit_log)
    if context.it.moved_to is None:
        raise BadInputError("The workspace was not moved.", "There is nothing to take back.")
    context.note("move", who, f"opens the workspace again that was moved to {context.it.moved_to}")
    open_after_move(context.database)
    write_version(context.files, context.id)
