"""What a decision is about and which class it gives, checked before it is stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.data.row_numbers import checked_rows
from diet_explorer.data.value_texts import as_name
from diet_explorer.errors import BadInputError
from diet_explorer.review.replay import ACTIONS

LONGEST_NAME = 200
LONGEST_UID = 64


@dataclass(frozen=True)
class Choice:
    """A decision that can be stored."""

    rows: NDArray[np.int32]  # ascending
    label: str | None = None  # the new class of all of them
    labels: NDArray[np.int32] | None = None  # for each row the code of its new class, where these differ


def checked_choice(
    manifest: DatasetManifest, rows: Iterable[int], action: str, annotator: str, label: str | Sequence[str] | None
) -> Choice:
    """A decision as `Ledger.decide` takes it; BadInputError for an action, label, annotator or row that is none."""
    given = checked_rows(rows, manifest.rows)
    chosen, first = np.unique(given, return_index=True)
    if action not in ACTIONS:
        raise BadInputError(f"There is no decision {action!r}.", f"Choose one of: {', '.join(ACTIONS)}.")
    if not annotator:
        raise BadInputError("A decision needs the name of who decides.", "Give the annotator's name.")
    if len(annotator) > LONGEST_NAME:
        raise BadInputError("The annotator's name is too long.", f"Give {LONGEST_NAME} characters at most.")
    if (action == "relabel") != (label is not None):
        raise BadInputError(
            "Relabelling needs a new label." if label is None else f"The decision {action!r} takes no label.",
            "Give a class with relabel, and none with any other decision.",
        )
    if not len(chosen):
        raise BadInputError("No example was chosen.", "Choose one example at least.")
    about = chosen.astype(np.int32)
    label = as_name(label)
    if label is None:
        return Choice(about)
    if isinstance(label, str):
        return Choice(about, manifest.classes[int(class_codes(manifest.classes, [label])[0])])
    codes = class_codes(manifest.classes, label)
    if len(codes) != len(given) or len(chosen) != len(given):
        raise BadInputError(
            f"{len(chosen):,} different rows of {len(given):,} were given {len(codes):,} labels.",
            "Give one label for each row, and no row twice.",
        )
    codes = codes[first]
    if (codes == codes[0]).all():
        return Choice(about, manifest.classes[codes[0]])
    return Choice(about, labels=codes)


def checked_uid(uid: str | None) -> str:
    """The uid of a decision, or a fresh one; BadInputError for one that cannot be stored."""
    if uid is None:
        return uuid.uuid4().hex
    if not uid.strip() or len(uid) > LONGEST_UID:
        raise BadInputError(
            f"The uid {uid[:LONGEST_UID]!r} cannot be used.", f"Give 1 to {LONGEST_UID} characters, or none at all."
        )
    return uid.strip()


def class_codes(classes: Sequence[str], names: Sequence[str]) -> NDArray[np.int32]:
    """Codes of classes by their names; BadInputError where there is no such class."""
    codes = pd.Index(classes).get_indexer(pd.Index(list(map(as_name, names)), dtype=object))
    if (codes < 0).any():
        unknown = names[int(np.argmax(codes < 0))]
        raise BadInputError(f"The dataset has no class {unknown!r}.", f"Its classes: {', '.join(classes[:20])}.")
    return codes.astype(np.int32)
