"""Several people's labels on the pages after the import: the filter, the card, the witness."""

import pytest

from diet_explorer.analysis.filters import ShareRange
from tests.ui.conftest import assert_calm, control, parameter, words_on
from tests.workspace.test_peoples_labels import scored, votes_csv


@pytest.fixture
def voted(empty, tmp_path):
    dataset = empty.import_dataset(votes_csv(tmp_path), text="text", annotators=["ann", "bob", "cy"])
    return scored(empty, dataset.id)


def test_browse_filters_by_how_many_disagree(voted, open_page):
    app = open_page("browse", run=voted.id)
    box = control(app.selectbox, "filter-annotators")
    assert box.value == "Any"
    box.select("Some disagree").run()
    assert_calm(app)
    assert parameter(app, "disagreement") == "0.001:"
    assert "24, filtered from 40" in words_on(app) and "some annotators disagree" in words_on(app) + buttons(app)
    linked = open_page("browse", run=voted.id, disagreement="0.4:")
    assert control(linked.selectbox, "filter-annotators").value == ShareRange(0.4).describe()
    assert "8, filtered from 40" in words_on(linked)
    control(linked.selectbox, "filter-annotators").select("All agree").run()
    assert "16, filtered from 40" in words_on(linked)
    control(linked.selectbox, "filter-annotators").select("Any").run()
    assert "disagreement" not in linked.query_params


def buttons(app):
    return " ".join(button.label for button in app.button)


def test_a_set_of_one_label_per_row_has_no_such_filter(filled, open_page):
    app = open_page("browse", run=filled.run.id)
    assert not [box for box in app.selectbox if str(box.key).startswith("filter-annotators")]
    refused = open_page("browse", run=filled.run.id, disagreement="0.5:")
    assert_calm(refused)
    assert "one label per example" in words_on(refused)


def test_the_evidence_tab_names_the_witness(voted, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    app = open_page("audit", run=voted.id, tab="evidence")
    assert_calm(app)
    (table,) = [element.body for element in app.html if '<table class="de-list de-witnesses' in element.body]
    line = next(line for line in table.split("<tr>") if "Annotators disagree" in line)
    assert "<td>✓</td>" in line


def test_the_card_says_how_many_disagree(voted, open_page):
    app = open_page("browse", run=voted.id, example="3")
    assert "<dt>annotators who disagree</dt><dd>50.0 %</dd>" in words_on(app)
