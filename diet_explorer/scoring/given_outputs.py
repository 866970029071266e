"""Outputs of any model, of scikit-learn, SetFit or another framework, as they are at hand in Python: arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diet_explorer.data.row_numbers import checked_rows
from diet_explorer.errors import BadInputError
from diet_explorer.scoring import metrics
from diet_explorer.store.scores import score_table
from diet_explorer.training.config import CHECKPOINT_DIGITS

OutputKind = Literal["logits", "probabilities"]
SMALLEST = 1e-12
"""Probabilities below this, 0 among them, count as this: their logarithm is finite then, and a loss at most 27.6."""
_SUM_TOLERANCE = 1e-2  # what half precision rounds away in sums of many classes
_VALUES = (bool, np.bool_, float, np.floating)
_FORMS = "Give an array of the shape (examples, classes) per epoch, or (seeds, examples, classes) of several trainings."
_OTHER_CLASSES = (
    "For a class that the model does not know give a column of zeros as probability; leave out the columns of classes "
    "that the dataset has not, and divide each row of probabilities by its sum."
)
_ONE_OF_TWO = "Of two classes, np.column_stack([1 - p, p]) where p is the probability of the second."


class GivenOutputs:
    """Outputs over examples of a dataset at one or more moments of one or more trainings.

    See `Workspace.record` for what may be given; BadInputError names what cannot be used.
    """

    def __init__(
        self,
        outputs: Mapping[float, Any] | Sequence[Any] | Any,
        labels: NDArray[np.integer],
        classes: Sequence[str],
        *,
        kind: OutputKind,
        columns: Sequence[Any] | None = None,
        rows: Any = None,
    ) -> None:
        if kind not in get_args(OutputKind):
            raise BadInputError(f"The kind of outputs {kind!r} does not exist.", "Give logits or probabilities.")
        self._rows, places = _distinct_rows(rows, len(labels))
        self._labels = np.asarray(labels, dtype=np.int64)[self._rows]
        given = _by_checkpoint(outputs)
        self.checkpoints = sorted(given)
        self._logits: dict[float, NDArray[np.float32]] = {}
        for point in self.checkpoints:
            order = _column_order(_column_names(given[point], point, columns), classes)
            if rows is None:
                _check_index(given[point], point)
            array = _checked(
                _numbers(given[point], point),
                point,
                len(places),
                len(order),
                "the dataset" if rows is None else "`rows`",
            )
            self._logits[point] = _as_logits(array[:, places][:, :, order], point, kind)
        counts = {point: len(array) for point, array in self._logits.items()}
        if len(set(counts.values())) > 1:
            named = ", ".join(f"{count} at {point:g}" for point, count in counts.items())
            raise BadInputError(f"The checkpoints have different numbers of seeds: {named}.", _FORMS)
        self.seeds = counts[self.checkpoints[0]]

    def tables(self) -> Iterator[tuple[int, float, pa.Table]]:
        """Seed, checkpoint and score file of each, by seed and checkpoint."""
        for seed in range(self.seeds):
            for point in self.checkpoints:
                logits = np.ascontiguousarray(self._logits[point][seed])
                scores = metrics.scores_of(logits, self._labels)
                rows = self._rows.astype(np.int32)
                yield seed, point, score_table(seed, point, rows, self._labels.astype(np.int32), logits, scores)


def _by_checkpoint(outputs: Any) -> dict[float, Any]:
    """What is given by checkpoint in epochs; entries of a list are the ends of epochs 1, 2, …"""
    if isinstance(outputs, Mapping):
        given = list(outputs.items())
    elif isinstance(outputs, list | tuple):
        given = list(enumerate(outputs, start=1))
    else:
        given = [(1, outputs)]
    if not given:
        raise BadInputError("There are no outputs.", _FORMS)
    for point, _ in given:
        if isinstance(point, bool) or not isinstance(point, Real) or not isfinite(point) or point < 0:
            raise BadInputError(f"The checkpoint {point!r} is no number of epochs.", "Give numbers from 0.")
    by_point = {round(float(point), CHECKPOINT_DIGITS): values for point, values in given}
    if len(by_point) < len(given):
        raise BadInputError("Two checkpoints are the same.", f"Give each with at most {CHECKPOINT_DIGITS} decimals.")
    return by_point


def _numbers(values: Any, point: float) -> NDArray[np.floating]:
    if hasattr(values, "detach"):  # a tensor: off its graph and device, and of a type that numpy has
        values = values.detach().cpu().double()
    try:
        if np.ma.isMaskedArray(values):  # what is masked is missing, whatever lies below
            return np.ma.filled(values.astype(np.float64), np.nan)
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"The outputs at epoch {point:g} are no numbers: {error}.", _FORMS) from error


def _column_names(values: Any, point: float, columns: Sequence[Any] | None) -> Sequence[Any] | None:
    """What the columns are called: by who gives them, else by a table that has names for them; None if by nobody."""
    named = getattr(values, "column_names", getattr(values, "columns", None))  # of Arrow, of pandas and Polars
    if named is None or list(named) == list(range(len(named))):
        return columns
    if columns is None:
        return list(named)
    if list(map(str, named)) != list(map(str, columns)) and set(map(str, named)) == set(map(str, columns)):
        raise BadInputError(
            f"The table at epoch {point:g} has the columns {', '.join(map(str, named))}, and `classes` has them in "
            "another order.",
            "Leave `classes` out: the table names its columns.",
        )
    return columns


def _check_index(values: Any, point: float) -> None:
    """Refuse a table whose rows were shuffled, since they would be taken for those of the dataset in its order."""
    index = getattr(values, "index", None)
    if getattr(index, "dtype", None) == np.int64 and not index.is_monotonic_increasing:  # type: ignore[union-attr]
        raise BadInputError(
            f"The index of the table at epoch {point:g} is not in ascending order, so its rows may not be those of the "
            "dataset in its order.",
            "Say in `rows` which examples they are of, sort them, or give `to_numpy()` of it where the order is right.",
        )


def _checked(
    array: NDArray[np.floating], point: float, examples: int, classes: int, whose: str
) -> NDArray[np.floating]:
    """The outputs (S, M, K) at a checkpoint."""
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or not len(array):
        raise BadInputError(
            f"The outputs at epoch {point:g} have the shape {array.shape}.",
            f"{_FORMS} A list is taken for one array per epoch. {_ONE_OF_TWO}",
        )
    _, height, width = array.shape
    if height != examples:
        raise BadInputError(
            f"The outputs at epoch {point:g} are of {height:,} examples, and {whose} has {examples:,}.",
            "Give one for each example in the dataset's order, or say in `rows` which examples they are of.",
        )
    if width != classes:
        raise BadInputError(
            f"The outputs at epoch {point:g} have {width} columns for {classes} classes.",
            f"Give a column for every class of the dataset. {_OTHER_CLASSES} {_ONE_OF_TWO}",
        )
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        raise BadInputError(
            f"The output at epoch {point:g} for example {int(wrong[0][1]):,} is not finite.",
            "Leave the example out with `rows`, or mend the model.",
        )
    return array


def _as_logits(array: NDArray[np.floating], point: float, kind: OutputKind) -> NDArray[np.float32]:
    sums = array.sum(-1)
    if kind == "logits":
        if array.min() >= 0 and np.abs(sums - 1).max() <= _SUM_TOLERANCE:
            raise BadInputError(
                f"The outputs at epoch {point:g} are probabilities: each row sums to 1, and none is below 0.",
                'Say kind="probabilities".',
            )
        return array.astype(np.float32)
    wrong = np.argwhere((array.min(-1) < 0) | (np.abs(sums - 1) > _SUM_TOLERANCE))
    if len(wrong):
        seed, example = map(int, wrong[0])
        raise BadInputError(
            f"The outputs at epoch {point:g} for example {example:,} are no probabilities: "
            f"they sum to {sums[seed, example]:.3g}, the least is {array[seed, example].min():.3g}.",
            'Say kind="logits" where they are logits or log-probabilities; divide each row by its sum where they were '
            "rounded.",
        )
    logits: NDArray[np.float32] = np.log(np.maximum(array / sums[..., None], SMALLEST)).astype(np.float32)
    return logits


def _column_order(columns: Sequence[Any] | None, classes: Sequence[str]) -> list[int]:
    """Which column each class of the dataset is in."""
    if columns is None:
        return list(range(len(classes)))
    for written in (str, _as_imported):
        names = [written(name) for name in columns]
        if sorted(names) == sorted(classes):
            return [names.index(name) for name in classes]
    given = ", ".join(map(str, columns))
    raise BadInputError(
        f"The columns are named {given}, and the classes of the dataset are {', '.join(classes)}.",
        f"Name each class once, in the order of the columns, as an estimator's `classes_` does. {_OTHER_CLASSES}",
    )


def _as_imported(name: Any) -> str:
    """A class of a Parquet file's numbers or booleans: true and 1 where `str` has True and 1.0."""
    return str(pa.scalar(name).cast(pa.string()).as_py()) if isinstance(name, _VALUES) else str(name)


def _distinct_rows(rows: Any, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows, ascending, and where each is among those given."""
    if rows is None:
        return np.arange(count), np.arange(count)
    given = checked_rows(rows, count)
    if not len(given):
        raise BadInputError("No rows are named.", "Leave `rows` out where the outputs are of all examples.")
    distinct, places = np.unique(given, return_index=True)
    if len(distinct) < len(given):
        twice = distinct[np.unique(given, return_counts=True)[1] > 1][0]
        raise BadInputError(f"The row {int(twice):,} is named twice.", "Name each once.")
    return distinct, places
