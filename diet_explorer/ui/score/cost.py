"""What a run will take: for the chosen gradient norms and for the other choices, measured on request."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.store.in_words import counted
from diet_explorer.training.config import GradientMode, RunConfig
from diet_explorer.ui.drawing.markup import figures
from diet_explorer.ui.shell.boundary import error_boundary
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.dataset import Dataset

_CHOICES: dict[GradientMode, str] = {"all": "all parameters", "head": "classifier only", "off": "none"}


def draw_estimate(dataset: Dataset, config: RunConfig) -> None:
    """Draw the expected time, what each choice of gradient norms costs, and the button that measures it."""
    choices = open_workspace().estimates(dataset, config)
    cost = choices[config.grand]
    scorings = f"{len(config.checkpoints)} × {counted(config.seeds, 'seed')}"
    entries = [
        (words.duration(cost.seconds_total), "expected in all"),
        (words.duration(cost.seconds_training), f"training, {cost.steps:,} steps"),
        (words.duration(cost.seconds_scoring), f"scoring, {scorings}"),
    ]
    st.html(figures(entries))
    lines = "".join(
        f"<tr><td>{_named(mode, config.grand)}</td>"
        f'<td class="de-figure">{words.duration(choice.seconds_scoring)}</td>'
        f'<td class="de-figure">{words.duration(choice.seconds_total)}</td></tr>'
        for mode, choice in choices.items()
    )
    head = '<tr><th>GraNd</th><th class="de-figure">scoring</th><th class="de-figure">in all</th></tr>'
    st.html(
        f'<table class="de-list" aria-label="Cost of each choice of GraNd"><thead>{head}</thead>'
        f"<tbody>{lines}</tbody></table>"
        f'<p class="de-quiet">{"" if cost.measured else "An estimate "}{escape(cost.basis)}.</p>'
    )
    if st.button(
        "Measure again" if cost.measured else "Measure on my data",
        key="measure-cost",
        icon=":material/timer:",
        help="Times a few batches of your own examples with this model; takes about half a minute.",
    ):
        with error_boundary("measure-error"), st.spinner("Timing a few batches of your examples…"):
            open_workspace().measure(dataset, config)
            st.rerun()


def _named(mode: GradientMode, chosen: GradientMode) -> str:
    return f"<b>{_CHOICES[mode]}</b> (chosen)" if mode == chosen else _CHOICES[mode]
