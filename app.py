"""The browser app: navigation and nothing else. Start it with `diet-explorer app`."""

from __future__ import annotations

import streamlit as st

st.set_page_config(page_title="diet-explorer", page_icon="🥗", layout="wide", initial_sidebar_state=260)
st.navigation(
    {
        "Data": [
            st.Page("pages/home.py", title="Home", icon=":material/home:", default=True),
            st.Page("pages/datasets.py", title="Datasets", icon=":material/database:"),
            st.Page("pages/score.py", title="Score", icon=":material/model_training:"),
        ],
        "Explore": [st.Page("pages/browse.py", title="Browse", icon=":material/format_list_numbered:")],
    },
    expanded=True,
).run()
