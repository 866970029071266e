"""What sources share whose file has a schema of Arrow: Parquet, Arrow and `datasets`."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pyarrow as pa

from diet_explorer.data.readers.source import Source
from diet_explorer.errors import BadInputError

_MAX_BYTES = 1 << 25
_LISTS = ("Sequence", "List", "LargeList")


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
    """Return the names of `datasets`' ClassLabel columns and lists of them, which stand in the schema's metadata."""
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = described.get("info", {}).get("features") or {}
    named = {column: _names_of(feature) for column, feature in features.items()}
    return {column: names for column, names in named.items() if names}


def _names_of(feature: Any) -> list[str]:
    """Names of a ClassLabel, also of the entries of a list of them; none for any other feature."""
    while isinstance(feature, dict) and feature.get("_type") in _LISTS:
        feature = feature.get("feature")
    feature = feature[0] if isinstance(feature, list) and len(feature) == 1 else feature
    is_class = isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    return list(feature.get("names") or []) if is_class else []
