"""A dataset Hub on this machine: as much of its protocol as `datasets.load_dataset` needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Repositories = dict[str, dict[str, bytes]]


class HubServer(ThreadingHTTPServer):
    """Serves repositories, each a dict of file names and contents, at one commit."""

    def __init__(self, repositories: Repositories) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, format: str, *args: object) -> None:
        self.server.requests.append(f"{self.command} {self.path}")

    def _answer(self, body: bytes = b"") -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        is_api = parts[0] == "api"
        kind, *rest = parts[1:] if is_api else parts
        name = "/".join(rest[:2])
        files = self.server.repositories.get(name)
        if kind != "datasets" or files is None:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        elif not is_api:
            self._send_file(files, "/".join(rest[4:]))
        elif rest[2:3] == ["tree"]:
            self._send_json(_tree(files, "/".join(rest[4:]), recursive="recursive=true" in self.path.lower()))
        elif rest[2:3] == ["paths-info"]:
            wanted = json.loads(body)["paths"] if body.startswith(b"{") else []
            self._send_json([_entry(path, files[path]) for path in wanted if path in files])
        elif rest[2:3] in ([], ["revision"]):
            self._send_json(
                {
                    "id": name,
                    "sha": COMMIT,
                    "private": False,
                    "gated": False,
                    "disabled": False,
                    "downloads": 0,
                    "likes": 0,
                    "tags": [],
                    "siblings": [{"rfilename": path} for path in files],
                }
            )
        else:
            self._send(404, b"{}")

    def _send_file(self, files: dict[str, bytes], path: str) -> None:
        if path not in files:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        else:
            tag = hashlib.sha1(files[path]).hexdigest()
            self._send(200, files[path], {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})

    def _send_json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _entry(path: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}


def _tree(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict[str, Any]]:
    prefix = f"{folder}/" if folder else ""
    below = [path for path in files if path.startswith(prefix)]
    folders = sorted({path[: len(prefix)] + path[len(prefix) :].split("/")[0] for path in below} - set(below))
    entries = [{"type": "directory", "path": path, "oid": COMMIT, "size": 0} for path in folders]
    shown = below if recursive else [path for path in below if "/" not in path[len(prefix) :]]
    return entries + [_entry(path, files[path]) for path in shown]


@contextmanager
def serve_hub(repositories: Repositories) -> Iterator[HubServer]:
    """Serve repositories until the block ends."""
    with HubServer(repositories) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
