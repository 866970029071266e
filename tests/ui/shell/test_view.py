"""The URL is the only source of truth: what is written is what is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from diet_explorer.analysis.filters import ExampleFilter, MetadataRange, ScoreRange
from diet_explorer.errors import BadInputError
from diet_explorer.ui.shell.view import View

NAMES = st.text(min_size=1, max_size=12)
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
FILTERS = st.builds(
    ExampleFilter,
    labels=st.lists(NAMES, max_size=3, unique=True).map(tuple),
    disagree=st.sampled_from([None, True, False]),
    text=st.text(max_size=20),
    scores=st.lists(st.builds(ScoreRange, st.just("el2n"), NUMBERS, st.none()), max_size=1).map(tuple),
    metadata=st.lists(st.builds(MetadataRange, NAMES, st.none(), NUMBERS), max_size=2).map(tuple),
)
VIEWS = st.builds(
    View,
    dataset=st.none() | NAMES,
    run=st.none() | NAMES,
    score=st.none() | st.sampled_from(["el2n", "margin"]),
    checkpoint=st.none() | st.sampled_from([0.0, 0.25, 1.0, 12.5]),
    seed=st.none() | st.integers(0, 9),
    where=FILTERS,
    page=st.integers(1, 500),
    example=st.none() | st.integers(0, 10**6),
    tab=st.none() | st.sampled_from(["add", "new"]),
    beside=st.none() | st.integers(0, 10**6),
    other=st.none() | NAMES,
    colour=st.none() | NAMES,
    map=st.none() | st.sampled_from(["initial", "tuned"]),
    zoom=st.none() | st.tuples(*[st.integers(-1000, 1000).map(lambda number: number / 8)] * 4),
)


@given(VIEWS)
def test_a_view_survives_the_way_through_the_url(view):
    assert View.from_query(view.to_query()) == view


def test_defaults_leave_the_address_clean():
    assert View().to_query() == {}


@pytest.mark.parametrize("key", ["checkpoint", "seed", "page", "example"])
def test_a_parameter_that_is_no_number_is_named(key):
    with pytest.raises(BadInputError, match=f"{key}='abc'"):
        View.from_query({key: ["abc"]})


def test_a_change_of_what_is_listed_goes_to_the_first_page_and_another_filter_closes_the_card():
    view = View(run="r", score="el2n", page=4, example=7)
    for change in ({"score": "margin"}, {"checkpoint": 2.0}, {"seed": 1}):
        changed = view.changed(**change)
        assert (changed.page, changed.example, changed.run) == (1, 7, "r")
    changed = view.changed(where=ExampleFilter(text="a"))
    assert (changed.page, changed.example, changed.run) == (1, None, "r")
    assert view.changed(example=9).page == 4
    assert view.changed(dataset="d").example is None


def test_another_dataset_forgets_run_and_filter_but_keeps_the_score():
    view = View(dataset="a", run="r", score="margin", checkpoint=1.0, seed=2, where=ExampleFilter(text="x"))
    assert view.changed(dataset="b") == View(dataset="b", score="margin")
    assert view.changed(run="s") == View(dataset="a", run="s", score="margin", where=ExampleFilter(text="x"))


def page_whose_fragment_brings_an_old_address():
    import streamlit as st

    from diet_explorer.ui.shell.view import View, read_view, run_page_again, write

    if "brought" not in st.session_state:
        st.session_state["brought"] = True
        write(View(run="new-run", tab="progress"))
        st.query_params.from_dict({"tab": "new"})  # what the browser had when the fragment's message left it
        run_page_again()
    st.text(f"{read_view().run} {read_view().tab}")


def test_a_fragment_with_an_old_address_leaves_the_page_where_it_is():
    app = AppTest.from_function(page_whose_fragment_brings_an_old_address).run()
    assert [element.value for element in app.text] == ["new-run progress"]
