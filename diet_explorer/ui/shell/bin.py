"""Rename and delete wherever something is listed: the menu, its dialogs, and the line that takes a deletion back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import cut_name, escape
from diet_explorer.errors import DeletedError, DietExplorerError
from diet_explorer.store.bin import BinEntry
from diet_explorer.store.in_words import bytes_in_words, counted
from diet_explorer.store.names import NAME_LENGTH
from diet_explorer.ui.shell.boundary import as_text, error_boundary, show_error
from diet_explorer.ui.shell.person import person
from diet_explorer.ui.shell.view import View, forget, read_view, write
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.bin.bin import Deletion

_DELETED = "deleted-last"
_TROUBLE = "bin-trouble"
_OFFERED = timedelta(minutes=2)
_RENAME, _DELETE = "Rename …", "Delete …"
_KEPT_SECONDS = 60


def draw_menu(what: str, name: str, *, key: str, rename: bool = True) -> None:
    """Draw the menu of one thing.

    Parameters
    ----------
    what : str
        ``kind:id``.
    name : str
        What people call it.
    key : str
        The menu is the element ``menu-<key>``.
    rename : bool
        Whether it has a name of its own.
    """
    chosen = st.menu_button(
        "Rename, delete",
        [_RENAME, _DELETE] if rename else [_DELETE],
        key=f"menu-{key}",
        icon=":material/more_horiz:",
        type="tertiary",
    )
    if chosen == _RENAME:
        _draw_rename(what, name)
    elif chosen == _DELETE:
        _draw_delete(what)


@st.cache_data(ttl=_KEPT_SECONDS, show_spinner=False, max_entries=1000)
def disk_use(what: str, stamp: str) -> str:
    """The bytes of something and all that belongs to it, in words; counted anew after a minute."""
    return bytes_in_words(open_workspace().bin.size(what))


@st.dialog("Rename", on_dismiss="rerun")
def _draw_rename(what: str, name: str) -> None:
    with st.container(key="rename-dialog"), error_boundary("rename-error"):
        chosen = st.text_input("Name", name, key="rename-name", max_chars=NAME_LENGTH)
        st.html('<p class="de-quiet">Links to it stay as they are: they go by its id.</p>')
        if st.button("Rename", key="rename-confirm", type="primary"):
            open_workspace().rename(what, chosen, by=person())
            st.rerun()


@st.dialog("Delete", on_dismiss="rerun")
def _draw_delete(what: str) -> None:
    with st.container(key="delete-dialog"), error_boundary("delete-error"):
        workspace = open_workspace()
        plan = workspace.bin.plan(what)
        st.html(_plan_html(plan, workspace.bin.noun(plan.kind), workspace.settings.bin_days))
        label = "Cancel that and delete" if plan.work else "Delete"
        if st.button(label, key="delete-confirm", type="primary", icon=":material/delete:"):
            entry = workspace.delete(what, cancel=bool(plan.work), by=person())
            st.session_state[_DELETED] = entry
            write(_without(read_view(), entry))
            st.rerun()


def _plan_html(plan: Deletion, noun: str, days: int) -> str:
    along = f" With it {_go(plan.counts)}: {escape(', '.join(plan.counts))}." if plan.counts else ""
    work = "".join(f"<li>{escape(sentence)}</li>" for sentence in plan.work)
    stays = "".join(f"<p>{escape(sentence)}</p>" for sentence in plan.stays)
    until = (
        f"It can be brought back for {counted(days, 'day')}; then {bytes_in_words(plan.size)} are freed."
        if days
        else f"It cannot be brought back: the bin keeps nothing here. {bytes_in_words(plan.size)} are freed."
    )
    return (
        f"<p>The {escape(noun)} <b>{escape(cut_name(plan.name))}</b> goes into the bin.{along}</p>"
        + (f"<p>In use, and cancelled first:</p><ul>{work}</ul>" if work else "")
        + f'{stays}<p class="de-quiet">{escape(until)}</p>'
    )


def _go(counts: list[str]) -> str:
    return "goes" if len(counts) == 1 and counts[0].startswith("1 ") else "go"


def _without(view: View, entry: BinEntry) -> View:
    """The view where it no longer names what was deleted."""
    if entry.kind == "dataset":
        return View(tab=view.tab)
    if entry.kind == "run":
        return view.changed(run=None) if view.run == entry.id else view
    return replace(view, export=None, proof=None)


def draw_undo() -> None:
    """Draw what was deleted last in this session, with the way back, for as long as somebody may want it."""
    trouble: DietExplorerError | None = st.session_state.pop(_TROUBLE, None)
    if trouble is not None:
        show_error(trouble, key="bin-error")
    entry: BinEntry | None = st.session_state.get(_DELETED)
    if entry is None or open_workspace().bin.age(entry) > _OFFERED:
        return
    with st.container(key="undo-bar", horizontal=True, vertical_alignment="center", gap="small"):
        noun = open_workspace().bin.noun(entry.kind)
        st.html(
            f'<span role="status">Deleted the {escape(noun)} <b>{escape(cut_name(entry.name))}</b>.</span>',
            width="stretch",
        )
        st.button("Undo", key="undo-delete", icon=":material/undo:", on_click=bring_back, args=(entry,))
        st.page_link("pages/bin.py", label="Bin", icon=":material/delete:")
        st.button("Close", key="undo-close", type="tertiary", on_click=_close)


def draw_deleted(error: DeletedError) -> None:
    """Draw what stands where a deleted thing would be: who deleted it, and the way back."""
    entry = next((entry for entry in open_workspace().bin.entries() if entry.key == (error.kind, error.id)), None)
    with st.container(key="deleted"):
        st.html(
            f'<div class="de-empty"><h2>The {escape(error.kind)} {escape(cut_name(error.name))} was deleted</h2>'
            f"<p>By {escape(error.by)}, {escape(words.moment(error.at))}. "
            "What this link shows lies in the bin and can be brought back.</p></div>"
        )
        with st.container(key="deleted-actions", horizontal=True, vertical_alignment="center", gap="small"):
            if entry is not None:
                st.button(
                    "Undo the deletion",
                    key="bring-back",
                    type="primary",
                    icon=":material/undo:",
                    on_click=bring_back,
                    args=(entry,),
                )
            st.page_link("pages/bin.py", label="Open the bin", icon=":material/delete:")
            st.button("Go on without it", key="forget-link", type="tertiary", on_click=forget)


def bring_back(entry: BinEntry) -> None:
    """Bring something back, for a button's callback; what hinders it is said when the page is drawn."""
    _close()
    try:
        open_workspace().restore(entry, by=person())
    except DietExplorerError as error:
        st.session_state[_TROUBLE] = error
    else:
        st.toast(f"{as_text(cut_name(entry.name))} is back", icon=":material/undo:")


def remove_for_good(entries: list[BinEntry]) -> None:
    """Remove things from the bin, for a button's callback; what hinders it is said when the page is drawn."""
    _close()
    try:
        open_workspace().bin.empty(entries, by=person())
    except DietExplorerError as error:
        st.session_state[_TROUBLE] = error


def _close() -> None:
    st.session_state.pop(_DELETED, None)
