"""What a backup says of itself: the files and tables that it has, by the hashes of their contents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from diet_explorer.errors import WorkspaceError
from diet_explorer.store.layout import KEPT

FORMAT_VERSION = 1
MANIFEST = "backup.json"
_DAMAGED = "Use another backup: what this one is made of cannot be trusted."


@dataclass(frozen=True)
class Content:
    """The bytes of a file, or of a part of a table."""

    sha256: str
    size: int


@dataclass(frozen=True)
class BackupFile:
    """One file of the workspace."""

    path: str  # below the workspace's root
    content: Content
    mark: str  # by which it is known to be unchanged without being read


@dataclass(frozen=True)
class BackupTable:
    """One table of the explorer database, in parts of some thousand rows: gzipped lines of JSON, a row each."""

    name: str
    columns: tuple[str, ...]
    rows: int
    parts: tuple[Content, ...]


@dataclass(frozen=True)
class BackupManifest:
    """What a backup holds, and of what."""

    workspace: str | None  # its id; None of one that was made before workspaces had any
    made_at: str  # in UTC, ISO 8601
    program: str  # version of diet-explorer
    revision: str  # of the explorer database's tables
    files: tuple[BackupFile, ...]
    tables: tuple[BackupTable, ...]
    format_version: int = FORMAT_VERSION

    @property
    def contents(self) -> dict[str, int]:
        """Size of each content, by its hash."""
        return {content.sha256: content.size for content in self._contents()}

    @property
    def size(self) -> int:
        """Bytes of all files and tables."""
        return sum(content.size for content in self._contents())

    def to_bytes(self) -> bytes:
        """How it is written: with a hash of itself."""
        body = json.dumps(asdict(self), ensure_ascii=False)
        return json.dumps({"sha256": _sha256(body), "backup": body}, ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> BackupManifest:
        """Read it; WorkspaceError where it is damaged, or a newer version of this program made it."""
        try:
            outer = json.loads(data)
            if _sha256(outer["backup"]) != outer["sha256"]:
                raise ValueError("its hash is another")
            value = json.loads(outer["backup"])
            version = int(value["format_version"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise WorkspaceError(f"The backup {where} is damaged: {MANIFEST} cannot be read.", _DAMAGED) from error
        if version > FORMAT_VERSION:
            raise WorkspaceError(
                f"The backup {where} has format version {version}, newer than {FORMAT_VERSION}.",
                "Upgrade diet-explorer, and restore it with that version.",
            )
        try:
            return cls._from_json(value)
        except (KeyError, TypeError, ValueError) as error:
            raise WorkspaceError(f"The backup {where} is damaged: {error}.", _DAMAGED) from error

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> BackupManifest:
        files = tuple(
            BackupFile(_checked(entry["path"]), Content(**entry["content"]), entry["mark"]) for entry in value["files"]
        )
        tables = tuple(
            BackupTable(
                entry["name"],
                tuple(entry["columns"]),
                entry["rows"],
                tuple(Content(**part) for part in entry["parts"]),
            )
            for entry in value["tables"]
        )
        return cls(**{**value, "files": files, "tables": tables})

    def _contents(self) -> Iterator[Content]:
        for file in self.files:
            yield file.content
        for table in self.tables:
            yield from table.parts


def _checked(path: str) -> str:
    """A path that leads nowhere but into one of the folders that a backup is made of."""
    parts = path.split("/")
    if parts[0] not in KEPT or len(parts) < 2 or {"", ".", ".."} & set(parts) or "\0" in path or "\\" in path:
        raise ValueError(f"it names the file {path!r}, which is none of a workspace")
    return path


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
