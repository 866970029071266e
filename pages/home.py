"""Home: what this is, the sample, recent runs, and whether a worker is there."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.jobs.slots import NO_WORKER, all_workers, can_work, workers_in_words
from diet_explorer.jobs.waiting import START_ONE
from diet_explorer.redaction import redacted
from diet_explorer.store.in_words import noun
from diet_explorer.ui.datasets.sample import open_sample, sample_run
from diet_explorer.ui.drawing.markup import figures
from diet_explorer.ui.score.run_list import draw_run_list
from diet_explorer.ui.shell.boundary import as_text, error_boundary
from diet_explorer.ui.shell.frame import run_page
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import View
from diet_explorer.ui.shell.workers import draw_workers
from diet_explorer.ui.shell.workspace import open_workspace

_RECENT = 6


def body(selection: Selection) -> None:
    """Draw the start on the left, the state of the workspace on the right."""
    left, right = st.columns([2, 1], gap="large")
    with left:
        _start(selection)
        st.header("Recent runs", anchor=False)
        runs = open_workspace().runs()
        if runs:
            draw_run_list(runs[:_RECENT], key="recent")
        else:
            st.html(
                '<div class="de-empty"><h2>No runs yet</h2><p>A run trains a model and scores every example on the '
                "way. Runs will be listed here with their progress.</p></div>"
            )
    with right:
        _state(selection)


def _start(selection: Selection) -> None:
    st.html(
        '<ol class="de-steps">'
        "<li><b>Score</b> every example of a text-classification set while a transformer learns it.</li>"
        "<li><b>Read</b> the worst first: hard, ambiguous and mislabelled examples gather there.</li>"
        "<li><b>Compare</b> scores, checkpoints and seeds, then take the list with you.</li></ol>"
    )
    known = sample_run()
    with st.container(key="start", horizontal=True, gap="small", vertical_alignment="center"):
        if st.button(
            "Try the sample" if known is None else "Open the sample",
            key="try-sample",
            type="primary",
            icon=":material/play_arrow:",
        ):
            with error_boundary("sample-error"):
                open_sample()
        st.page_link(
            "pages/datasets.py",
            label="Use your own data",
            icon=":material/upload_file:",
            query_params=View(tab="add").to_query(),
        )
    st.html(
        '<p class="de-quiet">The sample: film-review snippets with human ratings of their labels. '
        "First ranked examples come within a minute.</p>"
    )


@st.fragment(run_every=5)
def _workers() -> None:
    with error_boundary("worker-error"):
        workspace = open_workspace()
        words = workers_in_words(workspace.settings)
        with st.container(key="worker-status"):
            if can_work(workspace.settings):
                st.html(f'<p role="status">✓ {escape(_named(words))}</p>')
            elif words != NO_WORKER:
                st.warning(as_text(words), icon=":material/hourglass_disabled:")
            else:
                st.warning(f"No worker is running; runs wait. {START_ONE}", icon=":material/hourglass_disabled:")
        draw_workers(*all_workers(workspace.settings))


def _named(sentence: str) -> str:
    """Replace run ids by the names of their datasets."""
    for run in open_workspace().runs():
        if run.id in sentence:
            sentence = sentence.replace(run.id, run.dataset.name)
    return sentence


def _state(selection: Selection) -> None:
    st.header("Workers", anchor=False)
    _workers()
    st.header("Workspace", anchor=False)
    examples = sum(entry.rows for entry in selection.datasets)
    workspace = open_workspace()
    runs = len(workspace.runs())
    entries = [
        (words.whole(len(selection.datasets)), noun(len(selection.datasets), "dataset")),
        (words.whole(examples), noun(examples, "example")),
        (words.whole(runs), noun(runs, "run")),
    ]
    st.html(f'{figures(entries)}<p class="de-quiet de-path">{escape(redacted(workspace.context.files.root))}</p>')
    st.header("Where the scores come from", anchor=False)
    st.html(
        '<p class="de-quiet">EL2N and GraNd: Paul et al. 2021, <i>Deep Learning on a Data Diet</i> (arXiv 2107.07075), '
        "and Fayyaz et al. 2022, <i>BERT on a Data Diet</i> (arXiv 2211.05610). "
        "A high score is a question, not a verdict: hard and mislabelled look alike until somebody reads the text.</p>"
    )


run_page("Home", "Find the examples that matter, and those that are wrong.", body)
