"""The line of Python that reads an export as it is, where the usual one would take its texts for numbers or gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diet_explorer.data.splits import TRAIN

_WHOLE = {f"{sign}int{bits}": f"{sign.upper()}Int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_NUMBERS = {**_WHOLE, "float": "float32", "double": "float64", "bool": "boolean"}
"""Types of Arrow that CSV holds as numbers and truth values, and pandas' types that take gaps among them."""
_LONGEST = 240


def reading_code(manifest: Mapping[str, Any]) -> str:
    """How the training split of an export is read, or its first one where it has none.

    Parameters
    ----------
    manifest : mapping
        The export's ``manifest.json``.
    """
    form = manifest["options"]["format"]
    files = [entry for entry in manifest["files"] if entry["split"] is not None]
    files.sort(key=lambda entry: entry["split"] != TRAIN)
    path = files[0]["path"] if files else "train.csv"
    if form == "datasets":
        return 'datasets.load_from_disk("FOLDER")'
    if form == "parquet":
        return f'pandas.read_parquet("{path}", dtype_backend="numpy_nullable")'
    if form == "jsonl":
        return f'pandas.DataFrame([json.loads(line) for line in open("{path}", encoding="utf-8")], dtype=object)'
    types = {column["name"]: _NUMBERS.get(column["type"], "str") for column in manifest["columns"]}
    numbers = [name for name, kind in types.items() if kind != "str"]
    gaps = {name: [""] for name in numbers}
    code = f'pandas.read_csv("{path}", dtype={types!r}, keep_default_na=False, na_values={gaps!r})'
    as_texts = f'pandas.read_csv("{path}", dtype=str, keep_default_na=False)'
    return code if numbers and len(code) <= _LONGEST else as_texts
