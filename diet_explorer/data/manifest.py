"""What is known about an imported dataset, kept beside its examples as `manifest.json`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.errors import NotFoundError, WorkspaceError
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.names import checked_id

FORMAT_VERSION = 1
METADATA_PREFIX = "meta."
DISAGREEMENT = "disagreement"  # column of `examples.parquet` where the source has several people's labels


@dataclass(frozen=True)
class DatasetManifest:
    """Facts about one imported, immutable dataset."""

    id: str  # slug of the name, a hyphen, and the first ten hexadecimal digits of `content_hash`
    name: str  # that the user gave, or that of the source
    created_at: str  # in UTC, ISO 8601
    source: dict[str, str]  # location, kind and sha256 of what was imported
    content_hash: str  # SHA-256 over the mapped columns, the metadata and the classes
    rows: int
    classes: list[str]  # sorted, numerically if all are whole numbers; labels are positions in this list
    label_type: str  # in the source: string, integer, number, boolean or class label
    mapping: ColumnMapping
    # Name, role (metadata for unmapped ones) and type (Arrow's name) in source order; behind them the label, where that
    # is the majority of several people's.
    columns: list[dict[str, str]]
    splits: dict[str, int]  # rows per split
    report: dict[str, Any]  # of the import, as `ValidationReport.to_json` gives it
    format_version: int = FORMAT_VERSION

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> DatasetManifest:
        """Rebuild a manifest from `to_json`'s result."""
        mapping = value["mapping"]
        several = {name: tuple(mapping.get(name, ())) for name in ("skip_labels", "annotators")}
        return cls(**{**value, "mapping": ColumnMapping(**{**mapping, **several})})

    def __post_init__(self) -> None:
        checked_id("dataset", self.id)

    @classmethod
    def all(cls, files: Files) -> list[DatasetManifest]:
        """The manifests of all datasets, those in the bin too; a folder whose manifest names another id is none."""
        layout = Layout(files)
        manifests = []
        for dataset_id in layout.ids(layout.datasets):
            with suppress(NotFoundError):
                manifests.append(cls.load(files, dataset_id))
        return manifests

    @classmethod
    def load(cls, files: Files, dataset_id: str) -> DatasetManifest:
        """Read the manifest of a dataset.

        NotFoundError where there is none, or one that names another id than its folder; WorkspaceError where it is
        damaged, or a newer version of diet-explorer wrote it.
        """
        path = Layout(files).dataset(dataset_id).manifest
        value = files.find_json(path)
        if value is None:
            raise NotFoundError(f"There is no dataset {dataset_id!r}.", "Import it first, or check the id.")
        version = value.get("format_version") if isinstance(value, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise WorkspaceError(
                f"Dataset {dataset_id!r} has format version {version}, newer than {FORMAT_VERSION}.",
                "Update diet-explorer.",
            )
        try:
            if value["id"] == dataset_id:
                return cls.from_json(value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WorkspaceError(
                f"The manifest {path} is damaged: {type(error).__name__}: {error}.",
                "Restore it from a backup, or import the data set again.",
            ) from error
        raise NotFoundError(
            f"There is no dataset {dataset_id!r}: the manifest in the folder of this name is of another one.",
            "Restore the folder from a backup, or import the dataset again.",
        )
