"""How far EL2N and the gradient norms agree on the worst examples of a run, and what they cost."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.progress import RunProgress
from diet_explorer.ui.shell.asking import asked
from diet_explorer.workspace.run import Run


def draw_agreement(run: Run, progress: RunProgress) -> None:
    """Draw the table of agreement at the run's default checkpoint, once something has landed."""
    points = run.checkpoints()
    if not points:
        return
    checkpoint = run.default_checkpoint()
    table = _agreement(run, checkpoint)
    if table.empty:
        return
    shares = [name for name in table.columns if name.startswith("top_")]
    head = "".join(
        f'<th class="de-figure">worst {words.round_percent(float(name.removeprefix("top_")))}</th>' for name in shares
    )
    lines = "".join(
        f"<tr><td>{escape(_title(entry['first']))} and {escape(_title(entry['second']))}</td>"
        f'<td class="de-figure">{words.three(entry["spearman"])}</td>'
        + "".join(f'<td class="de-figure">{words.percent(entry[name])}</td>' for name in shares)
        + "</tr>"
        for entry in table.to_dict("records")
    )
    scoring = sum(seed.scoring_seconds for seed in progress.seeds)
    spent = scoring + sum(seed.training_seconds for seed in progress.seeds)
    share = f" Scoring took {words.duration(scoring)}, {words.percent(scoring / spent)} of the run." if spent else ""
    with st.container(key="agreement"):
        st.html(
            '<p class="de-caption">Do the scores name the same examples? '
            f"{escape(catalogue.checkpoint_title(checkpoint).capitalize())}</p>"
            '<table class="de-list" aria-label="Agreement of the scores"><thead><tr><th>Scores</th>'
            '<th class="de-figure" title="Spearman: 1 is the same order, 0 is none">rank correlation</th>'
            f"{head}</tr></thead>"
            f"<tbody>{lines}</tbody></table>"
            f'<p class="de-quiet">The columns on the right: how many of the one score’s worst examples are among '
            f"the other’s.{share}</p>"
        )


@asked()
def _agreement(run: Run, checkpoint: float) -> pd.DataFrame:
    """How far EL2N and the gradient norms agree, over the seeds that have landed."""
    return run.dynamics.agreement(checkpoint, names=catalogue.PAPER_NAMES)


def _title(name: str) -> str:
    return catalogue.score(name).title
