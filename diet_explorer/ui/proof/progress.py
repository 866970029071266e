"""How far a proof is: one line for the whole, and every retraining with what can be done about it."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.pruning.proof import Variant
from diet_explorer.store.in_words import counted
from diet_explorer.store.runs import ACTIVE
from diet_explorer.ui.drawing.markup import bar, job_bar
from diet_explorer.ui.shell.boundary import error_boundary, show_failure
from diet_explorer.ui.shell.delay import draw_delay
from diet_explorer.ui.shell.person import person
from diet_explorer.workspace.proof import Proof, ProofProgress, TrainingProgress

_EVERY_SECONDS = 2.0
_HEIGHT = 500
_PER_LINE = 4
_STATES = {
    "queued": "waits",
    "running": "runs",
    "interrupted": "interrupted",
    "succeeded": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "not needed": "left out",
}


def draw_proof_line(proof: Proof, progress: ProofProgress) -> None:
    """Draw the line of the whole; it refreshes, and the page runs again when a training ends."""
    if progress.is_active:
        st.fragment(_live, run_every=_EVERY_SECONDS)(proof, progress.done)
        return
    failed = next((entry for entry in progress.trainings if entry.status == "failed"), None)
    if failed is not None:
        what = f"{failed.title}, seed {failed.training.seed}: {failed.error or 'the training failed.'}"
        show_failure(what, failed.remedy or "Resume it.")
    if progress.status in ("failed", "cancelled"):
        with st.container(key="proof-stopped", horizontal=True, vertical_alignment="center", gap="small"):
            st.html(
                f'<span role="status">{progress.describe()} are done; the others have stopped.</span>',
                width="stretch",
            )
            if st.button("Resume", key="resume-proof", type="primary", icon=":material/play_arrow:"):
                with error_boundary("proof-error"):
                    proof.resume(by=person())
                    st.rerun()


def _live(proof: Proof, done: int) -> None:
    with error_boundary("proof-progress-error"):
        progress = proof.progress()
        if not progress.is_active or progress.done != done:
            st.rerun()
        title = f"{progress.describe()} done"
        figure = words.share_done(progress.share, progress.seconds_left, at_most=progress.at_most)
        with st.container(key="proof-progress", horizontal=True, vertical_alignment="center", gap="medium"):
            st.html(job_bar(title, figure, progress.share), width="stretch")
            if st.button("Cancel", key="cancel-proof", icon=":material/stop:"):
                proof.cancel(by=person())
                st.rerun()
        draw_delay(progress.delay)


def draw_trainings(proof: Proof) -> None:
    """Draw every retraining: a line per choice, a column per seed."""
    active = proof.progress().is_active
    with st.container(key="trainings", height=_HEIGHT, border=False):
        st.fragment(_trainings, run_every=_EVERY_SECONDS if active else None)(proof)


def _trainings(proof: Proof) -> None:
    with error_boundary("trainings-error"):
        progress = proof.progress()
        seeds = _seeds_shown(proof, progress)
        trainings: dict[int, list[TrainingProgress]] = {}
        for entry in progress.trainings:
            trainings.setdefault(entry.training.variant, []).append(entry)
        for position, variant in enumerate(proof.variants):
            with st.container(key=f"training-{position}"):
                for start in range(0, seeds, _PER_LINE):
                    _draw_line(proof, variant, trainings[position][start : min(start + _PER_LINE, seeds)], start)
        if seeds < proof.seeds:
            more = "wait and are left out as soon as all is decided" if progress.is_active else "were not needed"
            st.html(f'<p class="de-quiet">Seeds {seeds} to {proof.seeds - 1} {more}.</p>')


def _seeds_shown(proof: Proof, progress: ProofProgress) -> int:
    """All seeds, or, of a proof that goes on until it decides, those that were begun and the next."""
    if proof.until_decided is None:
        return proof.seeds
    begun = [entry.training.seed for entry in progress.trainings if entry.status not in ("queued", "not needed")]
    following = 2 if progress.is_active else 1
    return min(max(begun, default=0) + following, proof.seeds)


def _draw_line(proof: Proof, variant: Variant, trainings: list[TrainingProgress], start: int) -> None:
    """Draw some of a variant's trainings beside each other, behind its name on the first line."""
    width = min(_PER_LINE, proof.seeds)
    columns = st.columns([3, *[2] * width], gap="small", vertical_alignment="center")
    if start == 0:
        share = variant.size / proof.variants[0].size
        columns[0].html(
            f'{escape(variant.title)}<br><span class="de-quiet">{counted(variant.size, "example")} · '
            f"{words.percent(share)}</span>"
        )
    for column, entry in zip(columns[1:], trainings, strict=False):
        with column:
            _draw_training(proof, entry, f"{entry.training.variant}-{entry.training.seed}")


def _draw_training(proof: Proof, entry: TrainingProgress, key: str) -> None:
    hint = f' title="{escape(entry.error)}"' if entry.error else ""
    share = f" {words.percent(entry.share)}" if entry.status == "running" else ""
    st.html(
        f'<div class="de-job"{hint}><p><span>seed {entry.training.seed}</span><b>{_STATES[entry.status]}{share}</b></p>'
        f"{bar(entry.share)}</div>"
    )
    if entry.status in ACTIVE and st.button("Cancel", key=f"cancel-training-{key}", type="tertiary"):
        proof.cancel(entry.training, by=person())
        st.rerun()
    if entry.status in ("failed", "cancelled") and st.button("Resume", key=f"resume-training-{key}", type="tertiary"):
        proof.resume(entry.training, by=person())
        st.rerun()
