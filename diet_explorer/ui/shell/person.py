"""Who is in front of the screen: whoever signed in where the operator has set that up, else a name asked once."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import streamlit as st
from streamlit.errors import StreamlitAuthError

from diet_explorer.config import load_settings
from diet_explorer.errors import WorkspaceError
from diet_explorer.review.annotators import Identity, signed_in
from diet_explorer.ui.drawing.plain import escape
from diet_explorer.ui.shell.boundary import as_text

_COOKIE = "diet-explorer-name"
_NAME = "annotator"
_TYPED = "annotator-name"
_WANTED = "diet-explorer-wanted"
_MOST_CHARACTERS = 60
_SHORT_CHARACTERS = 24
NOBODY = Identity("nobody", "viewer", signed_in=True)
"""Who has not signed in although that is needed."""

_keeper = st.components.v2.component(
    "diet_explorer.keep_name",
    html="<span></span>",
    js=Path(__file__).with_name("keep_name.js").read_text(encoding="utf-8"),
)
_return = st.components.v2.component(
    "diet_explorer.return_after_sign_in",
    html="<span></span>",
    js=Path(__file__).with_name("return_after_sign_in.js").read_text(encoding="utf-8"),
)


def sign_in_is_on() -> bool:
    """Whether the operator has configured a sign-in (``[auth]`` in Streamlit's secrets)."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def must_sign_in() -> bool:
    """Draw the way to sign in where it is needed; whether that is so."""
    if not sign_in_is_on() or signed_in_person() is not None:
        return False
    with st.container(key="sign-in"):
        st.html(
            '<div class="de-empty"><h3>Please sign in</h3><p>Decisions are kept with the name of whoever took them.'
            "</p></div>"
        )
        named = [name for name, part in st.secrets["auth"].items() if hasattr(part, "items")]
        for name in named or [None]:
            words = "Sign in" if name is None else f"Sign in with {name}"
            if st.button(words, key=f"sign-in-{name}", type="primary"):
                _sign_in(name)
        _remember_the_address(signed_in=False)
    return True


def signed_in_person() -> Identity | None:
    """Who has signed in; None where nobody has, and where there is no sign-in."""
    if not sign_in_is_on() or not st.user.is_logged_in:
        return None
    email = st.user.get("email")
    if not email or st.user.get("email_verified") is False:
        return Identity(str(st.user.get("name") or email or st.user.get("sub")), "viewer", signed_in=True)
    return signed_in(str(email), load_settings())


def person() -> Identity | None:
    """Who decides in this session; None while nobody has said so."""
    if sign_in_is_on():
        return signed_in_person()
    name = st.session_state.get(_NAME) or unquote(st.context.cookies.get(_COOKIE, ""))
    return Identity(name[:_MOST_CHARACTERS]) if name else None


def draw_person() -> None:
    """Draw who is in front of the screen, with the way to change that."""
    who = person()
    if who is None:
        return
    if sign_in_is_on():
        with st.container(key="person", horizontal=True, vertical_alignment="center", gap="small"):
            st.html(f'<span class="de-quiet">{escape(who.name)} · {who.role}</span>', width="stretch")
            st.button("Sign out", key="sign-out", type="tertiary", on_click=st.logout)
            _remember_the_address(signed_in=True)
        return
    with st.popover(f"As {as_text(short_name(who.name))}", key="person", icon=":material/person:", type="tertiary"):
        _ask("Your name", "Change")


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
            '<div class="de-empty"><h3>Who is deciding?</h3><p>Every decision is kept with a name, so that others can '
            "ask about it and a second opinion is told from the first. It is asked once on this browser.</p></div>"
        )
        _ask("Your name", "Start")


def short_name(name: str) -> str:
    """A name where there is little room."""
    return name if len(name) <= _SHORT_CHARACTERS else f"{name[:_SHORT_CHARACTERS]}…"


def _ask(label: str, action: str) -> None:
    with st.form("name-form", border=False):
        st.text_input(label, key=_TYPED, max_chars=_MOST_CHARACTERS, autocomplete="nickname")
        st.form_submit_button(action, type="primary", on_click=_named)


def _named() -> None:
    name = " ".join(st.session_state[_TYPED].split())
    if name:
        st.session_state[_NAME] = name


def keep_name() -> None:
    """Keep the name in the browser, for its next visit; part of every page that asks for it."""
    name = st.session_state.get(_NAME)
    if name:
        _keeper(key="keep-name", data={"cookie": _COOKIE, "name": name}, height=1)
