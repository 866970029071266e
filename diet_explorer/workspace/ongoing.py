"""What goes on for a run beside its own scoring: further trainings, maps, its newest export and the push of it."""

from __future__ import annotations

from typing import get_args

from diet_explorer.jobs.progress import JobProgress, JobState
from diet_explorer.store.embeddings import Representation
from diet_explorer.store.in_words import counted
from diet_explorer.store.runs import ACTIVE
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace

_TRAININGS = {"proof": "Proof", "folds": "Folds", "noise": "Noise check"}


def ongoing_work(workspace: Workspace, run: Run) -> list[tuple[str, JobProgress]]:
    """Everything that waits or works for a run, titled, the most important first."""
    work: list[tuple[str, JobProgress]] = []
    trainings = [child for child in run.children() if child.status in ACTIVE]
    if trainings:
        first = next((child for child in trainings if child.status == "running"), trainings[-1])
        progress = first.progress()
        is_bound = any(proof.until_decided is not None for proof in run.proofs.list())
        bound = "at most " if first.record.origin == "proof" and is_bound else ""
        left = f"{bound}{counted(len(trainings), 'training')} left"
        state: JobState = "queued" if first.status == "queued" else "running"
        title = f"{_TRAININGS[first.record.origin]}: {left}"
        work.append((title, JobProgress(state=state, stage=first.name, share=progress.share, delay=progress.delay)))
    for which in get_args(Representation):
        work.append(("Drawing an embedding map", run.maps.progress(which)))
    for export in workspace.exports(run)[:1]:
        pushing = export.push_progress()
        work += [("Writing an export", export.progress()), (f"Pushing to {pushing.repo}", pushing)]
    return [(title, progress) for title, progress in work if progress.is_active]
