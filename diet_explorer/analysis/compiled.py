"""Machine code of UMAP and its neighbour search, kept between processes: compiling it takes longer than a small map."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def keep_compiled(*packages: str) -> None:
    """Let numba read what it compiled of these packages in earlier processes, and write what it compiles in this one.

    UMAP compiles its layout anew in every process by itself, 20 seconds of a core. The files lie in this user's cache,
    by versions, since the code of one package is compiled into that of the other. Where no such folder can be had,
    everything is compiled as ever. The packages must be imported.
    """
    import numba
    from numba.core.dispatcher import Dispatcher

    with suppress(OSError, RuntimeError):  # no home folder, or nothing can be written there
        numba.config.CACHE_DIR = str(_folder(packages))
        modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in packages]
        for module in modules:
            for value in vars(module).values():
                if isinstance(value, Dispatcher):
                    value.enable_caching()


def _folder(packages: tuple[str, ...]) -> Path:
    """A folder that only this user can write to, since numba runs what it finds there."""
    versions = "-".join(version(package) for package in (*_distributions(packages), "numba", "numpy"))
    folder = Path.home() / ".cache" / "diet-explorer" / "compiled" / versions
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o022:
        folder.chmod(0o700)
    return folder


def _distributions(packages: tuple[str, ...]) -> list[str]:
    return ["umap-learn" if package == "umap" else package for package in packages]
