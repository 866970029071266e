"""The workspace that the pages work with, opened once per process."""

from __future__ import annotations

import ipaddress

import streamlit as st

from diet_explorer.config import load_settings
from diet_explorer.store.reach import reach_of_app
from diet_explorer.ui.shell.person import NOBODY, sign_in_is_on, signed_in_person
from diet_explorer.workspace.workspace import Workspace


def open_workspace() -> Workspace:
    """The workspace that the settings name; it checks the role of whoever has signed in, and reads what the app may."""
    settings = load_settings()
    opened = _opened(settings.home, settings.database_url, settings.jobs_url)
    opened = opened.reading_within(reach_of_app(settings, shared=_is_shared()))
    return opened.acting_as(signed_in_person() or NOBODY) if sign_in_is_on() else opened


def _is_shared() -> bool:
    """Whether others than the operator may use the app; without an address it listens on all of them."""
    return sign_in_is_on() or not _is_loopback(st.get_option("server.address") or "0.0.0.0")


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


@st.cache_resource(show_spinner=False)
def _opened(home: str, database_url: str | None, jobs_url: str | None) -> Workspace:
    return Workspace(home, database_url=database_url, jobs_url=jobs_url)
