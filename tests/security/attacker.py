"""Attackers: raw HTTP and raw websockets against a real server, which is started once for all attacks of a file."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

BOUNDARY = "cut-here"


@dataclass
class Visit:
    """A websocket to the app, as a browser holds one."""

    socket: ClientConnection
    session_id: str = ""
    texts: list[str] = field(default_factory=list)

    def run(self, page: str = "", seconds: float = 60) -> str:
        """Ask for a page; all that the app sends for it, as text."""
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_name = page
        self.socket.send(message.SerializeToString())
        seen, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            answer = ForwardMsg()
            answer.ParseFromString(self.socket.recv(timeout=seconds))
            if answer.WhichOneof("type") == "new_session":
                self.session_id = answer.new_session.initialize.session_id
            seen.append(str(answer))
            if answer.WhichOneof("type") == "script_finished" and not answer.script_finished:
                return "\n".join(seen)
        raise AssertionError("the page did not come to its end")

    def is_open(self) -> bool:
        """Whether the app still listens after another message."""
        try:
            self.run()
        except ConnectionClosed:
            return False
        return True


class Attacker:
    """Speaks to a server in whatever way it likes."""

    def __init__(self, address: str) -> None:
        self.address = address.removeprefix("http://")
        self.port = int(self.address.rpartition(":")[2])

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, str]:
        """Status and text of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": self.address} | dict(headers or {})).items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        return answer.status, text

    def xsrf(self) -> str:
        """A token as the app gives it to everybody who asks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/_stcore/health")
        answer = connection.getresponse()
        answer.read()
        return answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]

    def upload(self, session_id: str, cookies: str = "", size: int = 1000, **headers: str) -> int:
        """Status of an upload with a good XSRF token."""
        token = self.xsrf()
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        body = f"{head}{'x' * size}\r\n--{BOUNDARY}--\r\n".encode()
        given = {
            "X-Xsrftoken": token,
            "Cookie": f"_streamlit_xsrf={token}; {cookies}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        }
        return self.ask("PUT", f"/_stcore/upload_file/{session_id}/file-1", {**given, **headers}, body)[0]

    @contextmanager
    def visit(self, host: str | None = None, origin: str | None = "", cookies: str = "") -> Iterator[Visit]:
        """A websocket with a host and an origin, by default the right ones."""
        token = self.xsrf()
        with connect(
            f"ws://{host or self.address}/_stcore/stream",
            sock=_socket(self.port),
            origin=f"http://{self.address}" if origin == "" else origin,  # type: ignore[arg-type]
            subprotocols=["streamlit", token],  # type: ignore[list-item]
            additional_headers={"Cookie": f"_streamlit_xsrf={token}; {cookies}"},
            max_size=None,
        ) as socket:
            yield Visit(socket)


def _socket(port: int):  # type: ignore[no-untyped-def]
    import socket

    return socket.create_connection(("127.0.0.1", port), timeout=30)


def signed_cookie(secret: str, origin: str, **claims: object) -> str:
    """The cookie of somebody who has signed in, as only who knows the secret can make it."""
    value = json.dumps({"is_logged_in": True, "provider": "default", "origin": origin, **claims})
    return f"_streamlit_user={create_signed_value(secret, '_streamlit_user', value).decode()}"
