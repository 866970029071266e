"""The Audit page as Streamlit draws it; what its keys do is in tests/browser."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diet_explorer.review.annotators import Identity
from diet_explorer.review.rules import ReviewRules
from diet_explorer.ui.audit.conflicts import Settling
from diet_explorer.ui.audit.deck import DeckState
from diet_explorer.ui.audit.session import Review
from diet_explorer.ui.audit.suspects import KIND_TITLES
from diet_explorer.workspace.ongoing import ongoing_work
from tests import tiny_runs
from tests.synthetic import write_scores
from tests.ui.conftest import assert_calm, words_on


def named(app, name="Ann"):
    app.text_input(key="annotator-name").set_value(name)
    next(button for button in app.button if button.label == "Start").click()
    return app.run()


def test_the_name_is_asked_once(filled, open_page):
    app = open_page("audit")
    assert_calm(app)
    assert "Who is deciding?" in words_on(app)
    app = named(app)
    assert_calm(app)
    assert "Who is deciding?" not in words_on(app) and "0</b> of" in words_on(app)


def test_the_name_comes_from_the_browser_s_last_visit(filled, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann%20B."
    app = open_page("audit")
    assert_calm(app)
    assert "Who is deciding?" not in words_on(app)


@pytest.mark.parametrize("tab", ["list", "conflicts", "history", "progress", "evidence"])
def test_every_tab_is_drawn(filled, open_page, cookies, tab):
    cookies["diet-explorer-name"] = "Ann"
    app = open_page("audit", tab=tab)
    assert_calm(app)
    assert not app.error


def entry(action, row=-1, **more):
    """What the browser puts into its outbox for a key, but for the number."""
    return {"action": action, "row": row, "expected": 0, "uid": f"{action} {row}", **more}


def send(handle, entries):
    """Send an outbox as a page does that has just been loaded."""
    deck = DeckState()
    outbox = {"deck": deck.id, "entries": [{"n": number, **each} for number, each in enumerate(entries, 1)]}
    deck.take(outbox, handle)
    return deck


def test_an_outbox_that_is_sent_again_stores_nothing_twice(own):
    run, ann = own.run, Identity("Ann")
    ledger, rows = run.dataset.ledger, run.audit.order()[:3].tolist()
    entries = [
        entry("keep", rows[0]),
        entry("flag", rows[1]),
        entry("relabel", rows[1], label=run.dataset.classes[0], note="why"),
        entry("exclude", rows[2]),
        entry("undo"),
    ]
    for _ in range(2):  # the page was left before it heard that all was stored
        review = Review((), run.review.queue(ann), ann, run, run.default_checkpoint(), "")
        deck = send(review.handle, entries)
        assert deck.acknowledged == len(entries) and deck.trouble is None
    stored = ledger.events("Ann")[::-1]
    assert [event.action for event in stored] == ["keep", "flag", "relabel", "exclude", "undo"]
    assert [event.uid for event in stored] == [each["uid"] for each in entries]
    ledger.decide([rows[0]], "exclude", annotator="Bob")
    assert send(review.handle, entries[:1]).trouble is None, "what came later is no reason to ask again"
    trouble = send(review.handle, [entry("unsure", rows[0])]).trouble
    assert trouble["kind"] == "meanwhile" and "Bob" in trouble["text"]
    assert len(ledger.events("Ann")) == 5


def test_a_settled_disagreement_that_is_sent_again_is_settled_once(own):
    dataset, lea = own.dataset, Identity("Lea")
    dataset.ledger.set_rules(ReviewRules(overlap=2), annotator=lea)
    for name, action in (("Ann", "keep"), ("Bob", "exclude")):
        dataset.decide([4, 7], action, annotator=name)
    entries = [entry("keep", 4), entry("exclude", 7), entry("undo")]
    for _ in range(2):
        settling = Settling(dataset.id)
        assert send(lambda each, way=settling: way.handle(each, dataset, lea), entries).acknowledged == 3
    assert [event.action for event in dataset.ledger.events("Lea")[::-1]] == ["keep", "exclude", "undo"]
    assert dataset.ledger.conflicts().tolist() == [7]


def all_sent(node):
    """Everything that is sent to the browser below a node, the contents of tables included."""
    below = "".join(all_sent(child) for child in getattr(node, "children", {}).values())
    return f"{getattr(node, 'proto', '')}{below}"


def test_a_blind_list_keeps_what_models_think_to_itself(own, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    app = open_page("audit", tab="list")
    assert any(title in all_sent(app._tree) for title in KIND_TITLES.values())
    assert "the suggested one" in all_sent(app._tree)
    own.dataset.ledger.set_rules(ReviewRules(overlap=2, blind=True), annotator="lea")
    app.run()
    assert_calm(app)
    assert not any(title in all_sent(app._tree) for title in KIND_TITLES.values())
    assert "the suggested one" not in all_sent(app._tree)


def test_a_larger_model_is_suggested_and_set_up(filled, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    app = open_page("audit", tab="evidence")
    app.button(key="larger-model-run").click().run()
    assert_calm(app)
    form = app.session_state["run-form-values"]
    assert form["model-kind"] == "hub" and form["model"].endswith("all-mpnet-base-v2")
    assert (form["seeds"], form["epochs"], form["batch-size"]) == (1, 2, filled.run.config.batch_size)
    assert "Start scoring" in [button.label for button in app.button]


def test_no_larger_model_is_suggested_for_one_of_unknown_size(own, open_page, cookies):
    config = replace(own.run.config, model="somebody/model", seeds=1)
    run = own.workspace.create_run(config, name="another", origin="job")
    logits = np.random.default_rng(0).normal(size=(own.dataset.rows, 2))
    write_scores(own.workspace.context.files, own.dataset.manifest, run.id, 0, 1.0, logits)
    cookies["diet-explorer-name"] = "Ann"
    app = open_page("audit", tab="evidence", run=run.id)
    assert_calm(app)
    assert "Train on the parts" in [button.label for button in app.button]
    assert "larger-model-run" not in [button.key for button in app.button]


def test_folds_and_maps_that_no_worker_takes_up_say_why_on_the_page_and_in_status(own, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    folds = own.run.audit.folds(2, 1)
    own.run.maps.draw("initial", neighbors=5)
    work = ongoing_work(own.workspace, own.run)
    assert [title for title, _ in work] == ["Folds: 1 training left", "Drawing an embedding map"]
    assert [progress.delay and progress.delay.reason for _, progress in work] == ["no worker", "no worker"]
    status = tiny_runs.inside("status", own.run.id, home=Path(own.workspace.settings.home)).stdout
    assert "Drawing an embedding map · waiting. No worker is running" in status
    app = open_page("audit", run=own.run.id, tab="evidence")
    assert_calm(app)
    warnings = [element.value.replace("\\", "") for element in app.warning]
    assert any("Start one with `diet-explorer worker`" in words for words in warnings)
    folds.cancel()
    app = open_page("audit", run=own.run.id, tab="evidence")
    assert_calm(app)
    assert "was cancelled; what has landed stays" in words_on(app)
    assert any("menu-folds-job" in str(element.proto) for element in app.get("menu_button")), "it can be deleted here"


def test_review_elsewhere_offers_every_tool_to_leads(filled, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    app = open_page("audit", tab="list")
    assert_calm(app)
    assert app.selectbox(key="elsewhere-tool").options[:2] == ["Label Studio", "Argilla"]
    assert "take what was labelled back" in words_on(app)
