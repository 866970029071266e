"""The workspace that the pages work with, opened once per process."""

from __future__ import annotations

import streamlit as st

from diet_explorer.config import load_settings
from diet_explorer.store.reach import reach_of_app
from diet_explorer.ui.shell.person import NOBODY, acting, note_sign_in
from diet_explorer.workspace.workspace import Workspace


def open_workspace() -> Workspace:
    """The workspace that the settings name; it checks the role of whoever asks, and reads what the app may."""
    settings, who, opened = load_settings(), acting(), shared_workspace()
    if who is not None and who is not NOBODY:
        note_sign_in(opened.context.audit_log)
    return opened.reading_within(reach_of_app(settings, shared=who is not None)).acting_as(who)


def shared_workspace() -> Workspace:
    """The workspace itself, which acts for nobody and checks no role: for what the process asks on its own behalf."""
    settings = load_settings()
    return _opened(settings.home, settings.database_url, settings.jobs_url)


@st.cache_resource(show_spinner=False)
def _opened(home: str, database_url: str | None, jobs_url: str | None) -> Workspace:
    return Workspace(home, database_url=database_url, jobs_url=jobs_url)
