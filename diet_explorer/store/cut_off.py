"""What killed writers leave in a store elsewhere: how old it is by the store's own clock, and half-sent files.

Stores of objects show a file only when it is whole. What was sent of it until then is kept, and charged for, until
somebody takes it back; other kinds of stores than S3 do that by themselves after a week.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from diet_explorer.store.database import in_utc
from diet_explorer.store.files import Files
from diet_explorer.store.patience import patiently
from diet_explorer.store.remote import extra_of, store_errors

_MOMENTS = ("LastModified", "last_modified", "mtime", "updated", "created")
"""Where packages for stores say when a file was written."""


@dataclass(frozen=True)
class HalfSent:
    """A file of which a part was sent, by its URL."""

    path: str
    id: str  # of the sending, which the store gave it
    begun: datetime  # by the store's clock, in UTC
    size: int  # bytes that are there


def store_time(files: Files) -> datetime:
    """The time by a store's clock, in UTC: that of a file which is written and removed."""
    path = files.path(f"clock-{uuid.uuid4().hex}")
    files.write_bytes(path, b"now")
    try:
        with store_errors(files.root, "read", path):
            return _moment(files.filesystem.info(path)) or datetime.min.replace(tzinfo=UTC)
    finally:
        files.remove_file(path)


def last_written(facts: Iterable[Mapping[str, Any]]) -> datetime | None:
    """When the last one of some files was written, by the store's clock; None where that is not known of all."""
    moments = [_moment(entry) for entry in facts]
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None


def half_sent(files: Files) -> list[HalfSent]:
    """Files below the root of which a part was sent; a writer may still be sending the rest."""
    if extra_of(files.root) != "s3":
        return []

    def ask() -> list[HalfSent]:
        with store_errors(files.root, "list", files.root):
            return list(_half_sent(files))

    return patiently(ask, files.patience)


def take_back(files: Files, sending: HalfSent) -> None:
    """Remove what was sent of a file."""
    bucket, _, key = sending.path.partition("://")[2].partition("/")

    def ask() -> None:
        with store_errors(files.root, "remove", sending.path):
            files.filesystem.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=sending.id)

    patiently(ask, files.patience)


def _half_sent(files: Files) -> Iterator[HalfSent]:
    store, scheme = files.filesystem, files.root.partition("://")[0]
    bucket, _, folder = files.root.partition("://")[2].partition("/")
    where: dict[str, Any] = {"Bucket": bucket, "Prefix": f"{folder}/" if folder else ""}
    while True:
        page = store.call_s3("list_multipart_uploads", **where)
        for entry in page.get("Uploads", []):
            names = {"Bucket": bucket, "Key": entry["Key"], "UploadId": entry["UploadId"]}
            size = sum(part["Size"] for part in store.call_s3("list_parts", **names).get("Parts", []))
            yield HalfSent(f"{scheme}://{bucket}/{entry['Key']}", entry["UploadId"], in_utc(entry["Initiated"]), size)
        if not page.get("IsTruncated"):
            return
        where |= {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def _moment(facts: Mapping[str, Any]) -> datetime | None:
    value = next((facts[name] for name in _MOMENTS if facts.get(name)), None)
    if isinstance(value, datetime):
        return in_utc(value)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return None if value is None else in_utc(datetime.fromisoformat(str(value)))
