"""Where the files lie that come with the program: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from diet_explorer.errors import WorkspaceError

_PACKAGE = Path(__file__).parents[1]


def packaged(name: str) -> Path:
    """A file or folder that comes with the program, by its path from a checkout's root.

    Raises
    ------
    WorkspaceError
        It is missing from this installation.
    """
    # inside first: what lies beside an installed package, such as a folder `docs`, is somebody else's
    for folder in (_PACKAGE / "_app", _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise WorkspaceError(f"The installation is incomplete: {name} is missing.", "Install diet-explorer again.")
