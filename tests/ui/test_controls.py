"""Controls that mirror the address: what a browser still reports of a control that is gone is nobody's choice."""

from __future__ import annotations

from unittest import mock

import streamlit as st
from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from diet_explorer.ui.shell.controls import draw_tabs
    from diet_explorer.ui.shell.view import View, read_view, write

    draw_tabs("tabs", {"new": "New run", "progress": "Progress"}, read_view().tab or "new")
    if "late" in st.session_state:
        key, on_change = st.session_state.pop("late")
        st.session_state[key] = "new"
        on_change()
    if st.button("start"):
        write(View(tab="progress"))
        st.rerun()


def test_a_late_report_of_a_control_that_is_gone_leaves_the_address_alone() -> None:
    drawn: list[tuple[str, object]] = []
    draw = st.segmented_control

    def noted(*args: object, key: str, on_change: object, **options: object) -> object:
        drawn.append((key, on_change))
        return draw(*args, key=key, on_change=on_change, **options)  # type: ignore[call-overload]

    with mock.patch.object(st, "segmented_control", noted):
        app = AppTest.from_function(page).run()
        app.button[0].click().run()
        assert "progress" in app.query_params["tab"] and drawn[0][0] != drawn[-1][0]
        app.session_state["late"] = drawn[0]
        app.run()
        assert "progress" in app.query_params["tab"] and not app.exception
        app.segmented_control[0].set_value("new").run()  # a choice
        assert "new" in app.query_params["tab"]


def search() -> None:
    import streamlit as st

    from diet_explorer.ui.examples.filter_bar import draw_search
    from diet_explorer.ui.shell.view import View, read_view, write

    draw_search(read_view().where)
    if "late" in st.session_state:
        key, on_change = st.session_state.pop("late")
        st.session_state[key] = "an old one"
        on_change()
    if st.button("reset"):
        write(View(dataset="another"))
        st.rerun()


def test_a_late_report_of_a_filter_of_before_filters_nothing() -> None:
    drawn: list[tuple[str, object]] = []
    draw = st.text_input

    def noted(*args: object, key: str, on_change: object, **options: object) -> object:
        drawn.append((key, on_change))
        return draw(*args, key=key, on_change=on_change, **options)  # type: ignore[call-overload]

    with mock.patch.object(st, "text_input", noted):
        app = AppTest.from_function(search).run()
        app.text_input[0].set_value("happy").run()
        assert "happy" in str(app.query_params)
        app.button[0].click().run()
        assert "happy" not in str(app.query_params)
        app.session_state["late"] = drawn[0]
        app.run()
        assert "an old one" not in str(app.query_params) and not app.exception
