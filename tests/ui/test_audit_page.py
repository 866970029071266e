"""The Audit page as Streamlit draws it; what its keys do is in tests/browser."""

from dataclasses import replace

import numpy as np
import pytest

from diet_explorer.review.rules import ReviewRules
from diet_explorer.ui.audit.suspects import KIND_TITLES
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


@pytest.mark.parametrize("tab", ["list", "conflicts", "history", "evidence"])
def test_every_face_is_drawn(filled, open_page, cookies, tab):
    cookies["diet-explorer-name"] = "Ann"
    app = open_page("audit", tab=tab)
    assert_calm(app)
    assert not app.error


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
