"""What is known about an imported dataset, kept beside its examples as `manifest.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.errors import NotFoundError, WorkspaceError
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout

FORMAT_VERSION = 1
METADATA_PREFIX = "meta."


@dataclass(frozen=True)
class DatasetManifest:
    """Facts about one imported, immutable dataset.

    Attributes
    ----------
    id : str
        Slug of the name, a hyphen, and the first ten hexadecimal digits of `content_hash`.
    name : str
        The name that the user gave, or that of the source.
    created_at : str
        Time of the import in UTC, ISO 8601.
    source : dict
        ``location``, ``kind`` and ``sha256`` of what was imported.
    content_hash : str
        SHA-256 over the mapped columns, the metadata and the classes.
    rows : int
        Rows of `examples.parquet`.
    classes : list of str
        Sorted names (numerically if all are whole numbers); the code in column `label` is the position in this list.
    label_type : str
        What the labels were in the source: ``string``, ``integer``, ``number``, ``boolean`` or ``class label``.
    mapping : ColumnMapping
        The roles of the source's columns.
    columns : list of dict
        ``name``, ``role`` (``metadata`` for unmapped ones) and ``type`` (Arrow's name) in source order.
    splits : dict of str to int
        Rows per split, as named in `examples.parquet`.
    report : dict
        The `ValidationReport` of the import, as `ValidationReport.to_json` gives it.
    format_version : int
        Version of this layout.
    """

    id: str
    name: str
    created_at: str
    source: dict[str, str]
    content_hash: str
    rows: int
    classes: list[str]
    label_type: str
    mapping: ColumnMapping
    columns: list[dict[str, str]]
    splits: dict[str, int]
    report: dict[str, Any]
    format_version: int = FORMAT_VERSION

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> DatasetManifest:
        """Rebuild a manifest from `to_json`'s result."""
        return cls(**{**value, "mapping": ColumnMapping(**value["mapping"])})

    @classmethod
    def load(cls, files: Files, dataset_id: str) -> DatasetManifest:
        """Read the manifest of a dataset.

        Raises
        ------
        NotFoundError
            If the workspace has no such dataset.
        WorkspaceError
            If a newer version of diet-explorer wrote it.
        """
        path = Layout(files).dataset(dataset_id).manifest
        if not files.exists(path):
            raise NotFoundError(f"There is no dataset {dataset_id!r}.", "Import it first, or check the id.")
        value = files.read_json(path)
        if value["format_version"] > FORMAT_VERSION:
            raise WorkspaceError(
                f"Dataset {dataset_id!r} has format version {value['format_version']}, newer than {FORMAT_VERSION}.",
                "Update diet-explorer.",
            )
        return cls.from_json(value)
