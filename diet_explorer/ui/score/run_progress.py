"""The progress of one run: figures, one bar per seed, what landed when, accuracy, log."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.progress import RunProgress, SeedProgress
from diet_explorer.store.runs import ACTIVE
from diet_explorer.ui.drawing.markup import bar, figures
from diet_explorer.ui.score.accuracy_chart import accuracy_chart
from diet_explorer.ui.score.agreement import draw_agreement
from diet_explorer.ui.score.run_list import status_words
from diet_explorer.ui.shell.boundary import as_text, error_boundary, show_failure
from diet_explorer.ui.shell.delay import draw_delay
from diet_explorer.ui.shell.view import run_page_again
from diet_explorer.workspace.run import Run

_EVERY_SECONDS = 1.0
_STATES = {
    "waiting": "waiting",
    "preparing": "loading model and texts",
    "training": "training",
    "scoring": "scoring all examples",
    "done": "done",
}
_LOG_LINES = 200


def draw_progress(run: Run) -> None:
    """Draw the progress; it refreshes every second while the run is active."""
    st.fragment(_live, run_every=_EVERY_SECONDS if run.status in ACTIVE else None)(run.id, run)


def _live(run_id: str, run: Run) -> None:
    with error_boundary("progress-error"):
        before = run.status
        progress = run.progress()
        if run.status != before and run.status not in ACTIVE:
            run_page_again()
        with st.container(key="run-progress", gap="small"):
            _outcome(run, progress)
            st.html(_figures(run, progress))
            st.html(f'<div class="de-seeds">{"".join(_seed_line(seed, run) for seed in progress.seeds)}</div>')
            if any(seed.checkpoints for seed in progress.seeds):
                left, right = st.columns([1, 1], gap="medium")
                with left:
                    accuracy_chart(
                        progress.seeds, run.config.epochs, largest_class_share(run), key=f"accuracy-{run_id}"
                    )
                with right:
                    st.html(_landed_table(progress.seeds))
            draw_agreement(run, progress)
            with st.expander("Log", key="run-log", icon=":material/receipt_long:"):
                _log(run)


def largest_class_share(run: Run) -> float:
    """Accuracy of always naming the largest class, over the training split."""
    counts = [by_split.get("train", 0) for by_split in run.dataset.report.classes.values()]
    total = sum(counts)
    return max(counts) / total if total else 0.0


def _outcome(run: Run, progress: RunProgress) -> None:
    if progress.status == "failed":
        show_failure(progress.error or "The run failed.", progress.remedy or "Read the log below.")
    elif progress.status == "interrupted":
        st.warning(as_text(f"{progress.error} {progress.remedy}"), icon=":material/power_off:")
    elif progress.status == "cancelled":
        goes_on = "a training that is resumed" if run.is_own_training else "resume"
        st.info(
            f"Cancelled. What has landed stays; {goes_on} goes on from its last checkpoint.", icon=":material/stop:"
        )
    draw_delay(progress.delay)
    for note in progress.notes:
        st.html(f'<p class="de-quiet" role="status">{escape(note)}</p>')


def _figures(run: Run, progress: RunProgress) -> str:
    landed = [point for seed in progress.seeds for point in seed.checkpoints]
    planned = len(run.config.checkpoints) * run.config.seeds
    last = landed[-1] if landed else None
    if progress.status in ACTIVE:
        second = (words.duration(progress.seconds_left), "time left")
    else:
        took = (run.record.finished_at or run.record.created_at) - (run.record.started_at or run.record.created_at)
        second = (words.duration(took.total_seconds()), "time of the last stretch")
    held = (
        (words.percent(last.heldout_accuracy), f"held-out accuracy · train {words.percent(last.train_accuracy)}")
        if last
        else (words.NOT_THERE, "accuracy · after the first checkpoint")
    )
    entries = [
        (words.percent(progress.share), progress.describe() if progress.status == "queued" else status_words(run)),
        second,
        (f"{len(landed)} of {planned}", "checkpoints scored"),
        held,
    ]
    return figures(entries, live=True)


def _seed_line(seed: SeedProgress, run: Run) -> str:
    planned = len(run.config.checkpoints)
    details = [_STATES[seed.state]]
    if seed.is_busy and seed.host and run.status in ACTIVE:
        details[0] += f" on {seed.host}, worker {seed.slot}"
    if seed.state in ("training", "scoring"):
        details.append(f"epoch {seed.epoch:.2f} of {run.config.end:g}")
        details.append(f"step {seed.step:,} of {seed.total_steps:,}")
    if seed.state == "scoring" and seed.scoring_total:
        details.append(f"{seed.scoring_done:,} of {seed.scoring_total:,} scored")
    if seed.state == "training" and seed.examples_per_second:
        details.append(f"{seed.examples_per_second:,.0f} examples/s")
    if seed.loss is not None and seed.state != "done":
        details.append(f"loss {words.three(seed.loss)}")
    if seed.seconds_left is not None and seed.state in ("training", "scoring"):
        details.append(f"{words.duration(seed.seconds_left)} left")
    details.append(f"{len(seed.checkpoints)} of {planned} checkpoints")
    return (
        f'<div class="de-seed"><b>Seed {seed.seed}</b>{bar(seed.share(planned))}'
        f'<span class="de-quiet">{escape(" · ".join(details))}</span></div>'
    )


def _landed_table(seeds: Sequence[SeedProgress]) -> str:
    rows = "".join(
        f"<tr><td>{seed.seed}</td>"
        f'<td title="{escape(catalogue.checkpoint_title(point.checkpoint))}">{point.checkpoint:g}</td>'
        f'<td class="de-figure">{words.three(point.train_loss)}</td>'
        f'<td class="de-figure">{words.percent(point.train_accuracy)}</td>'
        f'<td class="de-figure">{words.percent(point.heldout_accuracy)}</td></tr>'
        for seed in seeds
        for point in reversed(seed.checkpoints)
    )
    head = (
        '<tr><th>Seed</th><th>Epoch</th><th class="de-figure">Loss</th><th class="de-figure">Train</th>'
        '<th class="de-figure">Held-out</th></tr>'
    )
    return f'<div class="de-scroll"><table class="de-list"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _log(run: Run) -> None:
    lines = run.log(_LOG_LINES)
    if not lines:
        st.caption("The log is empty until a worker takes the run.")
        return
    table = pd.DataFrame(
        {
            "Time": [line["time"].replace("T", " ").removesuffix("+00:00") for line in lines],
            "Seed": [str(line.get("seed", "")) for line in lines],
            "Level": [line["level"] for line in lines],
            "Message": [line["message"] for line in lines],
        }
    )
    st.dataframe(
        table.iloc[::-1],
        key="run-log-table",
        hide_index=True,
        height=240,
        column_config={
            "Time": st.column_config.TextColumn("Time (UTC)", width=150),
            "Seed": st.column_config.TextColumn(width=50),
            "Level": st.column_config.TextColumn(width=60),
            "Message": st.column_config.TextColumn(width="large"),
        },
    )
