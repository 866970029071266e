"""Push an export to the Hub: the form, its progress, and what came of it. The token is kept nowhere."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.jobs.kinds.push import PushProgress
from diet_explorer.pruning.export.columns import added_name
from diet_explorer.store.decisions import NOTE
from diet_explorer.ui.shell.boundary import as_text, error_boundary, show_failure
from diet_explorer.ui.shell.live_job import watch_job
from diet_explorer.ui.shell.person import person
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.exports import Export

_MOST_CHARACTERS = 200


def draw_hub(export: Export) -> None:
    """Draw how the last push went, or goes, and the form for the next."""
    progress = export.push_progress()
    with st.container(key="hub", gap="small"):
        st.html('<h2 class="de-chart-title">Push to the Hugging Face Hub</h2>')
        if progress.is_active:
            watch_job(
                "push",
                export.push_progress,
                lambda progress: f"{progress.repo}: {progress.stage}",
                lambda: export.cancel_push(by=person()),
                label="Cancel push",
            )
            return
        _draw_outcome(progress)
        _draw_form(export, progress)


def _draw_outcome(progress: PushProgress) -> None:
    if progress.state == "succeeded":
        seen = "only its owner can see it" if progress.private else "everybody can see it"
        st.html(
            f'<p role="status">Pushed to <a href="{escape(progress.url or "")}" target="_blank">'
            f'{escape(progress.repo)}</a> <span class="de-quiet">{seen} · revision '
            f"<code>{escape((progress.commit or '')[:12])}</code></span></p>"
        )
        if progress.note:
            st.info(as_text(progress.note))
    elif progress.state == "failed":
        show_failure(progress.error or "The push failed.", progress.remedy or "Push again.")
    elif progress.state in ("cancelled", "interrupted"):
        what = "was cancelled" if progress.state == "cancelled" else "was cut off"
        st.info(
            f"The push to {as_text(progress.repo)} {what}; the Hub has what it had before. Push again to go on: "
            "what is up is not sent again."
        )


def _takes_own_token() -> bool:
    """Whether whoever is in front of the screen pushes with a token of their own only."""
    workspace = open_workspace()
    who = workspace.context.identity
    return who is not None and who.signed_in and not workspace.settings.push_with_server_token


def _draw_form(export: Export, progress: PushProgress) -> None:
    with st.form("hub-form", clear_on_submit=True, border=False):  # cleared, so that the token stays nowhere
        left, right = st.columns(2, gap="medium")
        repo = left.text_input(
            "Dataset on the Hub",
            progress.repo,
            key=f"hub-repo-{progress.repo}",
            placeholder="owner/name",
            max_chars=_MOST_CHARACTERS,
            help="Made if it is not there. A card that is there is merged, not replaced.",
        )
        token = right.text_input(
            "Token",
            key="hub-token",
            type="password",
            autocomplete="off",
            placeholder="your own" if _takes_own_token() else "that of HF_TOKEN or of the Hub's own login",
            help="With the right to write. It is used for this push only and kept nowhere.",
        )
        if added_name(export.manifest["columns"], NOTE):
            st.html('<p class="de-quiet">What people noted about examples goes along.</p>')
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            private = st.checkbox("Private: only you can see it", progress.private, key=f"hub-private-{progress.repo}")
            done = st.form_submit_button("Push", key="hub-push", type="primary", icon=":material/cloud_upload:")
    if done:
        with error_boundary("hub-error"):
            export.push(repo.strip(), private=private, token=token.strip() or None, by=person(), wait=False)
            st.rerun()
