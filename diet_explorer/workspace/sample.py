"""The sample that comes with the program: film snippets with human ratings of their labels."""

from __future__ import annotations

from typing import Any

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.packaged import packaged
from diet_explorer.data.readers.opening import Source, open_source

SAMPLE_NAME = "Film snippets (sample)"
SAMPLE_MAPPING = ColumnMapping(text="text", label="label", id="id", split="split")
SAMPLE_SETTINGS: dict[str, Any] = {"epochs": 3, "seeds": 1, "max_length": 64}
"""What `Workspace.score` is given for it."""


def open_sample() -> Source:
    """The sample's file, ready to be imported.

    Raises
    ------
    WorkspaceError
        It is missing from this installation.
    """
    return open_source(packaged("sample_data/movie_snippets.csv"))
