"""Which visits have an upload on their page: a file of any other visit is turned away before it is read."""

from __future__ import annotations

import threading

from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

_MANY = 1000
_lock = threading.Lock()
_visits: set[str] = set()


def allow_upload() -> None:
    """Let the visit that this page is drawn for upload files; to be called where an upload is drawn, for who may."""
    context = get_script_run_ctx()
    if context is None:
        return
    with _lock:
        if len(_visits) > _MANY and Runtime.exists():
            _visits.intersection_update({visit for visit in _visits if Runtime.instance().is_active_session(visit)})
        _visits.add(context.session_id)


def withdraw_upload() -> None:
    """Take that back, such as when somebody signs out."""
    context = get_script_run_ctx()
    if context is not None:
        with _lock:
            _visits.discard(context.session_id)


def may_upload(visit: str) -> bool:
    """Whether a visit has an upload on its page."""
    with _lock:
        return visit in _visits
