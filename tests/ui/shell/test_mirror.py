"""A control gets a new identity when its value changes from elsewhere, and keeps the old one when a user changed it.

Otherwise a page that refreshes itself may take the browser's report of the old value for a choice of the user.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.store.scores import ScoreFiles
from diet_explorer.ui.shell.picker import unique_titles
from tests.synthetic import write_scores
from tests.ui.conftest import control, parameter


def test_a_choice_of_the_user_keeps_the_control(filled, open_page):
    app = open_page("browse")
    before = control(app.multiselect, "filter-label").key
    control(app.multiselect, "filter-label").select("good").run()
    assert control(app.multiselect, "filter-label").key == before
    assert control(app.multiselect, "filter-label").value == ["good"]


def test_a_change_from_elsewhere_replaces_it(filled, open_page):
    app = open_page("browse", label="good")
    before = control(app.multiselect, "filter-label").key
    app.button(key="chip-0").click().run()
    assert control(app.multiselect, "filter-label").key != before
    assert control(app.multiselect, "filter-label").value == []


def test_scores_that_land_move_the_default_checkpoint_without_writing_the_url(own, open_page):
    store = ScoreFiles(own.workspace.context.files, own.run.id)
    for seed in (0, 1, None):
        own.workspace.context.files.remove_file(store.paths.ranking(seed, 1.0))
    app = open_page("browse")
    assert control(app.selectbox, "pick-checkpoint").value == 0.5
    logits = np.stack(own.tables[0, 1.0]["logits"])
    for seed in (0, 1):
        write_scores(own.workspace.context.files, own.dataset.manifest, own.run.id, seed, 1.0, logits)
    app.run()
    assert control(app.selectbox, "pick-checkpoint").value == 1.0
    assert "checkpoint" not in app.query_params
    control(app.selectbox, "pick-checkpoint").select(2.0).run()
    assert parameter(app, "checkpoint") == "2"


@given(st.dictionaries(st.text(max_size=3), st.sampled_from(["a", "a (2)", "b"]), max_size=6))
def test_options_can_be_told_apart_by_their_titles(titles):
    assert len({*unique_titles(titles).values()}) == len(titles)
