"""One click from nothing to ranked examples: the sample, imported and being scored."""

from __future__ import annotations

import streamlit as st

from diet_explorer.store.runs import ACTIVE
from diet_explorer.ui.shell.view import View
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.sample import SAMPLE_NAME, SAMPLE_SETTINGS


def sample_run() -> Run | None:
    """The newest usable run of the sample, None where there is none."""
    for run in open_workspace().runs():
        if run.dataset.name == SAMPLE_NAME and (run.status in ACTIVE or run.status == "succeeded"):
            return run
    return None


def open_sample() -> None:
    """Go to the sample's ranked examples; import and score it first where that has not been done."""
    run = sample_run()
    if run is None:
        with st.spinner("Importing the sample …"):
            workspace = open_workspace()
            run = workspace.score(workspace.import_sample(), **SAMPLE_SETTINGS)
    view = View(dataset=run.record.dataset_id, run=run.id)
    st.switch_page("pages/browse.py", query_params=view.to_query())
