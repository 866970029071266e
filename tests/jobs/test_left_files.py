"""What a job leaves on a machine on which it does not end: nothing, whether it was cancelled, lost or handed back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diet_explorer.errors import WorkspaceError
from diet_explorer.jobs import workflow
from diet_explorer.jobs.context import WorkerContext
from diet_explorer.jobs.holding import Left
from diet_explorer.jobs.kinds import score
from diet_explorer.jobs.kinds.export import ExportJob
from diet_explorer.jobs.protocol import seed_job
from diet_explorer.jobs.slots import WorkerSlot
from diet_explorer.pruning.policies import Policy
from diet_explorer.store.layout import Layout
from diet_explorer.store.workers import WorkerRecords
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs

MISHAPS = ("cancelled", "lost", "handed back", "failed")
SETTINGS = {**tiny_runs.SHORT, "grand": "head"}


def lose(context: WorkerContext, slot: WorkerSlot) -> None:
    """As if the worker had been silent for too long."""
    assert WorkerRecords(context.database).declare_gone(slot.info)


class TestSeed:
    @pytest.fixture
    def workspace(self, elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
        """A workspace that is not on this machine's disk; a worker of it looks at once how it stands."""
        monkeypatch.setenv("DIET_EXPLORER_SCRATCH", str(tmp_path / "machine"))
        monkeypatch.setattr("diet_explorer.store.leases.FRESH_SECONDS", 0.0)
        monkeypatch.setattr("diet_explorer.jobs.kinds.score.STOP_POLL_SECONDS", 0.0)
        return Workspace(elsewhere)

    @pytest.mark.parametrize("mishap", MISHAPS)
    def test_no_training_checkpoint_stays(
        self,
        context: WorkerContext,
        slot: WorkerSlot,
        workspace: Workspace,
        sentences: Path,
        model: Path,
        tmp_path: Path,
        mishap: str,
    ) -> None:
        dataset = workspace.import_dataset(sentences, text="sentence", label="mood")
        run = tiny_runs.queue(workspace, dataset.id, model, SETTINGS)
        run_job = str(run.refresh().record.workflow_id)
        job, stored = seed_job(run_job, 0), Layout(context.files).run(run.id).training_checkpoints(0)
        assert context.runs.set_status(run.id, "running", only_from={"queued"})
        happened: list[Path] = []

        def mishaps() -> None:
            if happened or not context.files.exists(f"{stored}/newest.json"):
                return
            happened.extend((tmp_path / "machine").rglob("checkpoint-*"))
            if mishap == "cancelled":
                context.runs.set_status(run.id, "cancelled", only_from={"running"})
            elif mishap == "lost":
                lose(context, slot)
            elif mishap == "handed back":
                context.holds.ending.set()
            else:
                raise WorkspaceError("The disk is full.", "Free some.")

        with suppress(Left), context.holds.holding(f"{run.id}/0", job, lambda: False):
            own = context.of(job)
            check = own.files.before_write

            def before_write() -> None:
                mishaps()
                check()

            outcome = score.carry_out(replace(own, files=own.files.guarded(before_write)), run.id, run_job, 0)
            assert outcome["state"] == {"cancelled": "stopped", "failed": "failed"}[mishap]
        assert happened, "a checkpoint was on this machine"
        assert not list((tmp_path / "machine").rglob("checkpoint-*"))
        assert context.files.exists(f"{stored}/newest.json"), "from which another machine goes on"


class HeldUp(ExportJob):
    """An export to which something happens as soon as its process is there."""

    happen: Callable[[], bool]

    def is_stopped(self, job: str) -> bool:
        """Whether it is cancelled."""
        return any(self.scratch_folder.rglob("output.log")) and self.happen()


@pytest.mark.parametrize("mishap", MISHAPS[:3])
def test_nor_does_what_a_process_of_its_own_wrote(
    context: WorkerContext, slot: WorkerSlot, workspace: Workspace, sentences: Path, tmp_path: Path, mishap: str
) -> None:
    dataset = workspace.import_dataset(sentences, text="sentence", label="mood")
    outputs = np.random.default_rng(0).dirichlet([1, 1], size=60)
    run = workspace.record(dataset, outputs, kind="probabilities")
    export = run.pruning.plan(Policy(drop_hardest=25)).submit_export(tmp_path / "export")
    job = HeldUp(workspace.settings, workspace.context.files, context.database, export.id)
    earlier, others = job.scratch_folder / "earlier", job.scratch_folder / "others"
    earlier.mkdir(parents=True)

    def happen() -> bool:
        assert not earlier.exists(), "it was of an attempt that was cut off"
        if mishap == "lost":  # and another worker of this machine has it
            others.mkdir()
            lose(context, slot)
        elif mishap == "handed back":
            context.holds.ending.set()
        return mishap == "cancelled"

    job.happen = happen
    with suppress(Left), context.holds.holding(job.thing, export.id, lambda: False):
        assert workflow.carry_out(job, export.id, context.holds) == "cancelled" == mishap
    left = sorted(job.scratch_folder.parent.rglob("*"))
    assert left == ([job.scratch_folder, others] if mishap == "lost" else [])
