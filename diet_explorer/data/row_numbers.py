"""Which examples somebody means who names them by their rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diet_explorer.errors import BadInputError

_BY_ID = "Give row numbers, from 0; `dataset.rows_of([…])` gives those of ids."


def checked_rows(given: Iterable[Any] | NDArray[Any], count: int) -> NDArray[np.int64]:
    """Row numbers in the order given; those of a mask with a value for each of the `count` rows, ascending.

    BadInputError for what is no row of the dataset: an id, a fraction, a mask of another length.
    """
    if isinstance(given, str | bytes):
        raise BadInputError(f"{given!r} is no list of rows.", _BY_ID)
    rows = np.asarray(given if hasattr(given, "__array__") or isinstance(given, list | tuple) else list(given))
    if not rows.size:
        return np.empty(0, dtype=np.int64)
    if rows.dtype == bool:
        if rows.shape != (count,):
            raise BadInputError(
                f"A mask of {rows.size:,} values does not say which of {count:,} rows are meant.",
                "Give a value for each row of the dataset, or the row numbers themselves.",
            )
        return np.flatnonzero(rows)
    whole = rows.dtype.kind in "iu" or (rows.dtype.kind == "f" and bool(np.all(rows == np.floor(rows))))
    if rows.ndim != 1 or not whole:
        raise BadInputError(f"{rows.ravel()[0]!s} is no row of the dataset.", _BY_ID)
    wrong = rows[(rows < 0) | (rows >= count)]
    if wrong.size:
        raise BadInputError(f"The dataset has no row {int(wrong[0]):,}.", f"Rows go from 0 to {count - 1:,}.")
    return rows.astype(np.int64)
