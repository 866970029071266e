"""Browse: what is listed is what the scores say, the URL reopens it, and texts stay texts."""

from html import escape
from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.scoring import catalogue
from diet_explorer.ui.drawing import csv_download
from diet_explorer.ui.drawing.csv_download import filtered_csv
from diet_explorer.ui.examples.panel import PAGE_SIZE
from tests.ui.conftest import HOSTILE, assert_calm, control, parameter, words_on


def foot(app):
    return next(element.body for element in app.html if "filtered from" in element.body)


def expected(filled, checkpoint=1.0, seeds=(0, 1)):
    """Mean EL2N per row from the score files themselves, with text and labels from the source."""
    tables = [filled.tables[seed, checkpoint].set_index("row") for seed in seeds]
    frame = filled.dataset.examples().set_index("row")[["id", "text", "label", "split", "meta.rating"]]
    frame["el2n"] = np.mean([table["el2n"] for table in tables], axis=0)
    return frame


def test_the_page_counts_the_training_split_at_the_end_of_epoch_1(filled, open_page):
    app = open_page("browse")
    assert_calm(app)
    train = (expected(filled)["split"] == "train").sum()
    assert f"{PAGE_SIZE} of {train}, filtered from {filled.dataset.rows}" in foot(app)
    assert control(app.selectbox, "pick-checkpoint").value == 1.0
    assert control(app.selectbox, "pick-score").value == "el2n"
    assert catalogue.BINARY_NOTE in words_on(app)


def test_filters_in_the_url_are_the_filters_of_the_list(filled, open_page):
    app = open_page("browse", label="good", q="FILM", range="el2n:0.5:", meta="rating::0.3", split="")
    frame = expected(filled)
    kept = frame[
        (frame["label"] == "good")
        & frame["text"].str.contains("film", case=False)
        & (frame["el2n"].astype(np.float32) >= 0.5)
        & (frame["meta.rating"] <= 0.3)
    ]
    assert 0 < len(kept) < PAGE_SIZE
    assert f"{len(kept)} of {len(kept)}, filtered from" in foot(app)
    assert control(app.multiselect, "filter-label").value == ["good"]
    assert control(app.text_input, "search").value == "FILM"
    assert control(app.number_input, "filter-low").value == 0.5
    chips = [button.label for button in app.button if str(button.key).startswith("chip-")]
    assert len(chips) == 4


def test_another_filter_keeps_the_card_open_while_its_example_matches(filled, open_page):
    train = filled.run.ranked("el2n", 1.0, limit=None)
    good = train[train["label"] == "good"].iloc[0]
    app = open_page("browse", example=str(good["row"]))
    control(app.multiselect, "filter-label").select("good").run()
    assert parameter(app, "example") == str(good["row"])
    control(app.text_input, "search").set_value(f"film {good['id'].removeprefix('k').lstrip('0')}").run()
    assert parameter(app, "example") == str(good["row"])
    control(app.multiselect, "filter-label").unselect("good").select("bad").run()
    assert "example" not in app.query_params


def test_a_chip_removes_its_condition(filled, open_page):
    app = open_page("browse", label=["good"], q="film")
    app.button(key="chip-0").click().run()
    assert "label" not in app.query_params
    assert parameter(app, "q") == "film"


def test_controls_write_the_url(filled, open_page):
    app = open_page("browse")
    control(app.text_input, "search").set_value("film 1").run()
    control(app.multiselect, "filter-predicted").select("bad").run()
    control(app.selectbox, "filter-disagree").select("≠").run()
    control(app.number_input, "filter-high").set_value(1.2).run()
    control(app.selectbox, "pick-seed").select(1).run()
    assert_calm(app)
    query = {key: parameter(app, key) for key in app.query_params}
    wanted = {"q": "film 1", "predicted": "bad", "disagree": "yes", "range": "el2n::1.2", "seed": "1"}
    assert wanted.items() <= query.items()


def test_metadata_can_be_filtered_by_range_and_by_value(filled, open_page):
    app = open_page("browse")
    app.selectbox(key="filter-column").select("rating").run()
    control(app.text_input, "filter-column-low").set_value("soon").run()
    assert "“soon” is no end for rating" in app.error[0].value
    control(app.text_input, "filter-column-low").set_value("0.0").run()
    assert not app.error and parameter(app, "meta") == "rating:0:"
    app.selectbox(key="filter-column").select("origin").run()
    control(app.text_input, "filter-column-value").set_value("press").run()
    frame = filled.dataset.examples()
    kept = frame[(frame["split"] == "train") & (frame["meta.rating"] >= 0) & (frame["meta.origin"] == "press")]
    assert f"{len(kept)} of {len(kept)}, filtered from" in foot(app)


def test_the_card_of_the_url_is_open_and_shows_a_hostile_text_as_text(filled, open_page):
    row = int(filled.dataset.examples().set_index("id").loc["k003", "row"])
    app = open_page("browse", example=str(row))
    assert_calm(app)
    card = next(element.body for element in app.html if "de-card" in element.body)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &lt;b&gt;bold&lt;/b&gt; **stars** $x^2$ :red[hi]" in card
    for element in app.html:
        assert "<script" not in element.body and "<b>bold" not in element.body
    assert HOSTILE not in "".join(element.value for element in app.markdown)
    probabilities = filled.run.card(row).probabilities(1.0)
    assert f"{100 * probabilities['good']:.1f} %" in card
    for name in filled.run.score_names():
        assert catalogue.score(name).title in card
    assert "rating" in card and "origin" in card


def test_next_and_previous_follow_the_list_across_pages(filled, open_page):
    order = filled.run.ranked("el2n", 1.0, limit=None)["row"].tolist()
    app = open_page("browse", example=str(order[PAGE_SIZE - 1]))
    app.button(key="card-next").click().run()
    assert parameter(app, "example") == str(order[PAGE_SIZE])
    assert parameter(app, "page") == "2"
    app.button(key="card-previous").click().run()
    assert parameter(app, "example") == str(order[PAGE_SIZE - 1])
    app.button(key="card-close").click().run()
    assert "example" not in app.query_params
    first = open_page("browse", example=str(order[0]))
    assert first.button(key="card-previous").disabled
    last = open_page("browse", example=str(order[-1]), page="3")
    assert last.button(key="card-next").disabled


def test_early_checkpoints_say_so(filled, open_page):
    assert escape(catalogue.STEP_ZERO_NOTE) in words_on(open_page("browse", checkpoint="0"))
    assert escape(catalogue.EARLY_NOTE) in words_on(open_page("browse", checkpoint="0.5"))
    assert escape(catalogue.EARLY_NOTE) not in words_on(open_page("browse", checkpoint="1"))


def test_scores_that_use_no_label_carry_no_note_on_two_classes(filled, open_page):
    assert catalogue.BINARY_NOTE not in words_on(open_page("browse", score="entropy"))


def test_nothing_matches_offers_to_remove_all_conditions(filled, open_page):
    app = open_page("browse", q="no such words")
    assert "No example matches" in words_on(app)
    app.button(key="clear-filter").click().run()
    assert f"{PAGE_SIZE} of " in foot(app)


def test_a_page_beyond_the_end_shows_the_last_one(filled, open_page):
    app = open_page("browse", page="99")
    assert_calm(app)
    assert not app.error


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"run": "nobody"}, "no run"),
        ({"dataset": "nobody"}, "no dataset"),
        ({"score": "vibes"}, "no score named"),
        ({"score": "grand"}, "did not record GraNd"),
        ({"checkpoint": "7"}, "no checkpoint 7"),
        ({"seed": "9"}, "no seed 9"),
        ({"seed": "many"}, "not a number"),
        ({"range": "el2n"}, "name:low:high"),
        ({"label": "ugly"}, "no class"),
        ({"meta": "rating2:0:1"}, "no further column"),
        ({"example": "100000"}, "no row 100000"),
    ],
)
def test_a_wrong_link_says_what_is_wrong_and_what_to_do(filled, open_page, query, message):
    app = open_page("browse", **query)
    assert_calm(app)
    assert len(app.error) == 1
    shown = app.error[0].value.replace("\\", "")
    assert message in shown
    assert shown.count("\n\n") == 1
    assert "sidebar" not in shown, "it has nothing to choose from here"


def test_a_clean_address_ends_a_wrong_link(filled, open_page):
    app = open_page("browse", run="nobody")
    app.button(key="forget-link").click().run()
    assert not app.error
    assert f"{PAGE_SIZE} of " in foot(app)


def test_the_download_has_all_matching_rows_worst_first(filled, tmp_path):
    where = filled.run.ranked("el2n", 1.0, limit=None)
    target = tmp_path / "download.csv"
    target.write_bytes(filtered_csv(filled.run, "el2n", 1.0, None, ExampleFilter(splits=()))())
    table = pd.read_csv(target)
    assert len(table) == filled.dataset.rows > len(where)
    assert (np.diff(table["el2n"]) <= 0).all()
    assert table["text"].str.startswith("'=HYPERLINK").sum() == 1
    assert not table["text"].str.startswith("=").any()


def test_the_download_of_a_long_list_has_its_first_rows_and_says_so(filled, monkeypatch):
    monkeypatch.setattr(csv_download, "MOST_ROWS", 7)
    every, whole = ExampleFilter(splits=()), filled.run.ranked("el2n", 1.0, limit=None)
    table = pd.read_csv(BytesIO(filtered_csv(filled.run, "el2n", 1.0, None, every)()))
    assert len(table) == 7
    note = csv_download.filtered_csv_note(filled.run, len(whole), "matching")
    assert f"The first 7 of {len(whole):,} matching examples" in note
    assert f"diet-explorer scores {filled.run.id} --output FILE" in note
    assert csv_download.filtered_csv_note(filled.run, 7, "matching").startswith("All 7 matching examples")


def test_the_view_holds_when_the_page_changes(filled, open_page):
    app = open_page("browse", q="film", seed="1")
    app.query_params.clear()  # what the navigation's links do
    app.switch_page("pages/score.py").run()
    assert "seed <" not in words_on(app)
    assert parameter(app, "seed") == "1"
    assert parameter(app, "q") == "film"
