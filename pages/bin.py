"""Bin: what was deleted, and the ways back or out."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import cut_name, escape
from diet_explorer.store.bin import BinEntry
from diet_explorer.store.in_words import bytes_in_words, counted
from diet_explorer.ui.drawing.markup import figures
from diet_explorer.ui.shell.audit_log import draw_audit_log
from diet_explorer.ui.shell.bin import bring_back, remove_for_good
from diet_explorer.ui.shell.frame import run_plain_page
from diet_explorer.ui.shell.workspace import open_workspace

_LISTED = 200


def body() -> None:
    """Draw the list on the left, what it takes and the way to empty it on the right."""
    workspace = open_workspace()
    entries = workspace.bin.entries()
    left, right = st.columns([2, 1], gap="large")
    with left:
        if not entries:
            st.html(
                '<div class="de-empty"><h2>The bin is empty</h2><p>Datasets, runs, exports, maps, proofs and saved '
                "policies that somebody deletes lie here for a while and can be brought back.</p></div>"
            )
        for number, entry in enumerate(entries[:_LISTED]):
            _draw_line(number, entry)
        if len(entries) > _LISTED:
            st.html(f'<p class="de-quiet">and {words.whole(len(entries) - _LISTED)} older ones</p>')
        draw_audit_log()
    with right:
        days = workspace.settings.bin_days
        size = sum(entry.size for entry in entries)
        st.html(
            figures(
                [
                    (words.whole(len(entries)), "thing" if len(entries) == 1 else "things"),
                    (bytes_in_words(size), "on disk"),
                ]
            )
        )
        st.html(
            f'<p class="de-quiet">What lies here for {counted(days, "day")} is removed for good by itself. '
            "Decisions about examples are never removed: they stay in the ledger.</p>"
        )
        with st.popover("Empty the bin", icon=":material/delete_forever:", key="empty-bin", disabled=not entries):
            st.html("<p>All of it is removed for good. This cannot be undone.</p>")
            st.button("Remove all for good", key="empty-bin-confirm", on_click=remove_for_good, args=(entries,))


def _draw_line(number: int, entry: BinEntry) -> None:
    bin_ = open_workspace().bin
    with st.container(key=f"bin-{number}", horizontal=True, vertical_alignment="center", gap="small"):
        left = max(ceil((bin_.ends(entry) - entry.at - bin_.age(entry)) / timedelta(days=1)), 0)
        kept = f"kept for {counted(left, 'more day')}" if left else "its time is over"
        facts = (
            bin_.noun(entry.kind),
            bytes_in_words(entry.size),
            f"deleted by {entry.by} {words.moment(entry.at)}",
            "being removed" if entry.removing else kept,
        )
        st.html(
            f'<div class="de-run"><p><b>{escape(cut_name(entry.name, 60))}</b></p>'
            f'<p class="de-quiet">{escape(" · ".join(facts))}</p></div>',
            width="stretch",
        )
        st.button(
            "Bring back",
            key=f"bring-back-{number}",
            icon=":material/undo:",
            on_click=bring_back,
            args=(entry,),
            disabled=entry.removing,
        )
        with st.popover("Remove", key=f"remove-{number}", type="tertiary"):
            st.html("<p>Its files are removed for good. This cannot be undone.</p>")
            st.button("Remove for good", key=f"remove-{number}-now", on_click=remove_for_good, args=([entry],))


run_plain_page("Bin", "See what was deleted, bring it back, or free its space.", body)
