"""What pages ask, answered once: `asked` keeps an answer until what it rests on changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import streamlit as st
from streamlit.errors import StreamlitAPIException

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.errors import DietExplorerError
from diet_explorer.workspace.run import Run

P = ParamSpec("P")
R = TypeVar("R")
Stamp = Callable[[Run], str]


def landed(run: Run) -> str:
    """Changes whenever scores land, which never change afterwards."""
    return run.store.stamp()


def landed_and_decided(run: Run) -> str:
    """Changes whenever scores land, a map is drawn or a decision is taken."""
    return f"{run.store.stamp()} {run.maps.stamp()} {run.dataset.ledger.position()}"


def asked(
    stamp: Stamp | None = landed_and_decided, *, entries: int = 512, shared: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep the answers of a function under its arguments; of a run, its id and its stamp count.

    An answer must not depend on who asks, since everybody gets it.

    Parameters
    ----------
    stamp : callable or None
        Gives a text that changes with what the answer rests on; None where such a text is one of the arguments.
    entries : int
        How many answers are kept, the latest ones.
    shared : bool
        Give everybody the same object instead of a copy of it; for what nobody changes and is costly to copy.
    """
    keep = st.cache_resource if shared else st.cache_data

    def key_of(run: Run) -> tuple[str, str | None]:
        return run.id, stamp and stamp(run)

    keys: dict[str | type[Any], Callable[[Any], Any]] = {Run: key_of, ExampleFilter: repr}

    def decorate(question: Callable[P, R]) -> Callable[P, R]:
        kept = keep(max_entries=entries, show_spinner=False, hash_funcs=keys)(question)

        @wraps(question)
        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return kept(*args, **kwargs)
            except StreamlitAPIException as error:  # how Streamlit passes on what a stamp raises
                if isinstance(error.__cause__, DietExplorerError):
                    raise error.__cause__ from None
                raise

        return answer

    return decorate
