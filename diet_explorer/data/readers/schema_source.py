"""What sources share whose file has a schema of Arrow: Parquet, Arrow and `datasets`."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow as pa

from diet_explorer.data.readers.source import Source
from diet_explorer.errors import BadInputError

_MAX_BYTES = 1 << 25


class SchemaSource(Source):
    """A source whose columns have types and, where `datasets` left them in the metadata, names of classes."""

    typed = True
    schema: pa.Schema

    def columns(self) -> list[str]:
        return list(self.schema.names)

    def class_names(self, column: str) -> list[str] | None:
        return class_names_of(self.schema).get(column)

    def types(self) -> dict[str, pa.DataType]:
        return {field.name: field.type for field in self.schema}

    def check_names(self) -> None:
        """Refuse two columns of the same name."""
        for name, times in Counter(self.schema.names).items():
            if times > 1:
                raise BadInputError(
                    f"{self.location} has more than one column {name!r}.", "Give each column a name of its own."
                )


def bounded_batch_size(size: int, bytes_per_row: float) -> int:
    """Return how many rows to read at once so that a batch stays near 32 MiB at most."""
    return max(1, min(size, int(_MAX_BYTES / max(bytes_per_row, 1.0))))


def class_names_of(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the names of `datasets`' ClassLabel columns, which stand in the schema's metadata."""
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = described.get("info", {}).get("features") or {}
    return {
        column: list(feature["names"])
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }
