"""Lists of what a filter keeps: equal to sorting everything, and read from a few buckets whatever the size."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.analysis import listing as listing_module
from diet_explorer.analysis.filters import ExampleFilter, ScoreRange
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.data.example_order import read_example_order
from diet_explorer.scoring import catalogue, rank_order
from diet_explorer.scoring.rankings import rank_checkpoint
from diet_explorer.store.files import Files
from diet_explorer.store.scores import ScoreFiles
from tests.synthetic import made_up_scores, write_dataset

ROWS, CLASSES = 700, ["a", "b", "c"]


@pytest.fixture(scope="module", params=["all rows", "a part of them"])
def made(tmp_path_factory, request):
    """The files, the set, and who decided what about it; all of its examples have scores, or two thirds."""
    files, random = Files(tmp_path_factory.mktemp("workspace")), np.random.default_rng(0)
    splits = np.where(random.random(ROWS) < 0.7, "train", "test")
    ids = [f"e{number:05d}" for number in random.permutation(ROWS)]
    manifest = write_dataset(
        files, [f"text {n}" for n in range(ROWS)], random.integers(0, 3, ROWS), CLASSES, splits, ids=ids
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rank_order, "BUCKET", 16)
        for seed in (0, 1):
            for point in (0.0, 1.0, 2.0):
                logits = np.round(random.normal(0, 2, (ROWS, 3)), 1)  # so that there are ties
                table = made_up_scores(files, manifest, seed, point, logits)
                if request.param != "all rows":
                    table = table.filter(pa.array(np.arange(ROWS) % 3 > 0))
                store = ScoreFiles(files, "r")
                store.write_scores(seed, point, table)
                rank_checkpoint(store, read_example_order(files, manifest.id), seed, point, table)
    decided = np.sort(random.choice(ROWS, 120, replace=False))
    states = random.choice(np.array(["keep", "exclude", "unsure", None], dtype=object), 120)
    columns = {"row": pa.array(decided, pa.int32()), "state": pa.array(states, pa.string())}
    table = pa.table({**columns, "flagged": pa.array([False] * 120)})
    return files, manifest, SimpleNamespace(table=lambda: table, table_of=lambda _: table)


def ranking(made, checkpoint=2.0):
    files, manifest, ledger = made
    return Ranking(ScoreFiles(files, "r"), manifest, checkpoint, None, decisions=ledger)


def sorted_slowly(made, by, where):
    """All examples of a filter by sorting every value, ties by id in one split and by row over several."""
    columns = ranking(made).columns
    frame = pd.DataFrame({"row": columns.examples, "value": columns.score(by), "tie": columns.order.tie})
    frame["key"] = -frame["value"] if catalogue.score(by).worst == "high" else frame["value"]
    kept = frame[where.keeps(columns)]
    return kept.sort_values(["key", "tie" if len(where.splits) == 1 else "row"])


ranges = st.builds(
    ScoreRange,
    st.sampled_from(["el2n", "margin", "forgetting"]),
    st.none() | st.sampled_from([0.0, 0.25, 0.5]),
    st.none() | st.sampled_from([0.5, 1.0, 1.2]),
)
filters = st.builds(
    ExampleFilter,
    splits=st.sampled_from([("train",), ("test",), ("none",), (), ("train", "test")]),
    labels=st.sampled_from([(), ("a",), ("a", "c")]),
    predicted=st.sampled_from([(), (), ("b",)]),
    disagree=st.sampled_from([None, True, False]),
    decided=st.sampled_from([(), (), ("undecided",), ("keep", "undecided"), ("exclude",)]),
    scores=st.lists(ranges, max_size=2).map(tuple),
)


@given(
    filters,
    st.sampled_from(["el2n", "margin", "forgetting", "correctness"]),
    st.integers(0, ROWS),
    st.integers(0, 60),
    st.sampled_from([8, 10**6]),
    st.integers(0, ROWS - 1),
)
def test_any_part_of_any_list_is_that_of_sorting_everything(made, where, by, offset, limit, few, row):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing_module, "_FEW", few)
        slow, found = sorted_slowly(made, by, where), ranking(made).listing(by, where)
        rows = slow["row"].tolist()
        assert found.size == ranking(made).count(where) == len(rows)
        examples = ranking(made).columns.examples
        assert examples[found.part(offset, limit)].tolist() == rows[offset : offset + limit]
        assert ranking(made).ordered(by, where).tolist() == rows
        assert ranking(made).position(row, by, where) == (rows.index(row) if row in rows else None)
    bars = found.histogram(12)
    if not rows:
        assert bars.empty
        return
    values = slow["value"].to_numpy(np.float64)
    low, width = values.min(), (values.max() - values.min()) / 12 or 1.0
    bins = np.clip((values - low) / width, 0, 11).astype(int)
    assert bars["count"].tolist() == np.bincount(bins, minlength=12).tolist()
    assert bars["left"].tolist() == (low + width * np.arange(12)).tolist()


@pytest.mark.parametrize(
    "where", [ExampleFilter(), ExampleFilter(labels=("a",), predicted=("b",)), ExampleFilter(ids=("x",))]
)
def test_batches_are_the_whole_list_in_parts(made, where):
    whole = ranking(made).page("margin", where, None)
    parts = list(ranking(made).batches("margin", where, size=64))
    assert all(len(part) <= 64 for part in parts)
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)
