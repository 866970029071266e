"""The documentation in the app, what each page is for, and the tour on the sample."""

from __future__ import annotations

import re
from urllib.parse import unquote

import numpy as np
import pytest
import yaml

from diet_explorer.data.packaged import packaged
from diet_explorer.training.config import RunConfig
from diet_explorer.ui.help.documents import TOPICS, Picture, read_document
from diet_explorer.ui.shell.explanations import EXPLANATIONS
from tests.synthetic import write_scores
from tests.ui.conftest import ROOT, assert_calm, parameter, words_on

PAGES = [topic for topics in TOPICS.values() for topic in topics]
OUTSIDE = ("https://", "http://", "mailto:")


def markdown_of(topic: str) -> str:
    return "\n".join(part for part in read_document(topic).parts if isinstance(part, str))


def prose_of(topic: str) -> str:
    return re.sub(r"`[^`]*`", "", re.sub(r"```.*?```", "", markdown_of(topic), flags=re.DOTALL))


@pytest.mark.parametrize("topic", PAGES)
def test_links_lead_to_pages_of_the_help_or_out_of_the_app_and_pictures_are_there(topic):
    document = read_document(topic)
    assert document.headings[0].level == 1
    assert all(part.path.is_file() and part.words for part in document.parts if isinstance(part, Picture))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(topic)):
        if target.startswith("?topic="):
            name, _, section = unquote(target.removeprefix("?topic=")).partition("#")
            anchors = [heading.anchor for heading in read_document(name).headings]
            assert not section or section in anchors, target
        else:
            assert target.startswith(OUTSIDE), target
    assert "![" not in prose_of(topic) and "<!--" not in prose_of(topic)


def test_titles_and_order_are_those_of_the_site():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    navigation = yaml.safe_load(text[text.index("\nnav:") :])["nav"]
    site = []
    for entry in navigation:
        for group, inside in entry.items():
            for page in [{group: inside}] if isinstance(inside, str) else inside:
                site += [(page, group)] if isinstance(page, str) else [(path, title) for title, path in page.items()]
    ours = [(f"{name}.md", title) for topics in TOPICS.values() for name, title in topics.items()]
    left_out = {"guides/notebook.md", "reference/index.md", "reference/commands.md", "reference/api.md"}
    left_out |= {"reference/json.md", "house.md"}
    assert ours == [entry for entry in site if entry[0] not in left_out]


def test_code_stays_as_it_is():
    assert "# A run has a part for each thing" in markdown_of("guides/python")
    assert "## A run has a part" not in markdown_of("guides/python")


def test_the_help_opens_at_the_start_and_follows_a_link(empty, open_page):
    app = open_page("help")
    assert_calm(app)
    assert "Score every example of a text-classification set" in words_on(app)
    assert "?topic=guides%2Freviewing" in words_on(app)
    app = open_page("help", topic="scores#aum")
    assert_calm(app)
    assert "## AUM" in words_on(app) and r"\frac{1}{T}" in words_on(app)


def test_a_page_that_there_is_not_is_said_and_the_list_stays(empty, open_page):
    app = open_page("help", topic="../../etc/passwd")
    assert_calm(app)
    assert "has no page" in app.error[0].value
    assert "?topic=tutorial" in words_on(app)


def test_every_page_says_what_it_is_and_leads_to_a_section_that_is_there(empty, open_page):
    titles = set()
    for path in sorted((ROOT / "pages").glob("*.py")):
        app = open_page(path.stem)
        assert_calm(app)
        (title,) = [found for entry in app.html for found in re.findall(r"<h1>(.*?)</h1>", entry.body)]
        title = title.replace("&amp;", "&")
        titles.add(title)
        assert EXPLANATIONS[title].words in [entry.value for entry in app.markdown]
    assert titles == set(EXPLANATIONS)
    for explanation in EXPLANATIONS.values():
        topic, _, section = explanation.place.partition("#")
        assert not section or section in [heading.anchor for heading in read_document(topic).headings]


@pytest.fixture
def sample_run(empty):
    """A finished run of the sample, with made-up scores."""
    dataset = empty.import_sample()
    run = empty.create_run(RunConfig(dataset_id=dataset.id, epochs=1, checkpoints=(1.0,)), name="a run", origin="job")
    logits = np.random.default_rng(3).normal(size=(dataset.rows, 2))
    write_scores(empty.context.files, dataset.manifest, run.id, 0, 1.0, logits)
    empty.context.records.set_status(run.id, "running")
    empty.context.records.set_status(run.id, "succeeded")
    return run


def test_the_tour_goes_through_three_pages_and_is_dismissed_once(sample_run, open_page, cookies):
    app = open_page("browse", run=sample_run.id)
    assert_calm(app)
    assert "1 of 3" in words_on(app)
    for page, step in (("audit", "2 of 3"), ("prune", "3 of 3")):
        app.button(key="tour-next").click().run()
        assert_calm(app)
        assert step in words_on(app) and parameter(app, "run") == sample_run.id
        app.switch_page(f"pages/{page}.py").run()  # the test runner stays on the page where it was
        assert step in words_on(app)
    app.button(key="tour-end").click().run()
    assert "of 3</span>" not in words_on(app)
    app.switch_page("pages/browse.py").run()
    assert_calm(app)
    assert "of 3</span>" not in words_on(app)
    cookies["diet-explorer-tour"] = "over"  # what the browser brings the next time
    again = open_page("help")
    again.button(key="tour-start").click().run()
    assert_calm(again)
    assert "1 of 3" in words_on(again) and parameter(again, "run") == sample_run.id


def test_who_dismissed_it_before_sees_no_tour(sample_run, open_page, cookies):
    cookies["diet-explorer-tour"] = "over"
    assert "of 3</span>" not in words_on(open_page("browse", run=sample_run.id))


def test_viewers_take_the_tour_too_and_read_what_they_may(sample_run, open_page, monkeypatch):
    monkeypatch.setenv("DIET_EXPLORER_JOIN_CODE", "correct horse battery")
    for page in ("browse", "audit", "prune"):
        app = open_page(page, run=sample_run.id)
        assert_calm(app)
        assert "of 3</span>" in words_on(app) and "to decide takes an annotator" in words_on(app)


def test_other_data_has_no_tour_and_without_a_sample_it_begins_at_home(filled, open_page):
    assert "of 3</span>" not in words_on(open_page("browse", run=filled.run.id))
    app = open_page("help")
    app.button(key="tour-start").click().run()
    assert_calm(app)
    assert app.button(key="try-sample")


def test_what_is_missing_from_an_installation_is_named():
    with pytest.raises(Exception, match=r"docs/nowhere\.md is missing"):
        packaged("docs/nowhere.md")
