"""Token ids of a dataset's texts, made once and shared by all trainings of one tokenizer and length.

The arrays are written first and their sums last, into the manifest: where that is missing, or a file is not what it
says, they are made anew. Whoever makes them at the same time writes the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import NotFoundError, WorkspaceError
from diet_explorer.store.files import Files, explained, file_sha256
from diet_explorer.store.layout import Layout
from diet_explorer.store.locks import try_lock
from diet_explorer.store.private import make_private_folder

_OFFSETS = "offsets"
_WAIT_SECONDS = 0.1


@dataclass(frozen=True)
class Tokens:
    """Token ids of all examples in row order, one flat array per column."""

    columns: dict[str, NDArray[np.int32]]  # ``input_ids``, and ``token_type_ids`` where the model takes them
    offsets: NDArray[np.int64]  # (N + 1,); example i is ``offsets[i]:offsets[i + 1]`` of every column
    truncated: int  # how many examples were longer than the limit

    @property
    def rows(self) -> int:
        """Examples."""
        return len(self.offsets) - 1


class StoredTokens:
    """Token ids of one dataset under one key."""

    def __init__(self, files: Files, dataset_id: str, key: str) -> None:
        self._files = files
        self._folder = f"{Layout(files).dataset(dataset_id).tokens}/{key}"

    @contextmanager
    def making(self, check: Callable[[], None]) -> Iterator[None]:
        """Let others on a local workspace wait, so that it is made once; `check` may end the waiting."""
        if not self._files.is_local:
            yield
            return
        folder = Path(self._folder)
        with explained("write", self._folder):
            make_private_folder(folder)
            while (lock := try_lock(folder / "lock")) is None:
                check()
                time.sleep(_WAIT_SECONDS)
        try:
            yield
        finally:
            lock.release()

    def read(self) -> Tokens | None:
        """What is stored, mapped into memory; None where it is not there or is damaged."""
        try:
            manifest = self._files.read_json(self._manifest)
            arrays = {name: self._mapped(name, digest) for name, digest in manifest["sums"].items()}
            return Tokens(offsets=arrays.pop(_OFFSETS), columns=arrays, truncated=manifest["truncated"])
        except (NotFoundError, WorkspaceError, OSError, ValueError, KeyError):
            return None

    def write(self, tokens: Tokens) -> Tokens:
        """Store them, the manifest last, and give them back."""
        sums = {}
        arrays: dict[str, NDArray[Any]] = {_OFFSETS: tokens.offsets, **tokens.columns}
        for name, values in arrays.items():
            with self._files.atomic_writer(self._array(name)) as stream:
                sums[name] = _write_array(stream, values)
        self._files.write_json(self._manifest, {"truncated": tokens.truncated, "sums": sums})
        return tokens

    @property
    def _manifest(self) -> str:
        return f"{self._folder}/manifest.json"

    def _array(self, name: str) -> str:
        return f"{self._folder}/{name}.npy"

    def _mapped(self, name: str, digest: str) -> Any:
        with self._files.local_copy(self._array(name)) as path:
            values = np.asarray(np.load(path, mmap_mode="r"))
            if file_sha256(path) != digest:
                raise ValueError(f"{path} is damaged")
        return values


def _write_array(stream: Any, values: NDArray[Any]) -> str:
    """Write an array in numpy's form and give the SHA-256 of its bytes."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(values))
    data = np.ascontiguousarray(values).view(np.uint8).data
    digest = hashlib.sha256(head.getvalue())
    digest.update(data)
    stream.write(head.getvalue())
    stream.write(data)
    return digest.hexdigest()
