"""The gate before the browser app's server: it sees every request, upload, download and websocket first.

A page of another site that has its name lead to this machine (DNS rebinding) gives that name as the host, and is turned
away; so are uploads and downloads of whoever has not signed in, and connections that were made before access changed.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from diet_explorer.errors import DietExplorerError
from diet_explorer.review.access import Access
from diet_explorer.ui.shell.access import access_state, current_access
from diet_explorer.ui.shell.uploaders import may_upload

_UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/")
_OF_THE_SERVER = ("metrics", "agent", "script-health-check")
_READS = ("GET", "HEAD", "OPTIONS")
_POLICY_VIOLATION = 1008


class Gate:
    """ASGI middleware that lets through what may get in, and answers everything else itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or websocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        reason = refusal(scope)
        if reason is None:
            guarded = _until_access_changes(receive, send) if scope["type"] == "websocket" else receive
            await self._app(scope, guarded, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})
        else:
            await PlainTextResponse(reason + "\n", status_code=403)(scope, receive, send)


GATE = Middleware(Gate)
"""The gate as `st.App` takes it."""


def refusal(scope: Scope) -> str | None:
    """Why a request or a websocket is turned away; None where it gets in."""
    headers = Headers(scope=scope)
    try:
        access: Access | None = current_access()
    except DietExplorerError:
        access = None  # nobody gets in: all that is served is the page that says so
    host = headers.get("host", "").lower()
    if not _is_own(host, access):
        if access is None:
            return "This app is closed. Ask the operator: its log says why."
        return "This app is not served under that name. (The operator sets it in DIET_EXPLORER_PUBLIC_URL.)"
    origin = headers.get("origin", "").lower()
    foreign = bool(origin) and urlsplit(origin).netloc != host and origin not in (access.origins if access else ())
    if foreign and (scope["type"] == "websocket" or scope["method"] not in _READS):
        return "Pages of other addresses may not use this app."
    return _of_files(scope, access)


def _of_files(scope: Scope, access: Access | None) -> str | None:
    """Why an upload, a download or a look at the server itself is turned away."""
    path = scope["path"]
    if any(f"/_stcore/{name}" in path for name in _OF_THE_SERVER) and (access is None or access.way != "local"):
        return "What the server says of itself is only for whoever is at its machine."
    upload = _UPLOAD.search(path)
    if upload is None and "/media/" not in path:
        return None
    if access is None or (access.way == "sign-in" and not _has_signed_in(HTTPConnection(scope).cookies)):
        return "Please sign in first."
    if upload is not None and scope["method"] not in _READS and not may_upload(upload[1]):
        return "There is no upload here for this visit."
    return None


def _is_own(host: str, access: Access | None) -> bool:
    """Whether the host of a request is one that this app is served under."""
    try:
        place = urlsplit(f"//{host}")
        name, _ = place.hostname, place.port
    except ValueError:
        return False
    if not name or place.netloc != host or place.username is not None or place.password is not None:
        return False
    if access is not None and name in access.hosts:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return access is None and name == "localhost"
    return address.is_loopback if access is None else access.any_address


def _has_signed_in(cookies: dict[str, str]) -> bool:
    """Whether the cookie of a sign-in is there, with this app's signature."""

    def signed(name: str) -> bytes | None:
        value = cookies.get(name)
        return None if value is None else decode_signed_value(get_cookie_secret(), name, value.encode("latin-1"))

    return get_cookie_with_chunks(signed, USER_COOKIE_NAME) is not None


def _until_access_changes(receive: Receive, send: Send) -> Receive:
    """What a websocket receives, until how people get in has changed: then it is closed, and the browser comes anew."""
    began = access_state()

    async def guarded() -> Message:
        message: Any = await receive()
        if message["type"] == "websocket.receive" and access_state() != began:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "Access has changed."})
            return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}
        return message  # type: ignore[no-any-return]

    return guarded
