"""What a run of a training of one's own says of what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from diet_explorer.errors import DietExplorerError
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.progress import MissingCheckpoint


def words_of(error: Exception) -> str:
    """An exception in one line."""
    if isinstance(error, DietExplorerError):
        return error.message
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "There is not enough memory for it."
    first = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {first[:300].rstrip('.')}."


def missing_words(missing: Sequence[MissingCheckpoint]) -> str:
    """Which scores are missing and why."""
    titles = ", ".join(catalogue.checkpoint_title(entry.checkpoint) for entry in missing)
    reasons = dict.fromkeys(entry.reason for entry in missing)
    return f"Scores are missing ({titles}): {' '.join(reasons)}"
