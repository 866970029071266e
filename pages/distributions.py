"""Distributions: how the scores change over the training, whether they have settled, and how runs compare."""

from __future__ import annotations

from diet_explorer.ui.distributions.cautions import draw_cautions
from diet_explorer.ui.distributions.comparison import draw_comparison
from diet_explorer.ui.distributions.tabs import draw_distribution, draw_scores, draw_stability
from diet_explorer.ui.shell.controls import draw_tabs
from diet_explorer.ui.shell.frame import run_scored_page
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_TABS = {
    "distribution": "Distribution",
    "stability": "Stability",
    "scores": "Scores compared",
    "runs": "Runs compared",
}


def body(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw the cautions and one of the page's tabs."""
    tab = selection.view.tab if selection.view.tab in _TABS else "distribution"
    draw_tabs("distributions-tabs", _TABS, tab)
    if tab != "runs":
        draw_cautions(selection, run, checkpoint)
    if tab == "distribution":
        draw_distribution(selection, dataset, run, checkpoint)
    elif tab == "stability":
        draw_stability(selection, run, checkpoint)
    elif tab == "scores":
        draw_scores(selection, run, checkpoint)
    else:
        draw_comparison(selection, dataset, run, checkpoint)


run_scored_page(
    "Distributions",
    "See how the scores spread while the model learns, and whether their order can be trusted.",
    body,
    "The distribution of every score at each checkpoint",
)
