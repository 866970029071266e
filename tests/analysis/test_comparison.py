"""Two runs compared, points of a map and parts of an order, against plain sorting."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from diet_explorer import ExampleFilter, Run, Workspace
from diet_explorer.analysis.parts import part_of_order
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.training.config import RunConfig
from tests.synthetic import write_dataset, write_scores

ROWS, TRAIN = 300, 240
MAP_COLUMNS = ["id", "label", "predicted", "disagree", "correctness", "trajectory"]


@given(st.integers(0, 40), st.integers(1, 9), st.integers(0, 45), st.none() | st.integers(0, 45), st.integers(0, 999))
def test_a_part_of_an_order_is_a_slice_of_the_sorted_whole(rows, levels, offset, limit, seed):
    random = np.random.default_rng(seed)
    keys, mask = random.integers(0, levels, rows).astype(np.float32), random.random(rows) < random.random()
    kept = sorted(np.flatnonzero(mask).tolist(), key=lambda place: keys[place])
    assert part_of_order(keys, mask, offset, limit).tolist() == kept[offset : None if limit is None else offset + limit]


@given(
    st.sampled_from([2, 50, 10**6]),
    st.floats(0, 1),
    st.sampled_from([0.01, 0.4, 1]),
    st.booleans(),
    st.integers(0, 999),
)
def test_a_small_part_of_many_is_found_by_a_sample(levels, where, share, ordered, seed):
    random = np.random.default_rng(seed)
    keys = random.integers(0, levels, 30_000).astype(np.float32)
    keys, mask = np.sort(keys) if ordered else keys, random.random(30_000) < share
    kept = np.flatnonzero(mask)
    offset = int(where * len(kept))
    whole = kept[np.argsort(keys[kept], kind="stable")]
    assert part_of_order(keys, mask, offset, 50).tolist() == whole[offset : offset + 50].tolist()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("home"))
    random = np.random.default_rng(0)
    labels, splits = random.integers(0, 3, ROWS), ["train"] * TRAIN + ["test"] * (ROWS - TRAIN)
    manifest = write_dataset(workspace.context.files, [f"t{n}" for n in range(ROWS)], labels, ["a", "b", "c"], splits)
    runs, tables = [], {}
    for name in ("one", "two"):
        config = RunConfig(manifest.id, epochs=2, checkpoints=(1, 2), grand="off")
        runs.append(workspace.create_run(config, name=name, origin="job"))
        for point in (1.0, 2.0):
            logits = random.normal(size=(ROWS, 3))
            tables[name, point] = write_scores(workspace.context.files, manifest, runs[-1].id, 0, point, logits)
    return workspace, runs, tables


def test_the_examples_that_moved_most_come_first(made):
    _, (one, two), tables = made
    here, there = tables["one", 1.0][:TRAIN], tables["two", 2.0][:TRAIN]
    share = [100 * (1 - table["loss"].rank(ascending=False, method="first") / TRAIN) for table in (here, there)]
    expected = (share[1] - share[0]).to_frame("moved").assign(size=lambda table: -table["moved"].abs().round(4))
    expected = expected.sort_values(["size"], kind="stable")
    found = one.dynamics.compare(two, "loss", 1.0, 2.0, limit=None)
    np.testing.assert_allclose(found["moved"].abs(), -expected["size"], atol=1e-3)
    np.testing.assert_allclose(found.set_index("row")["moved"].sort_index(), expected["moved"].sort_index(), atol=1e-3)
    np.testing.assert_allclose(found["moved"], found["percentile_there"] - found["percentile_here"], atol=1e-4)
    assert found["here"].tolist() == here["loss"][found["row"]].tolist()
    assert found["there"].tolist() == there["loss"][found["row"]].tolist()
    part = one.dynamics.compare(two, "loss", 1.0, 2.0, where=ExampleFilter(labels=("b",)), limit=5, offset=5)
    assert part["row"].tolist() == found[found["label"] == "b"]["row"].tolist()[5:10]
    summary = one.dynamics.compare_summary(two, "loss", 1.0, 2.0)
    assert summary.examples == TRAIN
    assert summary.spearman == pytest.approx(spearmanr(here["loss"], there["loss"]).statistic, abs=1e-6)
    worst = [set(table["loss"].nlargest(24).index) for table in (here, there)]
    assert summary.overlap[0.1] == pytest.approx(len(worst[0] & worst[1]) / 24)


def test_only_runs_of_one_dataset_are_compared(made):
    workspace, (one, two), _ = made
    foreign = Run(workspace.context, two.id, replace(two.record, dataset_id="another"))
    with pytest.raises(BadInputError, match="are of different datasets"):
        one.dynamics.compare(foreign)


def test_a_sample_of_points_is_fixed_and_grows_when_zoomed(made):
    _, (one, _), _ = made
    ranking, every = one.ranking(2.0), ExampleFilter(splits=())
    whole = ranking.points("variability", "confidence", [], every, limit=ROWS)
    sample = ranking.points("variability", "confidence", ["split"], every, limit=60)
    assert len(whole) == ROWS and len(sample) == 60
    assert set(sample["row"]) <= set(whole["row"]) and sample["row"].is_monotonic_increasing
    box = (0.0, float(whole["x"].median()), 0.0, float(whole["y"].median()))
    inside = whole[(whole["x"] <= box[1]) & (whole["y"] <= box[3])]
    zoomed = ranking.points("variability", "confidence", [], every, limit=60, box=box)
    assert set(zoomed["row"]) <= set(inside["row"]) and len(zoomed) == min(60, len(inside))
    assert set(sample["row"]) & set(inside["row"]) <= set(zoomed["row"])  # what was seen stays
    grid = ranking.density("variability", "confidence", every, bins=(4, 4), box=box)
    assert grid["count"].sum() == len(inside)
    across = pd.cut(inside["x"], np.linspace(*box[:2], 5), labels=False, include_lowest=True)
    assert grid.groupby("x_bin")["count"].sum().to_dict() == across.value_counts().to_dict()
    drawn = one.dynamics.data_map(every, seed=0)
    assert list(drawn.columns) == ["row", "x", "y", *MAP_COLUMNS] and drawn["y"].tolist() == whole["y"].tolist()
    assert (
        one.dynamics.data_map(limit=60)["row"].tolist()
        == ranking.points("aum", "loss", [], ExampleFilter(), 60)["row"].tolist()
    )
    with pytest.raises(NotFoundError, match="no column 'nope'"):
        ranking.points("variability", "confidence", ["nope"], every, limit=5)
    with pytest.raises(NotFoundError, match="embedding map after training has not been drawn"):
        ranking.points("embedding-tuned.x", "embedding-tuned.y", [], every, limit=5)
