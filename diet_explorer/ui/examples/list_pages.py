"""Pages of a long list: which one is shown, and the line below it with the count and the way to the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

# visible pages and pixels; with a width of its own choice the element may hide all pages but one
_VISIBLE, _VISIBLE_NARROW = (5, 270), (3, 190)


@dataclass(frozen=True)
class ListPage:
    """One page of a list.

    Attributes
    ----------
    number, pages : int
        Which page from 1 on, and how many there are.
    offset : int
        Lines before it.
    """

    number: int
    pages: int
    offset: int


def page_of(total: int, size: int, wanted: int) -> ListPage:
    """The wanted page of so many lines, or the last one where there are fewer."""
    pages = max(-(-total // size), 1)
    number = min(wanted, pages)
    return ListPage(number, pages, (number - 1) * size)


def draw_list_foot(page: ListPage, said: str, key: str, turn: Callable[[int], None], *, narrow: bool = False) -> None:
    """Draw the line below a list.

    Parameters
    ----------
    page : ListPage
    said : str
        How many lines of how many are shown.
    key : str
        Sets this list's pages apart from others'.
    turn : callable
        Told the number of the page that somebody chooses.
    narrow : bool
        Whether there is little room.
    """
    with st.container(key="list-foot", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<span class="de-quiet" role="status">{said}</span>', width="stretch")
        if page.pages > 1:
            # The key holds the page, since a pagination's value cannot be set from the URL without a warning.
            name = f"{key}-page-{page.number}"
            visible, width = _VISIBLE_NARROW if narrow else _VISIBLE
            st.pagination(
                page.pages,
                default=page.number,
                key=name,
                max_visible_pages=visible,
                width=width,
                on_change=lambda: turn(st.session_state[name]),
            )
