"""Home: from nothing to a queued run of the sample in one click."""

from diet_explorer.workspace.sample import SAMPLE_NAME
from tests.ui.conftest import assert_calm, parameter, words_on


def test_an_empty_workspace_says_what_will_be_here(empty, open_page):
    app = open_page("home")
    assert_calm(app)
    assert app.button(key="try-sample").label == "Try the sample"
    text = words_on(app)
    assert "No runs yet" in text
    assert "No worker is running" in text and "diet-explorer worker" in text


def test_try_the_sample_imports_it_starts_scoring_and_leads_to_its_examples(empty, open_page):
    app = open_page("home")
    app.button(key="try-sample").click().run()
    assert_calm(app)
    (run,) = empty.runs()
    assert run.status == "queued"
    assert run.dataset.name == SAMPLE_NAME
    assert "The first scores are being computed" in words_on(app)
    assert parameter(app, "run") == run.id


def test_the_sample_is_not_scored_twice(empty, open_page):
    open_page("home").button(key="try-sample").click().run()
    again = open_page("home")
    assert again.button(key="try-sample").label == "Open the sample"
    again.button(key="try-sample").click().run()
    assert len(empty.runs()) == 1


def test_recent_runs_are_listed_with_their_state(filled, open_page):
    app = open_page("home")
    assert_calm(app)
    text = words_on(app)
    assert "Reviews &lt;i&gt;&amp;&lt;/i&gt; more" in text and "done" in text
    assert "<i>&" not in text
