"""Who is in front of the screen: whoever signed in where the operator has set that up, else a name asked once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAuthError

from diet_explorer.config import load_settings
from diet_explorer.drawing.plain import escape
from diet_explorer.errors import DietExplorerError, WorkspaceError
from diet_explorer.review.annotators import Identity, Role, from_claims
from diet_explorer.store.audit_log import AuditLog
from diet_explorer.ui.shell.access import current_access
from diet_explorer.ui.shell.boundary import as_text, show_failure
from diet_explorer.ui.shell.browser_memory import keep, kept
from diet_explorer.ui.shell.join_code import draw_join_code, keep_join_code, leads_by_code
from diet_explorer.ui.shell.uploaders import withdraw_upload

_COOKIE = "diet-explorer-name"
_NAME = "annotator"
_TYPED, _TYPED_HERE = "name-of-person", "annotator-name"
_WANTED = "diet-explorer-wanted"
_NOTED = "sign-in-noted"
_MOST_CHARACTERS = 60
_SHORT_CHARACTERS = 24
NOBODY = Identity("nobody", "nobody", signed_in=True)
"""Who has not signed in although that is needed."""

_NO_CODE = "Ask the operator: without a sign-in and without DIET_EXPLORER_JOIN_CODE nobody leads here."
_return = st.components.v2.component(
    "diet_explorer.return_after_sign_in",
    html="<span></span>",
    js=Path(__file__).with_name("return_after_sign_in.js").read_text(encoding="utf-8"),
)


def must_sign_in() -> bool:
    """Draw the way to sign in where it is needed, or that nobody gets in; whether that is so."""
    try:
        access = current_access()
    except DietExplorerError as error:
        withdraw_upload()
        with st.container(key="sign-in"):
            show_failure(error.message, error.remedy)
            st.button("Sign in", key="sign-in-again", type="primary", help="Looks whether it works by now.")
        return True
    if access.way != "sign-in" or _signed_in() is not None:
        return False
    withdraw_upload()
    with st.container(key="sign-in"):
        st.html(
            '<div class="de-empty"><h2>Please sign in</h2><p>Decisions are kept with the name of whoever took them.'
            "</p></div>"
        )
        for name in (access.sign_in.providers if access.sign_in else ()) or [None]:
            words = "Sign in" if name is None else f"Sign in with {name}"
            if st.button(words, key=f"sign-in-{name}", type="primary"):
                _sign_in(name)
        _remember_the_address(signed_in=False)
    return True


def acting() -> Identity | None:
    """For whom the workspace acts in this session: its role is checked. None is local use, which may do everything."""
    try:
        way = current_access().way
    except DietExplorerError:
        return NOBODY
    if way == "local":
        return None
    if way == "sign-in":
        return _signed_in() or NOBODY
    return person() or replace(_guest("somebody without a name"), role="viewer")


def note_sign_in(log: AuditLog) -> None:
    """Note in the audit log who has signed in, once for every time that they did."""
    who = _signed_in() if _NOTED not in st.session_state and current_access().way == "sign-in" else None
    if who is not None:
        token = [str(st.user.get(name)) for name in ("iss", "sub", "iat")]
        log.add("sign-in", who.name, "signs in", role=who.role, once="\n".join(token))
        st.session_state[_NOTED] = True


def person() -> Identity | None:
    """Who decides in this session; None while nobody has said so."""
    try:
        way = current_access().way
    except DietExplorerError:
        return None
    if way == "sign-in":
        return _signed_in()
    name = (st.session_state.get(_NAME) or kept(_COOKIE))[:_MOST_CHARACTERS]
    if not name:
        return None
    return Identity(name) if way == "local" else _guest(name)


def _signed_in() -> Identity | None:
    """Who has signed in; None where nobody has."""
    return from_claims(st.user.to_dict(), load_settings()) if st.user.get("is_logged_in") is True else None


def _guest(name: str) -> Identity:
    """Somebody without a sign-in: a lead where they have given the join code."""
    settings = load_settings()
    way_up = "Give the join code, beside your name at the top of the page." if settings.join_code else _NO_CODE
    role: Role = "lead" if leads_by_code(settings.join_code) else settings.guests
    return Identity(name, role, signed_in=True, way_up=way_up)


def draw_person(log: AuditLog) -> None:
    """Draw who is in front of the screen, with the way to change that."""
    who, way = person(), current_access().way
    if who is None:
        if way == "guests":
            with st.popover("Who are you?", key="person", icon=":material/person:", type="tertiary"):
                _ask("Your name", "Start")
        return
    if way == "sign-in":
        with st.container(key="person", horizontal=True, vertical_alignment="center", gap="small"):
            st.html(f'<span class="de-quiet">{escape(who.name)} · {who.role}</span>', width="stretch")
            st.button("Sign out", key="sign-out", type="tertiary", on_click=st.logout)
            _remember_the_address(signed_in=True)
        return
    role = f" · {who.role}" if who.signed_in else ""
    with st.popover(
        f"As {as_text(short_name(who.name))}{role}", key="person", icon=":material/person:", type="tertiary"
    ):
        _ask("Your name", "Change")
        if who.signed_in:
            draw_join_code(who, log)
    _keep_name()
    if who.signed_in:
        keep_join_code()


def _sign_in(provider: str | None) -> None:
    try:
        st.login(*(() if provider is None else (provider,)))
    except StreamlitAuthError as error:
        raise WorkspaceError(
            f"The sign-in is not set up completely. {' '.join(str(error).split())}",
            'Ask the operator: it needs the section [auth] in secrets.toml and pip install "diet-explorer[sign-in]".',
        ) from error


def _remember_the_address(signed_in: bool) -> None:
    _return(key="return-after-sign-in", data={"key": _WANTED, "signed_in": signed_in}, height=1)


def draw_who_asks() -> None:
    """Draw the question for the name, where nobody has given one yet."""
    with st.container(key="who"):
        st.html(
            '<div class="de-empty"><h2>Who is deciding?</h2><p>Every decision is kept with a name, so that others can '
            "ask about it and a second opinion is told from the first. It is asked once on this browser.</p></div>"
        )
        _ask("Your name", "Start", _TYPED_HERE)


def short_name(name: str) -> str:
    """A name where there is little room."""
    return name if len(name) <= _SHORT_CHARACTERS else f"{name[:_SHORT_CHARACTERS]}…"


def _ask(label: str, action: str, key: str = _TYPED) -> None:
    with st.form(f"{key}-form", border=False):
        st.text_input(label, key=key, max_chars=_MOST_CHARACTERS, autocomplete="nickname")
        st.form_submit_button(action, type="primary", on_click=_named, args=(key,))


def _named(key: str) -> None:
    name = " ".join(st.session_state[key].split())
    if name:
        st.session_state[_NAME] = name


def _keep_name() -> None:
    name = st.session_state.get(_NAME)
    if name:
        keep(_COOKIE, name)
