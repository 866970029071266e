"""A small proof with a real worker: reuse, equal steps, cancel and resume, hold-out."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from diet_explorer.errors import BadInputError, JobCancelledError, NotFoundError
from diet_explorer.jobs.slots import living_workers
from diet_explorer.pruning.policies import Policy
from diet_explorer.store.rows import RunRows
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests import tiny_runs
from tests.gate import Gate
from tests.waiting import until

SETTINGS = {"epochs": 2, "checkpoints": (1, 2), "batch_size": 16, "max_length": 16, "grand": "off"}
TRAIN, TEST = 60, 30
LONGEST = 500  # seconds; for machines that have much else to do
BALANCED = Policy("class_balanced", checkpoint=1)  # the tiny model learns little, and its hardest half is one class


@pytest.fixture
def scored(workspace: Workspace, tmp_path: Path, model: Path, launch: Callable[..., object]) -> Run:
    """A run with three seeds on a set that has a test split."""
    source = tiny_runs.save_sentences(tmp_path / "sentences.csv", TRAIN + TEST)
    rows = list(csv.DictReader(source.open(encoding="utf-8")))
    frame = pd.DataFrame(rows).assign(part=["train"] * TRAIN + ["test"] * TEST)
    frame.to_csv(source, index=False)
    dataset = workspace.import_dataset(source, text="sentence", label="mood", id="key", split="part")
    launch("worker", home=workspace.settings.home_folder)
    return tiny_runs.queue(workspace, dataset.id, model, SETTINGS, seeds=3).wait(LONGEST)


def test_a_proof_from_beginning_to_end(workspace: Workspace, scored: Run, gate: Gate) -> None:
    wrong = scored.dataset.examples([7])["label"][0]
    new = next(name for name in scored.dataset.classes if name != wrong)
    scored.dataset.decide([7], "relabel", annotator="ann", label=new)
    gate.close("steps")
    proof = scored.proofs.start([BALANCED, Policy("decisions")], [50], seeds=3)
    kept = scored.pruning.plan(BALANCED.at_fraction(50)).rows
    assert [(variant.kind, variant.size) for variant in proof.variants] == [
        ("full", TRAIN), ("random", len(kept)), ("policy", len(kept)), ("policy", TRAIN),
    ]  # fmt: skip
    assert {training.run_id for training in proof.trainings if training.variant == 0} == {
        scored.id
    }  # nothing is trained twice
    proof.cancel()
    assert proof.progress().status == "cancelled"
    with pytest.raises(JobCancelledError, match="--resume"):
        proof.wait(60)
    one = proof.trainings[1]
    proof.resume(one)
    gate.open("steps")
    until(lambda: workspace.run(one.run_id).status == "succeeded", "the first training ended", LONGEST)
    assert proof.progress().done >= 4
    proof.resume().wait(LONGEST)

    again = workspace.proof(proof.id)
    assert [entry.status for entry in again.progress().trainings] == ["succeeded"] * 12
    pd.testing.assert_frame_equal(again.table(), proof.table())
    steps = -(-TRAIN // 16) * 2
    drawn = []
    for training in proof.trainings:
        run, variant = workspace.run(training.run_id), proof.variants[training.variant]
        run.wait(LONGEST)  # a proof is done with its last result, a moment before the training has said so
        (progress,) = (entry for entry in run.progress().seeds if entry.seed == training.seed)
        assert progress.step == progress.total_steps == steps == proof.steps
        scores = pq.read_table(run.store.paths.scores(training.seed, 2.0)).to_pandas()
        scores = scores[scored.dataset.examples(scores["row"].tolist())["split"].to_numpy() == "test"]
        assert len(scores) == TEST == proof.evaluated
        figures = proof.results()[training.variant][training.seed]
        assert figures.accuracy == pytest.approx((scores["label"] == scores["predicted"]).mean())
        assert figures.loss == pytest.approx(scores["loss"].astype(float).mean(), rel=1e-6)
        if variant.kind != "full":
            rows, labels = RunRows(workspace.context.files, run.id).read_training(training.seed)
            assert len(set(rows)) == variant.size and rows.max() < TRAIN
            given = scored.dataset.examples(rows.tolist())["label"].map(scored.dataset.classes.index)
            changed = set(rows[labels != given.to_numpy()])
            assert changed == ({7} & set(rows) if variant.kind == "policy" else set())
            drawn += [frozenset(rows)] if variant.kind == "random" else []
    assert len(set(drawn)) == 3  # another subset for each seed
    rows, _ = RunRows(workspace.context.files, proof.trainings[2].run_id).read_training(0)
    assert rows.tolist() == kept.tolist()

    before = {run.id for run in scored.children("proof")}
    assert len(before) == 9 and scored.id in {run.id for run in workspace.runs()}
    assert before.isdisjoint(run.id for run in workspace.runs())
    same = scored.proofs.start([BALANCED], [50], seeds=3)
    assert same.progress().status == "succeeded"
    more = scored.proofs.start([BALANCED], [50], seeds=4)
    more.cancel()
    assert len(scored.children("proof")) == len(before) + 3
    assert more.progress().done >= 9
    assert "3 of 4 seeds so far" in more.verdicts()[2] or more.table()["seeds"][2] == 4
    assert [entry.id for entry in scored.proofs.list()] == [more.id, same.id, proof.id]
    home = workspace.settings.home_folder
    facts = json.loads(tiny_runs.inside("proof", proof.id, "--json", home=home).stdout)
    assert (facts["status"], facts["done"], facts["arms"][0]["vs_random"]) == ("succeeded", 12, None)
    assert [arm["verdict"] for arm in facts["arms"]] == proof.verdicts()
    printed = tiny_runs.inside(
        "prove", scored.id, "--policies", "class_balanced:checkpoint=1", "--fractions", "50", home=home
    )
    assert printed.returncode == 0 and proof.verdicts()[2] in printed.stdout
    refused = tiny_runs.inside("prove", scored.id, "--policies", "hardest", "--seeds", "2", home=home)
    assert refused.returncode == 2 and "number of seeds is 2" in refused.stderr
    with pytest.raises(NotFoundError, match=r"no scores at checkpoint 0\.5"):
        scored.proofs.start([Policy("hardest", checkpoint=0.5)], [50])


def test_without_a_test_split_a_part_is_held_out(
    workspace: Workspace, sentences: Path, model: Path, launch: Callable[..., object]
) -> None:
    dataset = workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
    run = tiny_runs.queue(workspace, dataset.id, model, SETTINGS)
    with pytest.raises(BadInputError, match=r"no test split.*--hold-out 20"):
        run.proofs.start([BALANCED], [50])
    run.cancel()
    with pytest.raises(BadInputError, match="hold-out is 1 %"):
        run.proofs.hold_out(1)
    held = run.proofs.hold_out(25)
    assert held.id in {entry.id for entry in workspace.runs()}
    rows = RunRows(workspace.context.files, held.id)
    held_out = rows.read_held_out()
    labels = dataset.examples()["label"].to_numpy()
    for name in dataset.classes:
        assert abs((labels[held_out] == name).sum() - (labels == name).sum() / 4) < 1
    learned, _ = rows.read_training(0)
    assert sorted([*learned, *held_out]) == list(range(60))
    with pytest.raises(BadInputError, match="whole training split"):
        held.proofs.hold_out()

    launch("worker", home=workspace.settings.home_folder)
    held.wait(LONGEST)
    assert set(held.ranked(limit=None)["row"]) == set(learned)
    proof = held.proofs.start([BALANCED], [40], seeds=3)
    assert (proof.evaluated_on, proof.evaluated) == ("held out", len(held_out))
    kept = held.pruning.plan(BALANCED.at_fraction(40)).rows
    assert [variant.size for variant in proof.variants] == [len(learned), len(kept), len(kept)]
    assert kept.tolist() == RunRows(workspace.context.files, proof.trainings[2].run_id).read_training(0)[0].tolist()
    for training in proof.trainings:
        lists = RunRows(workspace.context.files, training.run_id)
        assert np.isin(lists.read_training(training.seed)[0], learned).all()
        assert lists.read_scored().tolist() == held_out.tolist()
    proof.cancel()


def test_a_proof_that_decides_leaves_out_the_rest_also_after_a_kill(
    workspace: Workspace, scored: Run, gate: Gate, launch: Callable[..., object]
) -> None:
    random = [Policy("random", keep=50)]
    gate.close("trainings", after=6)  # the worker has made three for the run, and makes those of random for its seeds
    # known to ± 90 points as soon as there is an interval at all, after four seeds
    proof = scored.proofs.start(random, seeds=6, until_decided=True, precision=90)
    assert [entry.run_id == scored.id for entry in proof.trainings] == [True, False] * 3 + [False] * 6
    gate.reached("trainings")
    assert proof.progress().describe() == "6 of at most 12 trainings"
    (worker,) = living_workers(workspace.settings)
    os.killpg(worker.pid, signal.SIGKILL)
    until(lambda: not living_workers(workspace.settings), "the worker is gone")
    gate.open("trainings")
    launch("worker", home=workspace.settings.home_folder)
    proof.wait(LONGEST)
    assert proof.progress().describe() == "8 of 8 trainings"
    assert "undecided" not in set(proof.table()["vs_full_decision"])
    left_out = [workspace.run(entry.run_id) for entry in proof.trainings[8:]]
    until(lambda: all(run.refresh().status == "cancelled" for run in left_out), "the others are left out", LONGEST)
    assert {run.log()[-1]["message"] for run in left_out} == {"Its proof has decided without it."}

    # what cannot be decided goes on to the bound, with what was left out before
    narrow = scored.proofs.start(random, seeds=5, until_decided=True, precision=0.001).wait(LONGEST)
    assert narrow.progress().describe() == "10 of 10 trainings"
    assert {entry.key for entry in narrow.trainings} < {entry.key for entry in proof.trainings}
