"""Columns in which annotation tools write that an example was rejected, ignored or discarded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from diet_explorer.data.report import Notice

_VERDICTS = {
    "answer": frozenset({"accept", "reject", "ignore"}),  # Prodigy
    "status": frozenset({"completed", "submitted", "validated", "pending", "draft", "discarded"}),  # Argilla
}
_NEGATIVE = frozenset({"reject", "ignore", "discarded"})


class VerdictCounts:
    """Counts, among rows with a label, those that a column of an annotation tool says not to take."""

    def __init__(self, mapped: Collection[str]) -> None:
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in _VERDICTS if name not in mapped}

    def add(self, columns: dict[str, pa.Array], has_label: npt.NDArray[np.bool_]) -> None:
        """Take in a batch of rows."""
        for name, counts in list(self._counts.items()):
            column = columns.get(name)
            if column is None:
                continue
            known = pa.array(_VERDICTS[name], pa.string())
            values = column.filter(pa.array(has_label)).drop_null()
            if not pa.types.is_string(column.type) or not pc.all(pc.is_in(values, known), min_count=0).as_py():
                del self._counts[name]  # it is none of an annotation tool, and may have any number of values
                continue
            for entry in pc.value_counts(values).to_pylist():
                counts[entry["values"]] += entry["counts"]

    def notices(self) -> Iterator[Notice]:
        """What should be looked at."""
        for name, counts in self._counts.items():
            negative = {value: count for value, count in counts.items() if value in _NEGATIVE}
            if negative:
                said = ", ".join(f"{count:,} × {value}" for value, count in sorted(negative.items()))
                yield Notice(
                    f"The column {name!r} says of rows with a label: {said}; they are taken like all others.",
                    "Leave these rows out of the file if their labels do not hold.",
                )
