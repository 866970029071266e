"""Statistics, stability and warnings of a run, against pandas and scipy over the same score files."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from diet_explorer import Workspace
from diet_explorer.scoring.statistics import SHARES, TrainOrder, agreement
from diet_explorer.training.config import RunConfig
from tests.synthetic import write_dataset, write_scores


@given(st.integers(1, 80), st.integers(1, 40), st.integers(0, 999))
def test_agreement_is_scipys_and_the_overlap_of_sets(rows, levels, seed):
    random = np.random.default_rng(seed)
    first, second = random.integers(0, levels, rows) / 8, random.normal(size=rows)
    orders = []
    for values in (first, second):
        ranks = pd.Series(values).rank(method="first").to_numpy(np.int32)
        orders.append(TrainOrder.of(values, ranks))
        assert orders[-1].averages.tolist() == pd.Series(values).rank().tolist()
    spearman, *overlaps = agreement(*orders)
    if rows > 1 and len(set(first)) > 1:
        assert spearman == pytest.approx(spearmanr(first, second).statistic, abs=1e-9)
    else:
        assert spearman is None
    for share, overlap in zip(SHARES, overlaps, strict=True):
        size = max(1, round(share * rows))
        worst = [set(np.argsort(values, kind="stable")[:size]) for values in (first, second)]
        assert overlap == pytest.approx(len(worst[0] & worst[1]) / size)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of two seeds: at epoch 0.5 noise, at 1 learned, at 2 learned by heart; class c is hardly learned."""
    workspace = Workspace(tmp_path_factory.mktemp("home"))
    random = np.random.default_rng(0)
    labels = np.r_[random.integers(0, 2, 500), np.full(60, 2), random.integers(0, 3, 40)]
    splits = ["train"] * 560 + ["test"] * 40
    manifest = write_dataset(workspace.context.files, [f"t{n}" for n in range(600)], labels, ["a", "b", "c"], splits)
    config = RunConfig(manifest.id, epochs=2, seeds=2, checkpoints=(0.5, 1, 2), grand="off")
    run = workspace.create_run(config, name="r", origin="job")
    hardness = random.normal(0, 1, 600)
    tables = {}
    for seed in range(2):
        for point in (0.5, 1.0, 2.0):
            logits = random.normal(0, 1 if point == 0.5 else 0.1, (600, 3))
            learned = {0.5: 0 * hardness, 1.0: 1.5 - hardness - 2 * (labels == 2), 2.0: 9 + random.normal(0, 1, 600)}
            logits[np.arange(600), labels] += learned[point]
            tables[seed, point] = write_scores(workspace.context.files, manifest, run.id, seed, point, logits)
    return workspace, run, tables


def test_statistics_are_pandas_over_the_score_files(made):
    workspace, run, tables = made
    frame = tables[0, 1.0].assign(label=lambda table: table["label"].map({0: "a", 1: "b", 2: "c"}))
    found = run.dynamics.statistics(1.0, 0)
    assert found.train_accuracy == pytest.approx((tables[0, 1.0]["predicted"] == tables[0, 1.0]["label"])[:560].mean())
    loss = found.score("loss")
    for edges, counts in ((loss.edges, loss.counts), (loss.log_edges, loss.log_counts)):
        values = frame["loss"].clip(lower=edges[0]).astype(float)
        for (split, label), part in counts.groupby(["split", "label"]):
            here = values[(frame["split"] == split) & (frame["label"] == label)]
            expected = np.histogram(np.clip(here, edges[0], edges[-1]), np.r_[edges[:-1], np.inf])[0]
            assert np.abs(part["count"].to_numpy() - expected).sum() <= 2  # one value may round into the next bin
            assert part["count"].sum() == len(here)
    quantiles = loss.quantiles
    for (split, label), part in quantiles.groupby(["split", quantiles["label"].fillna("all")]):
        here = frame[(frame["split"] == split) & ((frame["label"] == label) | (label == "all"))]["loss"]
        np.testing.assert_allclose(part["value"], here.quantile(part["quantile"].tolist()), rtol=1e-5)
    train = frame[frame["split"] == "train"].sort_values(["loss", "id"], ascending=[False, True])
    balance = loss.top_balance.set_index(["split", "share", "label"])["count"]
    for share in SHARES:
        size = max(1, round(share * 560))
        for label, count in train[:size]["label"].value_counts().items():
            assert balance["train", share, label] == count
    before = loss.counts
    path = run.store.paths.statistics(0, 1.0)
    workspace.context.files.remove_file(path)
    pd.testing.assert_frame_equal(
        run.dynamics.statistics(1.0, 0).score("loss").counts, before
    )  # counted again where missing
    assert workspace.context.files.exists(path)


def test_stability_between_checkpoints_seeds_and_scores(made):
    _, run, tables = made
    train = {key: table[:560] for key, table in tables.items()}
    found = run.dynamics.stability("margin", 1)
    assert list(zip(found["first"], found["second"], strict=True)) == [(0.5, 1.0), (0.5, 2.0), (1.0, 2.0)]
    for entry in found.itertuples():
        first, second = train[1, entry.first]["margin"], train[1, entry.second]["margin"]
        assert entry.spearman == pytest.approx(spearmanr(first, second).statistic, abs=1e-6)
        worst = [set(values.sort_values(kind="stable").index[:56]) for values in (first, second)]
        assert found.loc[entry.Index, "top_0.1"] == pytest.approx(len(worst[0] & worst[1]) / 56)
    (seeds,) = run.dynamics.seed_stability("loss", 1.0).itertuples()
    expected = spearmanr(train[0, 1.0]["loss"], train[1, 1.0]["loss"]).statistic
    assert (seeds.first, seeds.second, seeds.spearman) == (0, 1, pytest.approx(expected, abs=1e-6))
    pairs = run.dynamics.agreement(1.0, seed=0).set_index(["first", "second"])["spearman"]
    assert pairs["loss", "p_label"] == pytest.approx(1, abs=1e-6)  # both turned so that their worst end comes first
    expected = spearmanr(train[0, 1.0]["el2n"], train[0, 1.0]["entropy"]).statistic
    assert pairs["el2n", "entropy"] == pytest.approx(expected, abs=1e-6)


def test_warnings_give_reasons_with_numbers(made):
    _, run, _ = made
    early = {entry.kind: entry.words for entry in run.dynamics.warnings(0.5)}
    correlation = run.dynamics.stability("el2n").set_index(["first", "second"])["spearman"][0.5, 1.0]
    assert "Early: scores need about one epoch" in early["too early"]
    assert f"Spearman {correlation:.2f}, below 0.5" in early["too early"] and "class-skewed" not in early
    skewed = [entry for entry in run.dynamics.warnings(1.0, seed=0) if entry.kind == "class-skewed"]
    share = run.dynamics.statistics(1.0, 0).score("el2n").top_balance.set_index(["split", "share", "label"])["count"]
    here = share["train", 0.1, "c"] / 56
    assert f"“c” makes up {here:.1%} of the worst 10% by EL2N, but 10.7% of" in " ".join(e.words for e in skewed)
    late = {entry.kind: entry.words for entry in run.dynamics.warnings(2.0)}
    assert "100.0% of the training examples right" in late["collapsed"]
    assert (
        "differs more between seeds" in {entry.kind: entry.words for entry in run.dynamics.warnings(0.5)}["collapsed"]
    )
    kinds = {score: [entry.kind for entry in run.dynamics.warnings(2.0, 0, score)] for score in ("el2n", "confidence")}
    assert "collapsed" in kinds["el2n"] and "collapsed" not in kinds["confidence"]  # a mean outlives the training's end


def test_trajectories_are_counted_by_class(made):
    _, run, tables = made
    right = {point: tables[0, point]["predicted"] == tables[0, point]["label"] for point in (0.5, 1.0, 2.0)}
    found = run.dynamics.trajectories(0).set_index(["trajectory", "label"])["count"]
    assert found.sum() == 560
    early = right[1.0] & right[2.0] & (tables[0, 1.0]["label"] == 2) & (tables[0, 1.0]["split"] == "train")
    assert found["learned early", "c"] == early.sum()
    never = ~right[0.5] & ~right[1.0] & ~right[2.0] & (tables[0, 1.0]["split"] == "train")
    assert found["never learned"].sum() == never.sum()
