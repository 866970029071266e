"""How people get into this process's app, looked at again whenever the files that say so change."""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from pathlib import Path

from streamlit import config
from streamlit.runtime.secrets import secrets_singleton

from diet_explorer.config import load_settings
from diet_explorer.errors import BadInputError, DietExplorerError
from diet_explorer.review.access import Access, access_of, remember_sign_in

logger = logging.getLogger(__name__)
State = tuple[object, ...]


def current_access() -> Access:
    """How people get in now; BadInputError, without the server's paths, where nobody may."""
    outcome = _outcome(access_state())
    if isinstance(outcome, Access):
        return outcome
    raise BadInputError(outcome, "Ask the operator; the log of the app says more. Until then nobody gets in.")


def access_state() -> State:
    """Changes whenever how people get in may have changed."""
    files = tuple(config.get_option("secrets.files"))
    listening = config.get_option("server.address") or "0.0.0.0", config.get_option("server.port")  # noqa: S104
    settings = tuple(sorted(entry for entry in os.environ.items() if entry[0].startswith("DIET_EXPLORER_")))
    return (files, listening, settings, *map(_stamp, files))


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        there = Path(path).stat()
    except OSError:
        return None
    return there.st_mtime_ns, there.st_size, there.st_ino


@lru_cache(maxsize=8)
def _outcome(state: State) -> Access | str:
    secrets_singleton._reset()  # Streamlit's own watcher of these files ends for good at one that cannot be parsed
    files, listening = state[0], state[1]
    assert isinstance(files, tuple)
    assert isinstance(listening, tuple)
    try:
        settings = load_settings(host=listening[0], port=listening[1])
        access = access_of(settings, files)
        remember_sign_in(settings, access)
    except DietExplorerError as error:
        logger.error("Nobody gets in. %s", error)
        message = error.message
        for path in files:
            message = message.replace(path, Path(path).name)
        return message
    return access
