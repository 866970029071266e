"""Distributions and the maps: what they show is what the library says, and each state is designed."""

import re

import numpy as np
import pytest

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.region import Region
from diet_explorer.errors import BadInputError
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.review import Review
from tests.ui.conftest import assert_calm, control, parameter, words_on

PAGES = ("browse", "distributions", "data_map", "embedding_map")
BOX = Region("data", ((0.0, 0.3), (0.25, 0.3), (0.25, 0.7), (0.0, 0.7)))


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_workspace_says_what_will_be_here_and_leads_to_it(empty, open_page, page):
    app = open_page(page)
    assert_calm(app)
    assert "will be here" in words_on(app)
    assert app.button(key="empty-action").label == "Go to Home"


@pytest.mark.parametrize("page", PAGES)
def test_a_run_without_scores_says_that_they_are_coming(own, open_page, page):
    config = RunConfig(dataset_id=own.dataset.id, epochs=1, seeds=1, checkpoints=(0.0, 1.0))
    run = own.workspace.create_run(config, name="waiting", origin="job")
    app = open_page(page, run=run.id)
    assert_calm(app)
    assert "first scores are being computed" in words_on(app)


@pytest.mark.parametrize("tab", ["distribution", "stability", "scores", "runs"])
def test_each_face_of_distributions_opens_at_every_kind_of_score(filled, open_page, tab):
    app = open_page("distributions", tab=tab, score="confidence")
    assert_calm(app)
    assert not app.error


def test_distributions_state_medians_and_class_balance_from_the_scores_themselves(filled, open_page):
    app = open_page("distributions", seed="0")
    frame = filled.dataset.examples().set_index("row")
    train = frame["split"] == "train"
    medians = [
        np.median(filled.tables[0, point].set_index("row").loc[train, "el2n"].astype(np.float32))
        for point in (0.0, 2.0)
    ]
    words = words_on(app)
    assert f"Median EL2N: {medians[0]:.3f} before training, {medians[1]:.3f} after epoch 2" in words
    scores = filled.tables[0, 1.0].set_index("row").loc[train, "el2n"]
    worst = frame.loc[scores.sort_values(ascending=False).index[: round(0.1 * train.sum())], "label"]
    share = 100 * worst.value_counts(normalize=True)
    assert any(f"{share[name]:.1f} % of the worst 10 % are “{name}”" in words for name in share.index)


def test_stability_states_the_correlation_that_the_library_finds(filled, open_page):
    words = words_on(open_page("distributions", tab="stability"))
    pairs = filled.run.dynamics.seed_stability("el2n", 1.0)
    assert f"Repeated trainings agree on the order at {pairs['spearman'].mean():.2f}" in words
    final = filled.run.dynamics.stability("el2n").set_index(["first", "second"])
    assert f"{100 * final.loc[(1.0, 2.0), 'top_0.1']:.1f} % of the worst 10 % after epoch 1" in words


def test_warnings_stand_on_top_with_their_reasons(filled, open_page):
    words = words_on(open_page("distributions", checkpoint="0"))
    for warning in filled.run.dynamics.warnings(0.0)[:3]:
        assert warning.words.split(" (")[0][:40] in words


def test_a_region_in_the_link_lists_exactly_its_examples(filled, open_page):
    where = ExampleFilter(region=BOX)
    count = filled.run.count(where, 2.0)
    assert 0 < count < filled.run.count(ExampleFilter(), 2.0)
    app = open_page("data_map", checkpoint="2", region=BOX.to_text())
    assert_calm(app)
    assert re.search(rf"<b>{count} examples?</b> selected", words_on(app))
    app.button(key="clear-region").click().run()
    assert "region" not in app.query_params
    assert "How were the training examples learned?" in words_on(app)


def test_before_training_the_data_map_leads_to_a_later_checkpoint(filled, open_page):
    app = open_page("data_map", checkpoint="0")
    assert_calm(app)
    assert "Nothing has been learned yet" in words_on(app)
    app.button(key="latest-checkpoint").click().run()
    assert parameter(app, "checkpoint") == "2"
    assert not app.error


def test_types_of_learning_are_counted_as_the_library_counts_them(filled, open_page):
    words = words_on(open_page("data_map", checkpoint="2"))
    counts = filled.run.dynamics.trajectories(checkpoint=2.0).groupby("trajectory")["count"].sum()
    for kind, count in counts.items():
        assert re.search(rf"{kind}</span></td><td class=\"de-figure\">{count}</td>", words)


def test_colours_and_filters_of_a_map_are_in_the_link(filled, open_page):
    app = open_page("data_map", checkpoint="2")
    control(app.selectbox, "map-colour").select("trajectory").run()
    control(app.multiselect, "filter-trajectory").select("forgotten").run()
    assert_calm(app)
    assert (parameter(app, "colour"), parameter(app, "trajectory")) == ("trajectory", "forgotten")
    count = filled.run.count(ExampleFilter(trajectories=("forgotten",)), 2.0)
    assert f"{count} example" in words_on(app)


def test_an_embedding_map_that_is_not_drawn_offers_to_draw_it(filled, open_page):
    app = open_page("embedding_map")
    assert_calm(app)
    assert "No map after training yet" in words_on(app)
    assert [button.label for button in app.button if button.label == "Draw the map"]


def test_two_examples_stand_side_by_side(filled, open_page):
    order = filled.run.ranked("el2n", 1.0, limit=3)
    app = open_page("browse", example=str(order["row"][0]))
    app.button(key="card-pin").click().run()
    app.button(key="card-next").click().run()
    cards = [element.body for element in app.html if '<article class="de-card"' in element.body]
    assert [order["id"][0] in cards[0], order["id"][1] in cards[1]] == [True, True]
    app.button(key="card-unpin").click().run()
    assert "beside" not in app.query_params
    assert parameter(app, "example") == str(order["row"][1])


def test_a_bulk_decision_whose_answer_was_lost_is_stored_once(own, open_page, cookies, monkeypatch):
    cookies["diet-explorer-name"] = "Ann"
    decide = Review.decide

    def answer_lost(*arguments, **options):
        decide(*arguments, **options)
        raise BadInputError("The answer was lost.", "Press again.")

    app = open_page("data_map", checkpoint="2", region=BOX.to_text())
    before = len(own.dataset.ledger.events())
    monkeypatch.setattr(Review, "decide", answer_lost)
    app.button(key="bulk-keep").click().run()
    assert "The answer was lost" in words_on(app)
    monkeypatch.setattr(Review, "decide", decide)
    app.button(key="bulk-keep").click().run()
    assert "examples kept" in words_on(app)
    assert len(own.dataset.ledger.events()) == before + 1
    own.dataset.undo("Ann")


def test_a_bulk_decision_is_about_exactly_the_selected_examples_and_can_be_undone(own, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    where = ExampleFilter(region=BOX)
    expected = own.run.ranked("el2n", 2.0, where=where, limit=None)
    app = open_page("data_map", checkpoint="2", region=BOX.to_text())
    assert app.button(key="bulk-exclude").label == f"Exclude {len(expected)}"
    app.button(key="bulk-exclude").click().run()
    assert_calm(app)
    assert f"{len(expected)} examples excluded" in words_on(app)
    excluded = own.run.ranked("el2n", 2.0, where=ExampleFilter(decided=("exclude",)), limit=None)
    assert excluded["row"].tolist() == expected["row"].tolist()
    control(app.multiselect, "filter-decided").select("undecided").run()
    assert "<b>0 examples</b> selected" in words_on(app)
    app.button(key="bulk-undo").click().run()
    assert own.dataset.ledger.counts()["exclude"] == 0
    assert f"<b>{len(expected)} examples</b> selected" in words_on(app)
    app.selectbox(key="bulk-label").select("good").run()
    app.button(key="bulk-relabel-do").click().run()
    assert own.dataset.ledger.table()["label"].to_pylist() == ["good"] * len(expected)
