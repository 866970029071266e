"""Names cut so that they stay apart."""

from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.short_names import cut_middle, short_names


@given(st.text(max_size=80), st.integers(3, 60))
def test_a_cut_text_is_never_longer_than_asked_and_a_short_one_stays(text, characters):
    assert len(cut_middle(text, characters)) <= characters
    assert len(text) > characters or cut_middle(text, characters) == text


@given(st.lists(st.text(max_size=60), max_size=30))
def test_titles_are_all_different(names):
    titles = short_names(names, 16)
    assert list(titles) == list(dict.fromkeys(names)) and len(set(titles.values())) == len(titles)


def test_what_all_names_end_with_goes_before_what_tells_them_apart():
    names = [f"intent_{number:03d}_about_something_rather_specific" for number in range(150)]
    assert short_names(names, 18)[names[58]] == "intent_058…"
    assert short_names(["good", "bad"], 18) == {"good": "good", "bad": "bad"}


def test_one_name_of_many_lines_leaves_the_others_as_they_are():
    long = "balance_" + "very_long_" * 83
    assert short_names(["transfer", long], 18) == {"transfer": "transfer", long: f"{long[:8]}…{long[-9:]}"}
