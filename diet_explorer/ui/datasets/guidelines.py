"""The guidelines of a dataset on its page: the text with its history for everybody, an editor for who leads."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.review.guidelines import LONGEST_GUIDELINES, Guidelines
from diet_explorer.ui.drawing.markdown import markdown_html
from diet_explorer.ui.examples.guidelines import changes_html, written_words
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.dataset import Dataset

_SAVED = "guidelines-saved"
_HEIGHT = 420
_NOTHING = (
    '<div class="de-empty"><h2>No guidelines yet</h2><p>How the examples are to be labelled, as a lead writes it, will '
    "stand here and beside every example that is reviewed.</p></div>"
)
_PLACEHOLDER = """## What counts as positive
- what is *meant* counts, irony included
- mixed reviews: the last sentence decides

| text | label |
|---|---|
| not bad at all | positive |"""
_HELP = (
    "Markdown: headings, lists, tables, **bold**, links. Raw HTML is shown as it is written, and images are links. "
    "Every version is kept, and each decision records the one that was at hand."
)


def draw_guidelines_page(dataset: Dataset) -> None:
    """Draw the editor with its preview, or the text alone, and the history below."""
    versions = dataset.guideline_versions()
    latest = versions[-1] if versions else None
    if open_workspace().context.may("lead"):
        _draw_editor(dataset, latest)
    elif latest is None or not latest.text:
        st.html(_NOTHING)
    else:
        st.html(f'<p class="de-quiet">Version {latest.version}, {escape(written_words(latest))}</p>')
        st.html(markdown_html(latest.text))
    _draw_history(versions)


def _draw_editor(dataset: Dataset, latest: Guidelines | None) -> None:
    """Draw what is being written, which is kept while its author looks at other pages, and how it will look."""
    draft, base = f"guidelines-draft {dataset.id}", f"guidelines-base {dataset.id}"
    in_force = "" if latest is None else latest.text
    edited: Guidelines | None = st.session_state.get(base, latest)
    text: str = st.session_state.get(draft, in_force)
    if text.strip() == ("" if edited is None else edited.text):  # nothing of one's own is in it
        edited, text = latest, in_force
    st.session_state[base] = edited
    left, right = st.columns(2, gap="medium")
    with left:
        key = f"guidelines-text-{'new' if edited is None else edited.uid}"
        text = st.text_area(
            "Guidelines",
            text,
            key=key,
            height=_HEIGHT,
            max_chars=LONGEST_GUIDELINES,
            placeholder=_PLACEHOLDER,
            help=_HELP,
        )
        st.session_state[draft] = text
        newer = latest is not None and (edited is None or latest.uid != edited.uid)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if st.button(
                "Save for everybody",
                key="guidelines-save",
                type="primary",
                disabled=text.strip() == in_force or newer,
            ):
                with error_boundary("guidelines-error"):
                    saved = dataset.set_guidelines(text, expected=None if edited is None else edited.uid)
                    st.session_state[base], st.session_state[draft] = saved, saved.text
                    st.session_state[_SAVED] = f"Saved as version {saved.version}"
                    st.rerun()
            st.html(f'<span class="de-quiet" role="status">{st.session_state.pop(_SAVED, "")}</span>')
        if newer and latest is not None:
            st.warning("A newer version was saved meanwhile; yours is not saved.", icon=":material/group:")
            st.html(changes_html(edited, latest))
            st.button(
                "Go on from the newer version", key="guidelines-newer", on_click=_go_on, args=(draft, base, latest)
            )
    with right, st.container(key="guidelines-preview", gap="small"):
        st.html('<h2 class="de-chart-title">How it will look</h2>')
        st.html(markdown_html(text) if text.strip() else _NOTHING)


def _go_on(draft: str, base: str, latest: Guidelines) -> None:
    """Put one's own text away for the newer one, into which what it says can be written."""
    st.session_state[draft], st.session_state[base] = latest.text, latest


def _draw_history(versions: list[Guidelines]) -> None:
    if not versions:
        return
    st.header("History", anchor=False)
    for position in range(len(versions) - 1, -1, -1):
        version, before = versions[position], versions[position - 1] if position else None
        title = f"Version {version.version} · {written_words(version)}" + ("" if version.text else " · taken away")
        with st.expander(title, key=f"guidelines-version-{version.uid}"):
            st.html(changes_html(before, version))
