"""Which files, addresses and models may be read: all of them for oneself, in the app those that the operator names.

A `Reach` hangs on the open workspace (`Workspace.reading_within`), and every reading of a location goes through it:
files and folders to import, globs, links, cached datasets of the Hub, models, manifests, ledgers. The command line and
the library work for whoever runs them, with that person's own rights, and are not limited.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from diet_explorer.config import STORES, Settings
from diet_explorer.errors import BadInputError

_WEB = ("http", "https")
_REMEDY = "Upload the file, or ask the operator to name its folder in DIET_EXPLORER_DATA_ROOTS."


@dataclass(frozen=True)
class Reach:
    """What may be read; a path counts as what it leads to when links and ``..`` are followed.

    Parameters
    ----------
    roots : tuple of Path, optional
        The folders whose files may be read; None for all that this process may read.
    closed : tuple of Path
        Folders that stay closed although they lie below a root.
    private : bool
        Whether addresses of private networks and of this machine may be read, and what the server's own credentials
        open: stores such as ``s3://``, private datasets of the Hub.
    """

    roots: tuple[Path, ...] | None = None
    closed: tuple[Path, ...] = ()
    private: bool = True

    @property
    def is_limited(self) -> bool:
        """Whether anything is out of reach."""
        return self.roots is not None

    def permits(self, path: Path) -> bool:
        """Whether a path may be read, or would be if it were there."""
        if self.roots is None:
            return True
        try:
            real = Path(os.path.realpath(path))
        except (OSError, ValueError):  # a NUL character
            return False
        inside = any(real.is_relative_to(os.path.realpath(root)) for root in self.roots)
        return inside and not any(real.is_relative_to(os.path.realpath(folder)) for folder in self.closed)

    def check(self, path: Path, called: str | None = None) -> Path:
        """The same path; a BadInputError, alike for what is there and what is not, where it may not be read."""
        if not self.permits(path):
            raise BadInputError(f"{called or path} is not in a folder that may be used here.", _REMEDY)
        return path

    def check_address(self, url: str) -> None:
        """BadInputError for an address that is none of the web where only that may be read."""
        scheme = url.partition("://")[0].lower()
        if self.is_limited and scheme not in _WEB and not (self.private and scheme in STORES):
            raise BadInputError(
                f"Addresses that begin with {scheme}:// are not read here.",
                "Give one that begins with https://, upload the file, or ask the operator to allow private sources "
                "(DIET_EXPLORER_PRIVATE_SOURCES).",
            )

    def check_target(self, folder: str) -> None:
        """BadInputError where a folder, or an address, may not be written to."""
        if self.is_limited and "://" in folder:
            self.check_address(folder)
        elif self.is_limited:
            self.check(Path(folder), folder)


EVERYWHERE = Reach()
"""Of whoever works for themselves."""


def reach_of_app(settings: Settings, *, shared: bool) -> Reach:
    """What may be read through the browser app.

    Parameters
    ----------
    settings : Settings
    shared : bool
        Whether others than the operator may use it: it has a sign-in, or listens beyond this machine.
    """
    roots = settings.data_folders
    if not roots and not shared:
        roots = (Path.home(),)
    return Reach(roots, (settings.home_folder / "uploads",), settings.private_sources or not shared)
