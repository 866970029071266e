"""Short ways of the tests to write a file, import it and read what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.readers.opening import Source, open_source
from diet_explorer.data.readers.options import ReadingOptions
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout

MAPPING = ColumnMapping(text="text", label="label")


class Importer:
    """A workspace and a folder of sources below one temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = Files(folder / "workspace")

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def open(self, name: str, content: str | bytes, **options: Any) -> Source:
        return open_source(self.write(name, content), ReadingOptions(**options))

    def run(self, name: str, content: str | bytes, mapping: ColumnMapping = MAPPING) -> DatasetManifest:
        return import_examples(self.open(name, content), mapping, self.files)

    def examples(self, manifest: DatasetManifest) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(Layout(self.files).dataset(manifest.id).examples).to_pylist()
        return rows

    def set_aside(self, manifest: DatasetManifest) -> list[tuple[int, str]]:
        return [(row["line"], row["reason"]) for row in self.set_aside_rows(manifest)]

    def set_aside_rows(self, manifest: DatasetManifest) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(Layout(self.files).dataset(manifest.id).set_aside).to_pylist()
        return rows

    def left_behind(self) -> list[str]:
        """Every file and folder of the workspace but its root folders."""
        root = Path(self.files.root)
        found = (str(path.relative_to(root)) for path in root.rglob("*"))
        return sorted(name for name in found if name != "datasets")
