"""Saved policies: save under a name, open again, forget."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.shelf import NAME_LENGTH
from diet_explorer.ui.prune.planning import open_policy
from diet_explorer.ui.shell.bin import draw_menu
from diet_explorer.ui.shell.boundary import as_text, error_boundary
from diet_explorer.ui.shell.person import person
from diet_explorer.workspace.run import Run


def draw_policy_shelf(run: Run, policy: Policy) -> None:
    """Draw what saves the policy of the address, and those that are saved.

    Parameters
    ----------
    policy : Policy
        With score, checkpoint and seed.
    """
    saved = run.pruning.policies()
    with st.container(key="policy-shelf", horizontal=True, horizontal_alignment="right", gap="small"):
        # another key once it is saved, which closes it
        with (
            st.container(key="save-policy", width="content"),
            st.popover("Save …", icon=":material/bookmark_add:", key=f"save-policy-{saved_words(run, policy)}"),
        ):
            _draw_save(run, policy)
        with st.popover(f"Saved ({len(saved)})", icon=":material/bookmarks:", key="saved-policies", disabled=not saved):
            for number, entry in enumerate(saved):
                with st.container(key=f"saved-policy-{number}", horizontal=True, vertical_alignment="center"):
                    about = f"{entry.policy.describe()} {words.moment(entry.saved_at)}"
                    st.html(
                        f'<b>{escape(entry.name)}</b><br><span class="de-quiet">{escape(about)}</span>',
                        width="stretch",
                    )
                    st.button("Open", key=f"open-policy-{number}", on_click=open_policy, args=(entry.policy,))
                    draw_menu(f"policy:{run.id}/{entry.name}", entry.name, key=f"policy-{number}")


def saved_words(run: Run, policy: Policy) -> str:
    """Under which name a policy is saved, in words; empty where it is not."""
    names = [entry.name for entry in run.pruning.policies() if entry.policy == policy]
    return f" Saved as {names[0]}." if names else ""


def _draw_save(run: Run, policy: Policy) -> None:
    with st.form("policy-save-form", border=False):
        st.caption(as_text(policy.describe()))
        name = st.text_input("Name", key="policy-name", max_chars=NAME_LENGTH)
        done = st.form_submit_button("Save policy", type="primary", key="policy-save")
    st.html('<p class="de-quiet">The address of this page holds the policy too: a link to it opens it anywhere.</p>')
    if done:
        with error_boundary("policy-error"):
            run.pruning.save_policy(name, policy, by=person())
            st.rerun()
