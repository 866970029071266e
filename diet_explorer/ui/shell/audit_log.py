"""The audit log as leads see it."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.store.audit_log import AuditEntry
from diet_explorer.ui.shell.workspace import open_workspace

_LISTED = 100


def draw_audit_log() -> None:
    """Draw the latest lines for whoever may read them."""
    workspace = open_workspace()
    if not workspace.context.may("lead"):
        return
    with st.expander("Audit log: who came in, was refused, exported, pushed, deleted", key="audit-log"):
        entries = workspace.audit_log(limit=_LISTED)
        if not entries:
            st.html('<p class="de-quiet">Nothing yet.</p>')
            return
        lines = "".join(map(_line, entries))
        st.html(
            '<table class="de-list" aria-label="Audit log"><thead><tr><th>When</th><th>Who</th><th>What</th></tr>'
            f"</thead><tbody>{lines}</tbody></table>"
            f'<p class="de-quiet">The latest {words.whole(len(entries))}; all of them: '
            "<code>diet-explorer audit-log --limit 10000</code></p>"
        )


def _line(entry: AuditEntry) -> str:
    role = f' <span class="de-quiet">{escape(entry.role)}</span>' if entry.role else ""
    what = f'{escape(entry.what)} <span class="de-quiet">{escape(entry.kind)}</span>'
    return f"<tr><td>{words.moment(entry.at)}</td><td>{escape(entry.who)}{role}</td><td>{what}</td></tr>"
