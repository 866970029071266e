"""What pages show of deleted things: who deleted it, the way back, and the bin with what it holds."""

from diet_explorer.ui.shell.picker import run_title
from tests.ui.conftest import assert_calm, control, words_on


def test_a_link_to_a_deleted_thing_says_who_deleted_it_and_brings_it_back(own, open_page):
    own.workspace.delete(own.dataset, by="Zoë <b>")
    app = open_page("browse", run=own.run.id)
    assert_calm(app)
    assert "was deleted" in words_on(app) and "Zoë &lt;b&gt;" in words_on(app)
    app.button(key="bring-back").click().run()
    assert_calm(app)
    assert [run.id for run in own.workspace.runs()] == [own.run.id] and "was deleted" not in words_on(app)


def test_the_bin_brings_back_or_removes_what_is_in_it(own, open_page):
    other = own.run.create(own.run.config, name="an old one", origin="job", as_child=False)
    other.context.records.set_status(other.id, "failed")
    for run in (own.run, other):
        own.workspace.delete(run, by="Zoë")
    app = open_page("bin", run=own.run.id)
    assert_calm(app)
    assert "an old one" in words_on(app) and "kept for 7 more days" in words_on(app)
    app.button(key="bring-back-1").click().run()
    assert [run.id for run in own.workspace.runs()] == [own.run.id]
    app.button(key="empty-bin-confirm").click().run()
    assert_calm(app)
    assert own.workspace.bin.entries() == [] and "The bin is empty" in words_on(app)


def test_a_run_keeps_its_title_when_another_is_deleted(own, open_page):
    later = own.workspace.create_run(own.run.config, name="a run", origin="job")
    own.workspace.context.records.set_status(later.id, "succeeded")
    before = open_page("score", run=later.id)
    title = run_title(later)
    assert title in control(before.selectbox, "pick-run").options and title in words_on(before)
    own.workspace.delete(own.run)
    after = open_page("score", run=later.id)
    assert control(after.selectbox, "pick-run").options == [title]
