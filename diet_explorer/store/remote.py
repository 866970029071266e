"""Stores elsewhere, by fsspec: how they are opened, what their errors mean, and how DuckDB reads from them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from diet_explorer.config import S3_ENDPOINTS, STORES
from diet_explorer.errors import BadInputError, DietExplorerError, StoreAwayError, WorkspaceError
from diet_explorer.redaction import hide_in_address
from diet_explorer.store.happenings import happened

ANSWER_SECONDS = 20
CONNECT_SECONDS = 5
_TRIES = 2
"""How often a request is sent at once; `patiently` goes on where somebody may wait."""
PLACE = "place (of a workspace: --workspace or DIET_EXPLORER_HOME)"
"""What people may choose another one of; it may be where a backup or an export goes, too."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {
        "config_kwargs": {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": ANSWER_SECONDS,
            "retries": {"max_attempts": 0},
        }
    },
    "gcs": {"requests_timeout": ANSWER_SECONDS},
    "azure": {"connection_timeout": CONNECT_SECONDS, "read_timeout": ANSWER_SECONDS},
}
_AWAY = {  # kinds of errors by the packages that they come from, which need not be installed
    ("botocore", "HTTPClientError"),
    ("botocore", "ConnectionError"),
    ("botocore", "IncompleteReadError"),
    ("aiohttp", "ClientError"),
    ("urllib3", "HTTPError"),
    ("requests", "ConnectionError"),
    ("requests", "Timeout"),
    ("azure", "ServiceRequestError"),
    ("azure", "ServiceResponseError"),
    ("fsspec", "FSTimeoutError"),
}
_AWAY_NUMBERS = {
    errno.EAGAIN,
    errno.EBUSY,
    errno.EIO,
    errno.ECONNREFUSED,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EPIPE,
    getattr(errno, "EREMOTEIO", errno.EIO),
}
_SERVER_ERROR, _TOO_MANY = 500, 429


def extra_of(root: str) -> str | None:
    """The extra of this package that brings what an address needs, such as ``s3``."""
    return STORES.get(root.partition("://")[0].lower())


def open_store(root: str) -> Any:
    """The file system of an address: one of its own, without any cache of listings.

    BadInputError where there is no such kind of address, WorkspaceError where what it needs is not installed.
    """
    hide_in_address(root)
    scheme, extra = root.partition("://")[0], extra_of(root)
    if scheme not in fsspec.available_protocols():
        raise BadInputError(
            f"The workspace {root} cannot be used: there is no kind of address {scheme}://.",
            "Give a folder, or the address of a store, such as s3://, gs:// or az://.",
        )
    options = dict(_OPTIONS.get(extra or "", {}))
    if "config_kwargs" in options:  # the operator's own win
        options["config_kwargs"] |= fsspec.config.conf.get(scheme, {}).get("config_kwargs", {})
    try:
        store = fsspec.core.url_to_fs(root, use_listings_cache=False, skip_instance_cache=True, **options)[0]
    except ImportError as error:
        install = f"Install it: pip install 'diet-explorer[{extra}]'." if extra else f"{_in_one_line(error)}."
        raise WorkspaceError(
            f"A workspace at {scheme}:// needs a package that is not installed{_named(error)}.", install
        ) from error
    except Exception as error:
        raise store_error(root, "reach", root, error) from error
    if extra == "s3":
        store.retries = _TRIES
    return store


def has_folders(root: str) -> bool:
    """Whether folders must be made at an address before there are files in them."""
    return extra_of(root) is None


@contextmanager
def store_errors(root: str, action: str, path: str) -> Iterator[None]:
    """Turn whatever a store's own packages raise in the block into a WorkspaceError.

    FileNotFoundError and FileExistsError go through.
    """
    try:
        yield
    except (DietExplorerError, FileNotFoundError, FileExistsError):
        raise
    except Exception as error:
        raise store_error(root, action, path, error) from error


def store_error(root: str, action: str, path: str, error: Exception) -> WorkspaceError:
    """What is said of an error of a store."""
    happened("store_errors")
    reason = _in_one_line(error)
    if _is_away(error):
        return StoreAwayError(
            f"The workspace's store {root} does not answer: {reason}.",
            "Nothing is lost, and jobs wait for it. Try again in a moment; if it stays so, check the network and the "
            f"store ({_settings(root)}).",
        )
    if isinstance(error, FileNotFoundError):
        return WorkspaceError(
            f"Cannot {action} {path}: {reason}.", f"Create the bucket or container, or choose another {PLACE}."
        )
    if isinstance(error, OSError) and not isinstance(error, PermissionError):
        return WorkspaceError(
            f"Cannot {action} {path}: {reason}.", "Check that the location is there and can be written."
        )
    return WorkspaceError(
        f"The workspace {root} cannot be reached: {reason}.",
        f"Check the address, the credentials and what they may do there, or choose another {PLACE}.",
    )


class CopiedStore(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A store as DuckDB sees it: every file is read from its local copy."""

    def __init__(self, store: Any, local_copy: Callable[[str], AbstractContextManager[str]]) -> None:
        super().__init__(skip_instance_cache=True)
        self.protocol = store.protocol
        self._strip_protocol = lambda path: path
        self._local_copy = local_copy

    def _open(self, path: str, mode: str = "rb", **_: Any) -> BinaryIO:
        with self._local_copy(path) as local:
            return Path(local).open("rb")

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Size and kind of a file."""
        with self._local_copy(path) as local:
            return {**fsspec.filesystem("file").info(local), "name": path}

    def modified(self, path: str) -> datetime:
        """When a file was copied."""
        return datetime.fromtimestamp(self.info(path)["mtime"], UTC)

    def glob(self, path: str, **_: Any) -> list[str]:
        """Only whole paths are asked for."""
        return [path]


def _is_away(error: Exception) -> bool:
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    if isinstance(error, OSError) and error.errno in _AWAY_NUMBERS:
        return True
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    if not kinds.isdisjoint(_AWAY):
        return True
    code = getattr(error, "status_code", None) or getattr(error, "code", None)
    return isinstance(code, int) and (code >= _SERVER_ERROR or code == _TOO_MANY)


def _settings(root: str) -> str:
    """The variables that say where a store is, in words."""
    endpoints = S3_ENDPOINTS if extra_of(root) == "s3" else ()
    endpoint = next((f" and {name}" for name in endpoints if os.environ.get(name)), "")
    return f"setting{'s' if endpoint else ''} DIET_EXPLORER_HOME{endpoint}"


def _named(error: ImportError) -> str:
    origin = error.__cause__ or error.__context__ or error
    name = getattr(origin, "name", None)
    return f" ({name})" if name else ""


def _in_one_line(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()).rstrip(".")[:300] or type(error).__name__
