"""The library's front door: estimates, measurement, runs without scores, long tables, versions."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diet_explorer import ExampleFilter, Workspace
from diet_explorer.errors import BadInputError, ModelError, NotFoundError, WorkspaceError
from diet_explorer.scoring.catalogue import PAPER_NAMES
from diet_explorer.scoring.progress import RunReports
from diet_explorer.scoring.seed_run import run_seed
from diet_explorer.store.scores import learning_rate_of
from diet_explorer.training.config import RunConfig
from tests.tiny_runs import save_sentences


@pytest.fixture(scope="module")
def made(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("library")
    workspace = Workspace(folder / "home")
    dataset = workspace.import_dataset(save_sentences(folder / "s.csv"), text="sentence", label="mood", id="key")
    config = RunConfig(
        dataset.id,
        model=str(model),
        epochs=1,
        seeds=2,
        checkpoints=(0, 1),
        batch_size=16,
        max_length=16,
    ).validated()
    run = workspace.create_run(config, name="by hand", origin="job")
    for seed in range(2):
        run_seed(
            workspace.context.files,
            folder / "scratch",
            RunReports(workspace.context.database, run.id),
            config,
            dataset.manifest,
            seed,
            should_stop=lambda: False,
        )
    return workspace, dataset, run


def test_the_estimate_counts_epochs_seeds_and_checkpoints(made):
    workspace, dataset, run = made
    one = workspace.estimate(dataset, replace(run.config, seeds=1))
    three = workspace.estimate(dataset, replace(run.config, seeds=3))
    assert three.seconds_training == pytest.approx(3 * one.seconds_training)
    assert three.seconds_scoring == pytest.approx(3 * one.seconds_scoring)
    assert one.steps == 4 and not one.measured and "tokens" in one.basis
    more = workspace.estimate(dataset, replace(run.config, seeds=1, checkpoints=(0, 0.5, 1)))
    assert more.seconds_scoring == pytest.approx(1.5 * one.seconds_scoring)
    choices = workspace.estimates(dataset, run.config)
    assert choices["off"].seconds_scoring < choices["head"].seconds_scoring < choices["all"].seconds_scoring


def test_a_measurement_replaces_the_assumption(made):
    workspace, dataset, run = made
    measured = workspace.measure(dataset, run.config)
    assert set(measured) == {"all", "head", "off"}
    for choice in measured.values():
        assert choice.measured and choice.seconds_training > 0 and choice.seconds_scoring > 0
    assert workspace.estimate(dataset, run.config) == measured["all"]
    assert not workspace.estimate(dataset, replace(run.config, batch_size=8)).measured
    with pytest.raises(ModelError, match="no model folder"):
        workspace.measure(dataset, replace(run.config, model="/nowhere"))


def test_the_long_table_has_every_example_seed_and_checkpoint(made, tmp_path, monkeypatch):
    _, dataset, run = made
    frame = run.scores()
    assert len(frame) == dataset.rows * 2 * 2
    assert not frame.duplicated(["id", "seed", "checkpoint"]).any()
    assert list(frame.columns[:6]) == ["id", "split", "seed", "checkpoint", "label", "predicted"]
    assert set(frame["label"]) == {"good", "bad"}
    readers = {"parquet": pd.read_parquet, "csv": pd.read_csv, "jsonl": lambda path: pd.read_json(path, lines=True)}
    for ending, read in readers.items():
        path = run.export_scores(tmp_path / f"scores.{ending}")
        pd.testing.assert_frame_equal(read(path), frame, check_dtype=False, rtol=1e-6)
    with pytest.raises(BadInputError, match=r"ending of 'scores\.xls' is not known"):
        run.export_scores(tmp_path / "scores.xls")
    with pytest.raises(WorkspaceError):
        run.export_scores("/proc/nowhere/scores.csv")
    monkeypatch.chdir(tmp_path)
    for export in (
        run.export_scores,
        run.dynamics.export_cartography,
        dataset.export_decisions,
        lambda target: run.review.send_to("csv", target),
    ):
        with pytest.raises(BadInputError, match="is an address"):
            export("s3://bucket/scores.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.csv", "scores.jsonl", "scores.parquet"]


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.ranked(checkpoint="last"),
        lambda run: run.score_names(checkpoint=[1]),
        lambda run: run.audit.suspects(checkpoint="last"),
        lambda run: run.dynamics.compare(run, other_checkpoint="last"),
    ],
)
def test_a_checkpoint_that_is_no_number_is_refused_with_those_there_are(made, call):
    _, _, run = made
    with pytest.raises(BadInputError, match="is no number of epochs") as caught:
        call(run)
    assert caught.value.remedy == f"Recorded checkpoints: {', '.join(f'{point:g}' for point in run.checkpoints())}."


def test_agreement_of_the_gradient_scores(made):
    _, _, run = made
    found = run.dynamics.agreement(1.0, names=PAPER_NAMES)
    assert list(zip(found["first"], found["second"], strict=True)) == [
        ("el2n", "grand"),
        ("el2n", "grand_head"),
        ("grand", "grand_head"),
    ]
    assert found["spearman"].between(-1, 1).all()
    whole = run.ranked(limit=None, checkpoint=1.0)
    expected = whole["el2n"].rank().corr(whole["grand"].rank())
    assert found["spearman"][0] == pytest.approx(expected)


def test_the_learning_rate_of_the_step_before_gives_self_influence(made):
    _, _, run = made
    assert learning_rate_of(run.store.read_scores(0, 0.0, ["row"])) is None
    rate = learning_rate_of(run.store.read_scores(0, 1.0, ["row"]))
    assert rate == pytest.approx(run.config.learning_rate / 4)  # linear decay: the last of four steps has a quarter
    page = run.ranked("self_influence", 1.0, seed=0, limit=None)
    assert page["self_influence"].to_numpy() == pytest.approx(rate * page["grand_head"].to_numpy() ** 2, rel=1e-5)
    assert "self_influence" not in run.score_names(0.0)


def test_where_an_example_pulls_adds_up(made):
    _, _, run = made
    card = run.card(3)
    assert {"embeddings", "layer 0", "layer 1", "head"} <= set(card.pulls(1.0))
    total = sum(value**2 for value in card.pulls(1.0, seed=1).values()) ** 0.5
    recorded = card.trajectories.query("seed == 1 and checkpoint == 1")["grand"].iloc[0]
    assert total == pytest.approx(recorded, rel=1e-5)


def test_a_run_without_scores_says_so(made):
    workspace, _, run = made
    empty = workspace.create_run(run.config, name="empty", origin="job")
    with pytest.raises(NotFoundError, match="has no scores yet"):
        empty.ranked()
    assert empty.checkpoints() == [] and empty.landed() == {} and empty.progress().share == 0
    assert empty.card(0).trajectories.empty
    with pytest.raises(NotFoundError, match="no run 'nope'"):
        workspace.run("nope")
    with pytest.raises(NotFoundError, match="no dataset 'nope'"):
        workspace.dataset("nope")


def test_classes_and_ids_that_are_numbers_may_be_given_as_numbers(tmp_path):
    frame = pd.DataFrame({"key": [7, 8, 9, 10], "text": list("abcd"), "stars": [1, 5, 1, 5]})
    frame.to_csv(tmp_path / "s.csv", index=False)
    workspace = Workspace(tmp_path / "home")
    dataset = workspace.import_dataset(tmp_path / "s.csv", text="text", label="stars", id="key")
    assert dataset.rows_of(frame["key"][2:]).tolist() == [2, 3]
    with pytest.raises(NotFoundError, match="no example '6'"):
        dataset.rows_of([6])
    assert dataset.decide([0], "relabel", label=5, annotator="ann").label == "5"
    assert dataset.decide([1, 2], "relabel", label=np.array([1, 5]), annotator="ann").rows.tolist() == [1, 2]
    run = workspace.record(dataset, np.eye(2)[[0, 0, 1, 1]], kind="probabilities")
    assert run.ranked(where=ExampleFilter(labels=1, ids=(7, 8)))["id"].tolist() == ["7"]
    for which in ("tuned", "initial"):
        with pytest.raises(BadInputError, match="was imported: its model"):
            run.maps.draw(which)


def test_every_setting_is_checked_before_anything_is_queued(made):
    workspace, dataset, _ = made
    before = len(workspace.runs())
    for settings in ({"epochs": 0}, {"model": "/nowhere"}, {"model": None}, {"grand": "some"}, {"checkpoints": (9,)}):
        with pytest.raises(BadInputError):
            workspace.score(dataset, **settings)
    assert len(workspace.runs()) == before


def test_a_run_that_cannot_be_queued_does_not_wait_for_ever(made, tmp_path):
    workspace, dataset, run = made
    away = Workspace(workspace.settings.home, jobs_url="postgresql://me@127.0.0.1:1/jobs")
    with pytest.raises(WorkspaceError):
        away.score(dataset, model=run.config.model, epochs=1)
    assert workspace.runs()[0].status == "failed" and workspace.runs()[0].remedy


def test_a_newer_workspace_is_refused(tmp_path):
    Workspace(tmp_path)
    (tmp_path / "workspace.json").write_text(json.dumps({"version": 99}))
    with pytest.raises(WorkspaceError, match="made by a newer version") as caught:
        Workspace(tmp_path)
    assert "Upgrade" in caught.value.remedy


def test_a_workspace_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(WorkspaceError, match="Cannot create"):
        Workspace(tmp_path / "file" / "home")


def test_files_may_lie_elsewhere(tmp_path, model, monkeypatch):
    """Datasets and scores in another fsspec location, databases on this machine."""
    monkeypatch.setenv("DIET_EXPLORER_SCRATCH", str(tmp_path / "scratch"))
    workspace = Workspace(f"memory://elsewhere-{tmp_path.name}")
    dataset = workspace.import_dataset(save_sentences(tmp_path / "s.csv"), text="sentence", label="mood")
    config = RunConfig(
        dataset.id, model=str(model), epochs=1, checkpoints=(1,), max_length=16, grand="head"
    ).validated()
    run = workspace.create_run(config, name="far", origin="job")
    reports = RunReports(workspace.context.database, run.id)
    run_seed(workspace.context.files, tmp_path / "s", reports, config, dataset.manifest, 0, should_stop=lambda: False)
    assert len(run.ranked(limit=None)) == 60
    assert [entry["event"] for entry in run.log()].count("checkpoint") == 1
    assert not Path("memory:").exists()
