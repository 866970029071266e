"""The workspace that the pages work with, opened once per process."""

from __future__ import annotations

import streamlit as st

from diet_explorer.config import load_settings
from diet_explorer.ui.shell.person import NOBODY, sign_in_is_on, signed_in_person
from diet_explorer.workspace.workspace import Workspace


def open_workspace() -> Workspace:
    """The workspace that the settings name; it checks the role of whoever has signed in."""
    settings = load_settings()
    opened = _opened(settings.home, settings.database_url, settings.jobs_url)
    return opened.acting_as(signed_in_person() or NOBODY) if sign_in_is_on() else opened


@st.cache_resource(show_spinner=False)
def _opened(home: str, database_url: str | None, jobs_url: str | None) -> Workspace:
    return Workspace(home, database_url=database_url, jobs_url=jobs_url)
