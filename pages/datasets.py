"""Datasets: add one, and read the report of those that are there."""

from __future__ import annotations

from diet_explorer.ui.frame import run_page

run_page("Datasets", "Bring in labelled texts, see what is wrong with them, and pick what to score.", lambda selection: None)
