"""Notes and guidelines as pages show them: where the example is, beside what is reviewed, and what is new in them."""

from __future__ import annotations

import re

from diet_explorer.review.annotators import Identity
from diet_explorer.review.rules import ReviewRules
from diet_explorer.ui.audit.session import Review
from diet_explorer.ui.shell import person
from tests.ui.conftest import assert_calm, control, parameter, words_on
from tests.ui.test_audit_page import all_sent, entry, send

HOSTILE = "<b>ask</b> **lea** <script>alert(1)</script>"


def test_a_note_is_left_beside_an_open_example_and_found_again(own, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    own.dataset.note([4], HOSTILE, annotator="Bob")
    app = open_page("browse", example="4", split="")
    assert_calm(app)
    assert "&lt;b&gt;ask&lt;/b&gt; **lea**" in words_on(app) and "<script>" not in words_on(app)
    app.text_area(key="note-text-4").set_value("irony?")
    next(button for button in app.button if button.label == "Leave note").click()
    app.run()
    assert_calm(app)
    assert "irony?" in words_on(app) and "2 notes" in words_on(app)
    assert own.dataset.notes()["note"].tolist() == ["irony?", HOSTILE]
    control(app.text_input, "filter-note").set_value("IRONY").run()
    assert_calm(app)
    assert parameter(app, "note") == "IRONY" and "1 of 1, filtered from" in words_on(app)


def test_a_blind_review_shows_one_s_own_notes_alone(own, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    row = int(own.run.audit.order()[0])
    own.dataset.note([row], "bob thinks", annotator="Bob")
    own.dataset.note([row], "ann thinks", annotator="Ann")
    own.dataset.ledger.set_rules(ReviewRules(overlap=2, blind=True), annotator="lea")
    sent = all_sent(open_page("audit")._tree)
    assert "ann thinks" in sent and "bob thinks" not in sent


def test_a_blind_review_finds_one_s_own_notes_alone(own, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    own.dataset.note([4], "irony of bob", annotator="Bob")
    own.dataset.note([8, 12], "irony of ann", annotator="Ann")

    def matching(name, **query):
        cookies["diet-explorer-name"] = name
        app = open_page("browse", split="", **query)
        assert_calm(app)
        found = re.search(r"of ([\d,]+), filtered from", words_on(app))
        return int(found[1]) if found else 0

    assert matching("Ann", note="IRONY") == 3, "an open review finds everybody's"
    own.dataset.ledger.set_rules(ReviewRules(overlap=2, blind=True), annotator="lea")
    assert [matching(name, note="IRONY") for name in ("Ann", "Bob", "")] == [2, 1, 0]
    assert [matching(name, noted="no") for name in ("Ann", "Bob")] == [own.dataset.rows - 2, own.dataset.rows - 1]
    cookies["diet-explorer-name"] = "Ann"
    app = open_page("browse", example="4", split="", note="irony")
    assert "irony of bob" not in words_on(app) and "only you" in app.text_area(key="note-text-4").placeholder
    app = open_page("audit", tab="list", note="irony")
    assert_calm(app)
    assert "2 of 2, filtered from" in words_on(app)


def test_in_a_blind_review_an_annotator_s_history_is_their_own(own, open_page, monkeypatch):
    own.dataset.note([4], "irony of bob", annotator="Bob")
    own.dataset.note([8], "irony of ann", annotator="Ann")
    monkeypatch.setattr(person, "person", lambda: Identity("Ann", "annotator"))
    assert "irony of bob" in all_sent(open_page("audit", tab="history")._tree)
    own.dataset.ledger.set_rules(ReviewRules(overlap=2, blind=True), annotator="lea")
    sent = all_sent(open_page("audit", tab="history")._tree)
    assert "irony of ann" in sent and "irony of bob" not in sent


def test_guidelines_stand_beside_the_review_and_what_is_new_is_said_once(own, open_page, cookies):
    cookies["diet-explorer-name"] = "Ann"
    first = own.dataset.set_guidelines("what is *meant* counts " + HOSTILE, by="Lea")
    app = open_page("audit")
    assert_calm(app)
    assert "<em>meant</em>" in words_on(app) and "<script>" not in words_on(app)
    assert "since your last decision" not in words_on(app), "who has not decided yet reads all of it"
    ann, row = Identity("Ann"), int(own.run.audit.order()[0])
    made = Review((), own.run.review.queue(ann), ann, own.run, own.run.default_checkpoint(), "", first.uid)
    own.dataset.set_guidelines("what is *said* counts", by="Lea")
    send(made.handle, [entry("keep", row)])
    assert own.dataset.ledger.events()[0].seen["guidelines"] == first.uid, "the version that was on the screen"
    app.run()
    assert_calm(app)
    assert "The guidelines have changed since your last decision" in words_on(app)
    assert "<ins>what is *said* counts</ins>" in words_on(app)
    app.button(key="guidelines-read-it").click().run()
    assert "since your last decision" not in words_on(app)


def test_a_lead_writes_guidelines_and_a_draft_is_not_lost_to_a_newer_version(own, open_page):
    app = open_page("datasets", tab="guidelines")
    assert_calm(app)
    app.text_area[0].set_value("# One\n![x](https://example.org/x.png)").run()
    assert "<h2>One</h2>" in words_on(app) and "<img" not in words_on(app)
    app.button(key="guidelines-save").click().run()
    assert_calm(app)
    assert own.dataset.guidelines is not None and own.dataset.guidelines.text.startswith("# One")
    assert "A newer version" not in words_on(open_page("datasets", tab="guidelines"))
    app.text_area[0].set_value("# Mine").run()
    own.dataset.set_guidelines("# Theirs", by="Lea")
    app.run()
    assert app.text_area[0].value == "# Mine" and app.button(key="guidelines-save").disabled
    assert "A newer version" in words_on(app)
    app.button(key="guidelines-newer").click().run()
    assert app.text_area[0].value == "# Theirs"
