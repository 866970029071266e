"""Review elsewhere, on the list tab of the Audit page: suspects out to a labelling tool, what was labelled back."""

from __future__ import annotations

import io
from html import escape

import streamlit as st

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.drawing.plain import visible
from diet_explorer.review.annotators import Identity
from diet_explorer.review.elsewhere.report import TakenBack, told
from diet_explorer.review.elsewhere.tools import TOOLS
from diet_explorer.store.in_words import counted
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.uploaders import allow_upload
from diet_explorer.workspace.run import Run

_TAKEN = "elsewhere-taken "
_MOST_SHOWN = 8
_USUAL = 200


def draw_elsewhere(run: Run, where: ExampleFilter, checkpoint: float, by: str, total: int, who: Identity) -> None:
    """Draw the place behind a button; only leads send and take back."""
    with st.popover("Review elsewhere", icon=":material/swap_horiz:", key="elsewhere", disabled=not who.may("lead")):
        if not who.may("lead"):
            return
        st.html(
            '<p class="de-quiet">Have these examples looked at in another labelling tool, and take what was labelled '
            "back as decisions. Nothing is overwritten, and nothing comes twice.</p>"
        )
        taken = st.session_state.get(_TAKEN + run.id)
        if taken is not None:
            st.html(f'<div role="status">{_report(taken)}</div>')
        _send(run, where, checkpoint, by, total, who)
        st.divider()
        _take(run, who)


def _send(run: Run, where: ExampleFilter, checkpoint: float, by: str, total: int, who: Identity) -> None:
    most = max(total, 1)
    left, right = st.columns(2)
    name = left.selectbox("Tool", list(TOOLS), format_func=lambda name: TOOLS[name].title, key="elsewhere-tool")
    number = right.number_input(
        "How many, the most suspicious first", 1, most, min(_USUAL, most), key=f"elsewhere-limit-{most}"
    )
    tool = TOOLS[name]

    def tasks() -> bytes:
        stream = io.StringIO()
        run.review.send_to(name, stream, where=where, limit=number, order=by, checkpoint=checkpoint, by=who)
        return stream.getvalue().encode()

    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Download the examples",
            data=tasks,
            file_name=f"{run.id}-{name}{tool.ending}",
            icon=":material/download:",
            on_click="ignore",
            type="primary",
            disabled=total == 0,
            key="elsewhere-send",
        )
        if tool.setup is not None:
            st.download_button(
                f"Download the {tool.setup.title}",
                data=run.review.setup_for(name) or "",
                file_name=f"{run.id}-{name}-{tool.setup.file_name}",
                icon=":material/download:",
                on_click="ignore",
                help="Tells the tool the classes; give it this file first.",
                key="elsewhere-setup",
            )


def _take(run: Run, who: Identity) -> None:
    allow_upload()
    kinds = ["json", "jsonl", "csv", "zip"]
    file = st.file_uploader("What the tool exported", type=kinds, key="elsewhere-file")
    annotator = st.text_input("Who labelled, where the file does not say it", who.name, key="elsewhere-who")
    if st.button("Take back", key="elsewhere-take", type="primary", disabled=file is None) and file is not None:
        with error_boundary("elsewhere-error"):
            st.session_state[_TAKEN + run.id] = run.review.take_back(file, annotator=annotator.strip() or None, by=who)
            st.rerun()


def _report(taken: TakenBack) -> str:
    """What came of a file, as markup."""
    sentence = (
        f"{counted(taken.added, 'decision')} added, {taken.known:,} known already, {taken.open:,} open still, "
        f"{len(taken.left_out):,} without a decision."
    )
    lines = list(told(taken.left_out[:_MOST_SHOWN]))
    if len(taken.left_out) > _MOST_SHOWN:
        lines.append(f"and {len(taken.left_out) - _MOST_SHOWN:,} more")
    items = "".join(f"<li>{escape(visible(line))}</li>" for line in lines)
    return f"<p>{sentence}</p>" + (f'<ul class="de-quiet">{items}</ul>' if items else "")
