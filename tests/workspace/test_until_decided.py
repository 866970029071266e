"""A proof that goes on until it decides: what is left out, what goes on, what it says. Results are written by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diet_explorer.errors import BadInputError
from diet_explorer.jobs.context import WorkerContext
from diet_explorer.jobs.needless import needless_trainings
from diet_explorer.jobs.slots import WorkerSlot
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.proof import Figures
from diet_explorer.scoring.progress import WorkerName
from diet_explorer.store.layout import Layout
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.ongoing import ongoing_work
from diet_explorer.workspace.proof import Proof
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.synthetic import write_scores

HARDEST = Policy("class_balanced", use_decisions=False)
NOISE = np.random.default_rng(0).normal(scale=0.002, size=(3, 20))
CLEAR = NOISE + np.array([[0.9], [0.8], [0.7]])
"""Accuracies of full data, random and the policy for every seed: each is clearly worse than the one before."""
OPEN = NOISE + np.array([[0.9], [0.8], [0.898]])
"""The policy is better than random, and not to be told from full data."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run on a set with a test split, in a workspace whose jobs nobody does."""
    part = ["train", *["test"] * 9]
    rows = [f"k{n},a text {n % 4} of {n},{'good' if n % 3 else 'bad'},{part[n % 10]}" for n in range(500)]
    (tmp_path / "texts.csv").write_text("\n".join(["key,text,label,part", *rows]), encoding="utf-8")
    workspace = Workspace(tmp_path / "home")
    dataset = workspace.import_dataset(tmp_path / "texts.csv", text="text", label="label", id="key", split="part")
    config = RunConfig(dataset.id, epochs=1, seeds=1, checkpoints=(1.0,))
    run = workspace.create_run(config, name="scored", origin="job")
    logits = np.random.default_rng(0).normal(size=(dataset.rows, 2))
    write_scores(workspace.context.files, dataset.manifest, run.id, 0, 1.0, logits)
    workspace.context.records.set_status(run.id, "succeeded")
    monkeypatch.setattr("diet_explorer.jobs.queue.JobQueue.submit", lambda *_: None)
    monkeypatch.setattr("diet_explorer.jobs.queue.JobQueue.cancel", lambda *_: None)
    return workspace.run(run.id)


def finish(run: Run, proof: Proof, accuracies: np.ndarray, seeds: range) -> None:
    """Write what trainings of some seeds leave behind."""
    files, records = run.context.files, run.context.records
    for training in proof.trainings:
        if training.seed in seeds:
            path = Layout(files).proof_training(training.key)
            figures = asdict(Figures(float(accuracies[training.variant, training.seed]), 0.5, 0.5))
            files.write_json(path, {**files.read_json(path), "figures": figures})
            if training.run_id != run.id:
                records.set_status(training.run_id, "running")
                records.set_status(training.run_id, "succeeded")


def needless(run: Run, proof: Proof, variant: int, seed: int) -> set[tuple[int, int]]:
    """Variants and seeds of a proof that a worker leaves out when it comes to one training."""
    context = run.context
    files, database, records, bin = context.files, context.database, context.records, context.bin
    holds: Any = None  # nothing is worked on
    fitness: Any = None
    worker = WorkerContext(
        context.settings, database, files, records, bin, WorkerName(), holds, fitness, lambda *_: None
    )
    (asked,) = (entry.run_id for entry in proof.trainings if (entry.variant, entry.seed) == (variant, seed))
    ids = needless_trainings(worker, asked)
    return {(entry.variant, entry.seed) for entry in proof.trainings if entry.run_id in ids}


def test_it_ends_as_soon_as_all_is_decided(run: Run) -> None:
    proof = run.proofs.start([HARDEST], [50], seeds=8, until_decided=True)
    assert len(proof.trainings) == 24 and proof.comparisons == 3
    begun = proof.progress()
    assert (begun.status, begun.describe()) == ("running", "1 of at most 24 trainings")
    assert ongoing_work(Workspace(run.context.settings.home_folder), run)[0][0] == "Proof: at most 23 trainings left"
    finish(run, proof, CLEAR, range(3))
    assert proof.progress().describe() == "9 of at most 24 trainings" and needless(run, proof, 2, 3) == set()
    assert "not yet decided against full data" in proof.verdicts()[2]

    finish(run, proof, CLEAR, range(6))
    ended = proof.progress()
    assert (ended.status, ended.describe(), ended.share, ended.seconds_left) == (
        "succeeded", "18 of 18 trainings", 1.0, None,
    )  # fmt: skip
    assert [entry.status for entry in ended.trainings] == ["succeeded"] * 18 + ["not needed"] * 6
    assert proof.wait(0) is proof
    assert needless(run, proof, 2, 6) == {(variant, seed) for variant in range(3) for seed in (6, 7)}
    assert needless(run, proof, 2, 5) == set()
    line = proof.table().iloc[2]
    assert (line["vs_random_decision"], line["vs_full_decision"], line["seeds"]) == ("worse", "worse", 6)
    assert "over 6 seeds: " in line["verdict"] and "worse than full data (95 % interval -" in line["verdict"]
    assert "at any time" in proof.intervals and "3 comparisons (Bonferroni)" in proof.intervals
    policy = next(trace for trace in proof.plot().data if trace.name == line["title"])
    assert (policy.y[0] - policy.error_y.arrayminus[0], policy.y[0] + policy.error_y.array[0]) == pytest.approx(
        (line["accuracy_low"], line["accuracy_high"])
    )
    with pytest.raises(BadInputError, match="macro_f1"):
        proof.plot("speed")  # type: ignore[arg-type]
    facts = json.loads(tiny_runs.inside("proof", proof.id, "--json", home=run.context.settings.home_folder).stdout)
    assert (facts["status"], facts["total"], facts["until_decided"], facts["comparisons"]) == ("succeeded", 18, 0.5, 3)
    assert facts["arms"][2]["vs_full_decision"] == "worse" and facts["arms"][0]["vs_full_decision"] is None
    assert facts["trainings"][-1]["status"] == "not needed"


def test_what_is_open_goes_on_and_the_decided_does_not(run: Run) -> None:
    proof = run.proofs.start([HARDEST], [50], seeds=7, until_decided=True, precision=0.01)
    finish(run, proof, OPEN, range(6))
    # the policy beats random; full data and the policy are trained on, random is not
    assert needless(run, proof, 1, 6) == {(1, 6)} and needless(run, proof, 2, 6) == set()
    assert proof.progress().describe() == "18 of at most 20 trainings"
    finish(run, proof, OPEN, range(7))
    assert proof.progress().status == "succeeded" and not proof.progress().at_most
    assert "; undecided against full data (" in proof.verdicts()[2]
    wider = run.proofs.start([HARDEST], [50], seeds=7, until_decided=True, precision=5)
    assert "no difference from full data larger than" in wider.verdicts()[2]


def test_nothing_is_left_out_that_another_proof_needs(run: Run) -> None:
    proof = run.proofs.start([HARDEST], [50], seeds=8, until_decided=True)
    finish(run, proof, CLEAR, range(6))
    fixed = run.proofs.start([HARDEST], [50], seeds=8)
    assert {entry.run_id for entry in fixed.trainings} == {entry.run_id for entry in proof.trainings}
    assert needless(run, proof, 2, 6) == set() and fixed.progress().describe() == "18 of 24 trainings"
    workspace = Workspace(run.context.settings.home_folder)
    workspace.delete(f"proof:{fixed.id}")
    assert (2, 6) in needless(run, proof, 2, 6)


def test_cancelled_and_resumed(run: Run) -> None:
    proof = run.proofs.start([HARDEST], [50], seeds=8, until_decided=True)
    finish(run, proof, CLEAR, range(3))
    proof.cancel()
    assert proof.progress().status == "cancelled"
    assert proof.resume().progress().status == "running"
    proof.cancel()
    finish(run, proof, CLEAR, range(6))  # such as by a worker that was faster than the cancellation
    assert proof.progress().status == "succeeded"
    before = [entry.status for entry in run.children("proof")]
    assert proof.resume().progress().status == "succeeded"
    assert [entry.status for entry in run.children("proof")] == before and "queued" not in before
    again = run.proofs.start([HARDEST], [50], seeds=10, until_decided=True)  # all is known: nothing is queued
    assert again.progress().describe() == "18 of 18 trainings"
    assert "queued" not in {entry.status for entry in run.children("proof")}


def test_what_it_takes_is_said_beforehand_and_numbers_are_checked(run: Run) -> None:
    size = run.proofs.estimate([HARDEST], [50, 70], until_decided=True)
    assert (size.trainings, size.least_trainings) == (5 * 20, 5 * 5) and size.least_seconds * 4 == pytest.approx(
        size.seconds
    )
    fixed = run.proofs.estimate([HARDEST], [50, 70])
    assert fixed.trainings == fixed.least_trainings == 15 and fixed.seconds > 0
    for start in (run.proofs.start, run.proofs.estimate):
        with pytest.raises(BadInputError, match="none of the 3 comparisons can be decided"):
            start([HARDEST], [50], seeds=3, until_decided=True)
        with pytest.raises(BadInputError, match="precision is 0 points"):
            start([HARDEST], [50], until_decided=True, precision=0)
    home = run.context.settings.home_folder
    common = ("prove", run.id, "--policies", "class_balanced", "--fractions", "50", "--no-wait")
    queued = tiny_runs.inside(*common, "--until-decided", "--seeds", "6", "--precision", "1", home=home)
    assert queued.returncode == 0 and "at most 18 trainings" in queued.stdout
    (proof,) = run.proofs.list()
    assert (proof.until_decided, proof.seeds) == (1.0, 6)
    printed = tiny_runs.inside("proof", proof.id, home=home).stdout
    assert "1 of at most 18 trainings" in printed and "may be looked at at any time" in printed
    refused = tiny_runs.inside(*common, "--precision", "1", home=home)
    assert refused.returncode == 2 and "--precision belongs to --until-decided" in refused.stderr


def test_a_proof_does_not_wait_for_the_worker_that_trains_for_it(run: Run) -> None:
    proof = run.proofs.start([HARDEST], [50], seeds=3)
    worker = WorkerSlot(run.context.settings)
    worker.set_task("another")
    delay = proof.progress().delay
    assert delay is not None and delay.words == "The worker is busy with another."
    worker.set_task(next(training.run_id for training in reversed(proof.trainings) if training.run_id != run.id))
    assert proof.progress().delay is None, "its own training is not said to be running yet"
    worker.release()


def test_the_chart_of_a_proof_goes_no_further_than_everything(run: Run) -> None:
    proof = run.proofs.start([Policy("decisions")], [50], seeds=3)
    finish(run, proof, CLEAR, range(3))
    most, least = proof.plot().layout.xaxis.range
    assert 100 < most < 102 and least < 100
