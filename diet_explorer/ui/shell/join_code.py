"""The join code: what tells leads from everybody else where there is no sign-in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import deque

import streamlit as st

from diet_explorer.config import load_settings
from diet_explorer.review.annotators import Identity
from diet_explorer.store.audit_log import AuditLog
from diet_explorer.ui.shell.browser_memory import keep, kept

_COOKIE = "diet-explorer-lead"
_PASS = "lead-pass"  # noqa: S105  the key of a widget
_TYPED = "join-code"
_FAILED = "join-code-failed"
_DAYS = 7
_TRIES, _TRIES_OF_ALL, _MINUTES = 5, 50, 15
"""So many wrong codes from one address, and from all, within so many minutes; then nobody is heard for a while."""
_SECRET = secrets.token_bytes(32)
"""Of this process, so that nobody tries codes by making passes; after a restart the code is asked again."""
_lock = threading.Lock()
_wrong: dict[str, deque[float]] = {}


def leads_by_code(code: str | None) -> bool:
    """Whether this browser has given the join code within the last days."""
    given = st.session_state.get(_PASS) or kept(_COOKIE)
    return code is not None and is_pass(given, code, time.time())


def made_pass(code: str, now: float) -> str:
    """What a browser keeps of a join code: when it was given, signed with the code, which it does not tell."""
    return f"{int(now)}.{_signature(code, str(int(now)))}"


def is_pass(given: str, code: str, now: float) -> bool:
    """Whether that was made with this join code, and is not too old."""
    moment, _, signature = given.partition(".")
    if not (moment.isascii() and moment.isdigit()) or not -60 <= now - int(moment) <= _DAYS * 86400:
        return False
    return hmac.compare_digest(signature.encode(errors="replace"), _signature(code, moment).encode())


def draw_join_code(who: Identity, log: AuditLog) -> None:
    """Draw the question for the join code; to be called in the menu with the name."""
    if load_settings().join_code is None or who.role == "lead":
        return
    with st.form("join-code-form", border=False, clear_on_submit=True):
        st.text_input("Join code", key=_TYPED, type="password", autocomplete="off", help="Makes you a lead here.")
        st.form_submit_button("Lead", on_click=_give, args=(who.name, log))
    if _FAILED in st.session_state:
        st.warning(st.session_state.pop(_FAILED))


def keep_join_code() -> None:
    """Keep what was given in the browser, for its next visits."""
    if _PASS in st.session_state:
        keep(_COOKIE, st.session_state[_PASS])


def _give(name: str, log: AuditLog) -> None:
    settings, now, address = load_settings(), time.time(), st.context.ip_address or "this machine"
    if settings.join_code is None:
        return
    if not may_try(address, now):
        st.session_state[_FAILED] = f"Too many wrong codes. Try again in {_MINUTES} minutes."
        log.refuse(name, f"tries too many join codes from {address}", settings.guests)
    elif hmac.compare_digest(st.session_state[_TYPED].strip().encode(errors="replace"), settings.join_code.encode()):
        log.add("sign-in", name, f"gives the join code from {address}", role="lead")
        st.session_state[_PASS] = made_pass(settings.join_code, now)
    else:
        count_wrong(address, now)
        log.refuse(name, f"gives a wrong join code from {address}", settings.guests)
        st.session_state[_FAILED] = "That is not the join code."


def may_try(address: str, now: float) -> bool:
    """Whether another code is heard from an address."""
    with _lock:
        for tries in _wrong.values():
            while tries and tries[0] < now - _MINUTES * 60:
                tries.popleft()
        for quiet in [key for key, tries in _wrong.items() if not tries]:
            del _wrong[quiet]
        return len(_wrong.get(address, ())) < _TRIES and sum(map(len, _wrong.values())) < _TRIES_OF_ALL


def count_wrong(address: str, now: float) -> None:
    """Count a wrong code."""
    with _lock:
        _wrong.setdefault(address, deque()).append(now)


def _signature(code: str, moment: str) -> str:
    return hmac.new(_SECRET, f"{moment}.{code}".encode(), hashlib.sha256).hexdigest()
