"""What is selected, as it stands in the URL: one value that every page reads and every control writes.

The URL is the only source of truth. Controls show what it says and, when used, write a new one; so a link
reopens the same view in another browser, and what is chosen on one page holds on the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.region import Box
from diet_explorer.errors import BadInputError
from diet_explorer.pruning.policies import Policy

_SAVED = "view-of-last-page"
_TEXTS = ("dataset", "run", "score", "tab", "other", "colour", "map", "by", "export", "proof", "topic")
_OWN_KEYS = (*_TEXTS, "checkpoint", "seed", "page", "example", "beside", "zoom")


@dataclass(frozen=True)
class View:
    """The state of the pages; None means "the default".

    Attributes
    ----------
    dataset, run, score : str or None
        Dataset id, run id, name of a score.
    checkpoint : float or None
        In epochs.
    seed : int or None
        One seed; None is the mean over seeds.
    where : ExampleFilter
    page : int
        Page of the ranked table, from 1.
    example : int or None
        Row whose card is open.
    tab : str or None
        Which of a page's tabs is open.
    beside : int or None
        Row of the example that is pinned beside the open one.
    other : str or None
        Id of the run that is compared.
    colour, map : str or None
        What the colours of a map stand for; which embedding map is shown.
    by : str or None
        The witness by which suspects are ordered.
    zoom : tuple of float or None
        The part of a map that is shown: least and greatest x, least and greatest y.
    export, proof : str or None
        Ids of the export and of the proof that are shown.
    policy : Policy or None
        How the set is pruned; its score, checkpoint and seed are the view's own.
    topic : str or None
        Page of the help, with ``#`` and a section of it.
    """

    dataset: str | None = None
    run: str | None = None
    score: str | None = None
    checkpoint: float | None = None
    seed: int | None = None
    where: ExampleFilter = field(default_factory=ExampleFilter)
    page: int = 1
    example: int | None = None
    tab: str | None = None
    beside: int | None = None
    other: str | None = None
    colour: str | None = None
    map: str | None = None
    by: str | None = None
    zoom: Box | None = None
    export: str | None = None
    proof: str | None = None
    policy: Policy | None = None
    topic: str | None = None

    def to_query(self) -> dict[str, list[str]]:
        """URL parameters; defaults are left out."""
        values: dict[str, object] = {key: getattr(self, key) for key in _OWN_KEYS}
        if self.page == 1:
            values["page"] = None
        if self.checkpoint is not None:
            values["checkpoint"] = f"{self.checkpoint:.10g}"
        if self.zoom is not None:
            values["zoom"] = ":".join(f"{end:.6g}" for end in self.zoom)
        own = {key: [str(value)] for key, value in values.items() if value is not None}
        rule = self.policy.to_query() if self.policy else {}
        return {**own, **{key: rule[key] for key in rule if key not in _OWN_KEYS}, **self.where.to_query()}

    @classmethod
    def from_query(cls, query: Mapping[str, Sequence[str]]) -> View:
        """Read URL parameters.

        Raises
        ------
        BadInputError
            A parameter cannot be read; the message names it.
        """
        last = {key: query[key][-1] for key in _OWN_KEYS if query.get(key)}
        return cls(
            **{key: last[key] for key in _TEXTS if key in last},
            checkpoint=_number(last, "checkpoint", float),
            seed=_number(last, "seed", int),
            where=ExampleFilter.from_query(query),
            page=max(_number(last, "page", int) or 1, 1),
            example=_number(last, "example", int),
            beside=_number(last, "beside", int),
            zoom=_box(last.get("zoom")),
            policy=Policy.from_query({key: query[key] for key in query if key not in _OWN_KEYS})
            if query.get("policy")
            else None,
        )

    def changed(self, **changes: Any) -> View:
        """A copy with changes; what no longer fits the change goes back to its default.

        Another dataset resets all else, another run what belongs to the run. Any change of what is listed returns to
        the first page, and another filter closes the card, unless the change says which example is open.
        """
        resets: dict[str, Any] = {}
        if "dataset" in changes:
            resets = {"run": None, "where": ExampleFilter(), "example": None, "beside": None}
        if {"dataset", "run"} & set(changes):
            resets |= {"checkpoint": None, "seed": None, "other": None, "zoom": None, "export": None, "proof": None}
            resets.setdefault("where", replace(self.where, region=None))  # a part of another run's map
        if "map" in changes:
            resets |= {"zoom": None}
        if {"dataset", "run", "score", "checkpoint", "seed", "where", "other"} & set(changes):
            resets |= {"page": 1}
        if "where" in changes:
            resets |= {"example": None}
        return replace(self, **{**resets, **changes})


def read_view() -> View:
    """The view of this page load, taken over from the last page where the address has no parameters."""
    query = {key: st.query_params.get_all(key) for key in st.query_params}
    if not query and _SAVED in st.session_state:
        st.query_params.from_dict(st.session_state[_SAVED])
        query = dict(st.session_state[_SAVED])
    view = View.from_query(query)
    st.session_state[_SAVED] = view.to_query()
    return view


def change(**changes: Any) -> None:
    """Write a changed view into the URL; for callbacks of controls, before the page runs again."""
    write(read_view().changed(**changes))


def write(view: View) -> None:
    """Make `view` the URL's."""
    query = view.to_query()
    st.query_params.from_dict(query)
    st.session_state[_SAVED] = query


def run_page_again() -> None:
    """Run the whole page again from a fragment, at the address that the page wrote last.

    A fragment that runs by itself brings the browser's address, which is an older one where it was on its way while
    the page went elsewhere.
    """
    saved = st.session_state.get(_SAVED)
    if saved is not None and saved != {key: st.query_params.get_all(key) for key in st.query_params}:
        st.query_params.from_dict(saved)
    st.rerun()


def forget() -> None:
    """Return to an address without parameters."""
    st.session_state.pop(_SAVED, None)
    st.query_params.clear()


def _number(values: Mapping[str, str], key: str, kind: type[Any]) -> Any:
    text = values.get(key)
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise BadInputError(
            f"The link's parameter {key}={text!r} is not a number.",
            "Remove it from the address, or start from a clean one.",
        ) from None


def _box(text: str | None) -> Box | None:
    if text is None:
        return None
    try:
        left, right, bottom, top = map(float, text.split(":"))
    except ValueError:
        raise BadInputError(
            f"The link's parameter zoom={text!r} is not of the form left:right:bottom:top.",
            "Remove it from the address.",
        ) from None
    return left, right, bottom, top
