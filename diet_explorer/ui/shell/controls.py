"""Controls that show a value kept elsewhere, in the URL or in a form that outlives the page: select boxes, tabs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import streamlit as st

from diet_explorer.drawing.plain import visible
from diet_explorer.ui.shell.view import change

T = TypeVar("T")


@contextmanager
def mirrored(name: str, value: T, width: Literal["stretch"] | int = "stretch") -> Iterator[tuple[str, T]]:
    """A container for one control that must show `value` in this run; gives the control's key and default.

    The key stays as long as the control itself brought the value about, so that focus and open lists stay. When
    the value comes from elsewhere (a link, a chip, scores that landed), the control gets a new identity with the
    value as its default, instead of a new value: while a page refreshes itself, the browser may still report the
    old value of a control (or the default of one that has just appeared), which would pass for a choice of the
    user and be written into the URL.

    Parameters
    ----------
    name : str
        Key of the container, by which tests and styles find the control.
    value : object
        What the control must show.

    width : int or "stretch"
        Of the container.

    Yields
    ------
    key : str
    default : object
        To be given to the control as its default; never set its value through the session state.
    """
    counter, default = f"generation-of-{name}", f"default-of-{name}"
    generation: int = st.session_state.get(counter, 0)
    key = f"{name}-{generation}"
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[counter] = generation + 1
        st.session_state[default] = value
        key = f"{name}-{generation + 1}"
    with st.container(key=name, width=width):
        yield key, st.session_state[default]


def is_shown(key: str) -> bool:
    """Whether a control is the one that `mirrored` gave out last under its name.

    A browser that is busy may report what stood in a control that is gone by now; that is nobody's choice.
    """
    name, _, generation = key.rpartition("-")
    return st.session_state.get(f"generation-of-{name}") == int(generation)


def when_shown(key: str, act: Callable[[Any], None]) -> Callable[[], None]:
    """The callback of a control that `mirrored` gave a key: does something with its value, if `is_shown`."""

    def changed() -> None:
        if is_shown(key):
            act(st.session_state[key])

    return changed


def mirrored_select(
    label: str,
    options: Sequence[Any],
    current: Any,
    name: str,
    title: Callable[[Any], Any],
    *,
    help: str | None = None,
    to_view: Callable[[Any], Any] = lambda value: value,
    label_visibility: Literal["visible", "collapsed"] = "visible",
) -> None:
    """A select box that shows what the URL says and, when used, changes the URL.

    Parameters
    ----------
    name : str
        Field of the view; the container's key is ``pick-<name>``.
    title : callable
        From an option to what people read.
    to_view : callable
        From an option to the value in the view.
    """
    choices = list(options)

    def choose(value: Any) -> None:
        if value in choices:  # a title that has changed meanwhile comes back as a text of its own
            change(**{name: to_view(value)})

    shown = current if current in choices else next(iter(choices), None)
    with mirrored(f"pick-{name}", shown) as (key, default):
        st.selectbox(
            label,
            choices,
            index=choices.index(default) if default in choices else 0,
            key=key,
            format_func=lambda option: visible(str(title(option))),
            help=help,
            disabled=not choices,
            placeholder="none yet",
            label_visibility=label_visibility,
            on_change=when_shown(key, choose),
        )


def draw_tabs(name: str, tabs: Mapping[str, str], shown: str, field: str = "tab") -> None:
    """Draw the switch between the tabs of a page; using it writes the tab's name into the URL.

    Parameters
    ----------
    name : str
        Key of the container.
    tabs : mapping
        Name to title.
    shown : str
        The tab that is open.
    field : str
        Field of the view that holds it.
    """
    with mirrored(name, shown) as (key, default):
        st.segmented_control(
            "What to show",
            list(tabs),
            key=key,
            default=default,
            format_func=tabs.__getitem__,
            required=True,
            label_visibility="collapsed",
            on_change=when_shown(key, lambda tab: change(**{field: tab})),
        )
