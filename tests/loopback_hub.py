"""A dataset Hub on this machine that keeps revisions: as much of its protocol as pushing and loading datasets need.

A real HTTP server for the real clients (`huggingface_hub`, `datasets`). Large files travel by Git LFS: the batch
endpoint hands out signed addresses, which take no token, and only what is not in the store yet is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

LARGE = (".parquet", ".arrow")
LARGE_BYTES = 10_000_000
TOKEN = "hf_LoopbackTokenThatNobodyMayEverSee"
FIRST_FILES = {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}


@dataclass(frozen=True)
class Account:
    """Who a token belongs to; `expired` tokens are refused."""

    name: str
    role: str = "write"
    expired: bool = False


@dataclass(frozen=True)
class Commit:
    """One revision: all files by path, each its bytes or the SHA-256 of a large one."""

    oid: str
    summary: str
    files: dict[str, bytes | str]


@dataclass
class Repository:
    """A dataset; its last commit is the head of main."""

    private: bool
    commits: list[Commit] = field(default_factory=list)

    @property
    def head(self) -> Commit:
        return self.commits[-1]


@dataclass
class Refusal:
    """An answer given instead of the real one, the next `times` times that a request line holds `where`."""

    where: str
    status: int
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1


class LoopbackHub(ThreadingHTTPServer):
    """The server; what it was asked stands in `lines`, what was stored in `stored`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.accounts = {TOKEN: Account("ann")}
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.lines: list[str] = []
        self.headers_seen: list[str | None] = []  # the Authorization of every request
        self.stored: list[str] = []
        self.refusals: list[Refusal] = []
        self.hold_after: int | None = None
        self.holding = threading.Event()
        self.released = threading.Event()
        self.begun = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def create(self, name: str, files: dict[str, bytes] | None = None, private: bool = False) -> Repository:
        """Make a repository as somebody might have done on the Hub's pages."""
        found = self.repositories[name] = Repository(private)
        self.commit(found, "initial commit", {**FIRST_FILES, **(files or {})})
        return found

    def commit(self, repository: Repository, summary: str, files: dict[str, bytes | str]) -> Commit:
        oid = hashlib.sha1(f"{uuid.uuid4()}".encode()).hexdigest()
        repository.commits.append(Commit(oid, summary, files))
        return repository.head

    def hold(self, after: int) -> None:
        """From now on take so many large files, and leave the others hanging in the middle."""
        self.begun, self.hold_after = 0, after
        self.holding.clear()
        self.released.clear()

    def release(self) -> None:
        """Take large files again; what hangs is cut off."""
        self.hold_after = None
        self.released.set()

    def bytes_of(self, content: bytes | str) -> bytes:
        return self.blobs[content] if isinstance(content, str) else content

    def files(self, name: str) -> dict[str, bytes]:
        """The files of the head of a repository."""
        return {path: self.bytes_of(content) for path, content in self.repositories[name].head.files.items()}


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the console; `lines` has it."""

    def _answer(self) -> None:
        line = f"{self.command} {self.path}"
        self.server.lines.append(line)
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if self.command == "PUT":
            return self._store(parts[-1])
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            refusal = next((entry for entry in self.server.refusals if entry.times and entry.where in line), None)
            if refusal is not None:
                refusal.times -= 1
        if refusal is not None:
            return self._refuse(refusal.status, refusal.message, refusal.headers)
        if parts[0] == "lfs" and parts[-1] == "verify":
            stored = self.server.blobs.get(parts[1])
            return self._json({}) if stored is not None else self._refuse(404, "no such object")
        self.server.headers_seen.append(self.headers.get("Authorization"))
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        account = self.server.accounts.get(bearer)
        if bearer and account is None:
            return self._refuse(401, "Invalid credentials in Authorization header")
        if account is not None and account.expired:
            return self._refuse(401, 'User Access Token "pushing" is expired')
        if parts == ["api", "whoami-v2"]:
            return self._who(account)
        if parts == ["api", "repos", "create"]:
            return self._create(account, json.loads(body))
        if parts == ["api", "validate-yaml"]:
            return self._check_card(json.loads(body)["content"])
        is_api = parts[0] == "api"
        kind, owner, name, *rest = [*parts[is_api:], "", "", ""]
        self._repository(kind, owner, name, [part for part in rest if part], account, body)
        return None

    def _repository(
        self, kind: str, owner: str, name: str, rest: list[str], account: Account | None, body: bytes
    ) -> None:
        full = f"{owner}/{name.removesuffix('.git')}"
        repository = self.server.repositories.get(full)
        hidden = repository is not None and repository.private and (account is None or account.name != owner)
        if kind != "datasets" or repository is None or hidden:
            return self._refuse(404, "Repository not found", {"X-Error-Code": "RepoNotFound"})
        writes = name.endswith(".git") or rest[:1] in (["preupload"], ["commit"])
        if writes and (account is None or account.name != owner or account.role != "write"):
            return self._refuse(403, f"Forbidden: pass a token that may write {full}")
        if name.endswith(".git"):
            return self._batch(json.loads(body))
        if rest[:1] == ["preupload"]:
            return self._upload_modes(repository, json.loads(body)["files"])
        if rest[:1] == ["commit"]:
            return self._commit(full, repository, body)
        commit = self._revision(repository, rest[1] if len(rest) > 1 else "main")
        if commit is None:
            return self._refuse(404, "Revision not found", {"X-Error-Code": "RevisionNotFound"})
        if rest[:1] == ["resolve"]:
            return self._file(commit, "/".join(rest[2:]))
        if rest[:1] == ["tree"]:
            return self._json(self._tree(commit, "/".join(rest[2:]), "recursive=true" in self.path.lower()))
        if rest[:1] == ["paths-info"]:
            wanted = json.loads(body)["paths"] if body.startswith(b"{") else []
            return self._json([self._entry(commit, path) for path in wanted if path in commit.files])
        facts = {"id": full, "sha": commit.oid, "private": repository.private, "gated": False, "disabled": False}
        siblings = [{"rfilename": path} for path in commit.files]
        return self._json({**facts, "author": owner, "downloads": 0, "likes": 0, "tags": [], "siblings": siblings})

    def _who(self, account: Account | None) -> None:
        if account is None:
            return self._refuse(401, "Invalid username or password.")
        token = {"displayName": "pushing", "role": account.role}
        return self._json({"type": "user", "name": account.name, "auth": {"accessToken": token}, "orgs": []})

    def _create(self, account: Account | None, wanted: dict[str, Any]) -> None:
        if account is None:
            return self._refuse(401, "Invalid username or password.")
        owner = wanted.get("organization") or account.name
        if owner != account.name or account.role != "write":
            return self._refuse(403, f'You don\'t have the rights to create a dataset under the namespace "{owner}"')
        full = f"{owner}/{wanted['name']}"
        if full in self.server.repositories:
            return self._refuse(409, "You already created this dataset repo")
        self.server.create(full, private=wanted.get("visibility") == "private")
        return self._json({"url": f"{self.server.url}/datasets/{full}", "name": full})

    def _check_card(self, content: str) -> None:
        head = re.match(r"---\r?\n(.*?\n)---\s*\n", content, re.DOTALL)
        try:
            yaml.safe_load(head.group(1) if head else "")
        except yaml.YAMLError as error:
            return self._json({"errors": [{"message": str(error)}], "warnings": []}, 400)
        return self._json({"errors": [], "warnings": []})

    def _upload_modes(self, repository: Repository, files: list[dict[str, Any]]) -> None:
        answers = []
        for wanted in files:
            large = wanted["path"].endswith(LARGE) or wanted["size"] > LARGE_BYTES
            there = repository.head.files.get(wanted["path"])
            answer = {"path": wanted["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            answers.append(answer if there is None else {**answer, "oid": _oid(there)})
        self._json({"files": answers})

    def _batch(self, wanted: dict[str, Any]) -> None:
        objects = []
        for entry in wanted["objects"]:
            address = f"{self.server.url}/lfs/{entry['oid']}"
            actions = {"upload": {"href": f"{address}?signature=1"}, "verify": {"href": f"{address}/verify"}}
            objects.append(entry if entry["oid"] in self.server.blobs else {**entry, "actions": actions})
        self._json({"transfer": "basic", "objects": objects})

    def _store(self, sha256: str) -> None:
        """Take a large file; all but the first `hold_after` are not read to their end."""
        length = int(self.headers["Content-Length"])
        with self.server.lock:
            self.server.begun += 1
            held = self.server.hold_after is not None and self.server.begun > self.server.hold_after
        if held:
            self.rfile.read(min(length, 1000))
            self.server.holding.set()
            self.close_connection = True
            self.server.released.wait(60)
            return
        data = self.rfile.read(length)
        if len(data) != length:  # the client went away in the middle
            self.close_connection = True
            return
        with self.server.lock:
            good = hashlib.sha256(data).hexdigest() == sha256
            if good:
                self.server.blobs[sha256] = data
                self.server.stored.append(sha256)
        self._send(200 if good else 400, b"")

    def _commit(self, name: str, repository: Repository, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        with self.server.lock:
            if header.get("parentCommit", repository.head.oid) != repository.head.oid:
                return self._refuse(412, "A commit has happened since. Please refresh and try again.")
            files = dict(repository.head.files)
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    if value["oid"] not in self.server.blobs:
                        return self._refuse(400, f"The object of {value['path']} was not uploaded")
                    files[value["path"]] = value["oid"]
                elif line["key"] == "deletedFile":
                    del files[value["path"]]
            commit = self.server.commit(repository, header["summary"], files)
        address = f"{self.server.url}/datasets/{name}/commit/{commit.oid}"
        return self._json({"success": True, "commitOid": commit.oid, "commitUrl": address})

    def _revision(self, repository: Repository, name: str) -> Commit | None:
        if name == "main":
            return repository.head
        return next((commit for commit in repository.commits if commit.oid == name), None)

    def _file(self, commit: Commit, path: str) -> None:
        if path not in commit.files:
            return self._refuse(404, "Entry not found", {"X-Error-Code": "EntryNotFound"})
        data = self.server.bytes_of(commit.files[path])
        headers = {"ETag": f'"{_oid(commit.files[path])}"', "X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            return self._send(200, data, headers)
        first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return self._send(206, data[first : last + 1], headers)

    def _tree(self, commit: Commit, folder: str, recursive: bool) -> list[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        below = [path for path in commit.files if path.startswith(prefix)]
        shown = [path for path in below if recursive or "/" not in path[len(prefix) :]]
        parents = {path[: path.rindex("/")] for path in below if "/" in path[len(prefix) :]}
        folders = parents if recursive else {prefix + path[len(prefix) :].split("/")[0] for path in parents}
        entries = [{"type": "directory", "path": path, "oid": commit.oid, "size": 0} for path in sorted(folders)]
        return entries + [self._entry(commit, path) for path in shown]

    def _entry(self, commit: Commit, path: str) -> dict[str, Any]:
        content = commit.files[path]
        size = len(self.server.bytes_of(content))
        entry = {"type": "file", "path": path, "size": size, "oid": _oid(content)}
        return (
            {**entry, "lfs": {"oid": content, "size": size, "pointerSize": 130}} if isinstance(content, str) else entry
        )

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        body = json.dumps({"error": message}).encode()
        self._send(status, body, {"X-Error-Message": message, "Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _oid(content: bytes | str) -> str:
    """What git calls a file: the SHA-1 of its blob, or the SHA-256 of a large one."""
    if isinstance(content, str):
        return content
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """A Hub until the block ends."""
    with LoopbackHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.release()
            server.shutdown()
            thread.join()
