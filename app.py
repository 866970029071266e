"""The browser app: navigation and nothing else. Start it with `diet-explorer app`."""

from __future__ import annotations

import streamlit as st

from diet_explorer.ui.shell.gate import GATE
from diet_explorer.ui.shell.navigation import ICON, draw_navigation
from diet_explorer.ui.shell.observation import ROUTES, observed

if st.runtime.exists():  # the server, which is made below, runs this file again for every view of a page
    page = draw_navigation()
    title = f"{page.title} · diet-explorer"
    st.set_page_config(page_title=title, page_icon=ICON, layout="wide", initial_sidebar_state=260)
    page.run()
else:
    app = st.App(__file__, middleware=[GATE], routes=ROUTES, lifespan=observed)
