"""Ranks, pages, histograms, percentiles and cards on known numbers."""

import tempfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from diet_explorer.analysis.card import load_card
from diet_explorer.analysis.filters import ExampleFilter, MetadataRange, MetadataValue
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.data.example_order import ExampleOrder
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.scoring import rank_order
from diet_explorer.store.files import Files
from diet_explorer.store.queries import Queries
from diet_explorer.store.scores import ScoreFiles
from tests.synthetic import write_dataset, write_scores


@given(
    hnp.arrays(np.float32, st.integers(1, 30), elements=st.sampled_from([0.0, 0.5, 1.0, -2.0])),
    st.integers(0, 99),
    st.sampled_from(["high", "low"]),
)
def test_ranks_are_pandas_ranks_with_ties_by_id(values, seed, worst):
    random = np.random.default_rng(seed)
    splits = random.integers(0, 3, len(values))
    tie = random.permutation(len(values) + 5)[: len(values)].astype(np.int32)
    order = ExampleOrder(tie, splits.astype(np.int8), ("train", "validation", "test"))
    frame = pd.DataFrame({"value": -values if worst == "high" else values, "split": splits, "tie": tie})
    expected = frame.sort_values(["value", "tie"]).groupby("split").cumcount().sort_index() + 1
    name = "el2n" if worst == "high" else "margin"
    columns = {name: values, "label": np.zeros(len(values), np.int32), "predicted": np.zeros(len(values), np.int32)}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rank_order, "BUCKET", 4)
        store = ScoreFiles(Files(folder), "r")
        rows = np.arange(len(values))
        made = {"row": rows, **columns}
        store.write_ranking(0, 1.0, made, (), lambda: rank_order.orders_of(columns, [name], order, 1))
        found = rank_order.RankOrder.of(store.read_ranking(0, 1.0), name, order)
    assert found.ranks().tolist() == expected.tolist()
    assert found.ranks_at(rows, splits).tolist() == expected.tolist()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    files = Files(tmp_path_factory.mktemp("workspace"))
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    splits = np.where(np.arange(200) < 150, "train", "test")
    manifest = write_dataset(files, [f"text {n}" for n in range(200)], labels, ["a", "b", "c"], splits)
    frames = {
        (seed, point): write_scores(files, manifest, "r", seed, point, random.normal(0, 2, (200, 3)))
        for point in (0.0, 0.5, 1.0)
        for seed in (0, 1, 2)
        if (seed, point) != (2, 1.0)
    }
    return files, manifest, frames


def ranking(made, checkpoint=1.0, seed=None):
    files, manifest, _ = made
    return Ranking(ScoreFiles(files, "r"), manifest, checkpoint, seed)


def test_the_mean_ranking_takes_the_seeds_that_have_landed(made):
    _, _, frames = made
    for point, seeds in ((0.5, (0, 1, 2)), (1.0, (0, 1))):
        page = ranking(made, point).page("el2n", ExampleFilter(splits=()), limit=None).set_index("row").sort_index()
        stacked = np.stack([frames[seed, point]["el2n"].to_numpy(np.float64) for seed in seeds])
        np.testing.assert_allclose(page["el2n"], stacked.mean(0), rtol=1e-6)
        np.testing.assert_allclose(page["el2n_std"], stacked.std(0), rtol=1e-5, atol=1e-7)
        logits = [np.stack(frames[seed, point]["logits"]).astype(float) for seed in seeds]
        shares = [np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in logits]
        predicted = np.mean(shares, axis=0).argmax(1)
        assert page["predicted"].tolist() == [["a", "b", "c"][code] for code in predicted]


def test_a_page_is_a_slice_of_the_whole_ranking(made):
    whole = ranking(made, seed=1).page("loss", ExampleFilter(), limit=None)
    assert whole["rank"].tolist() == list(range(1, 151))
    assert (whole["loss"].diff().dropna() <= 0).all()
    part = ranking(made, seed=1).page("loss", ExampleFilter(), limit=50, offset=100)
    pd.testing.assert_frame_equal(part, whole[100:].reset_index(drop=True))


def test_percentiles_count_the_less_suspicious(made):
    whole = ranking(made).page("margin", ExampleFilter(), limit=None)
    worst, best = int(whole["row"].iloc[0]), int(whole["row"].iloc[-1])
    assert ranking(made).percentiles(worst)["margin"] == pytest.approx(100 * 149 / 150)
    assert ranking(made).percentiles(best)["margin"] == 0.0


def test_missing_things_are_named(made):
    with pytest.raises(NotFoundError, match=r"no scores at checkpoint 7\. Recorded checkpoints: 0, 0\.5, 1"):
        ranking(made, 7)
    with pytest.raises(NotFoundError, match="no scores for seed 2 at checkpoint 1"):
        ranking(made, 1.0, 2)
    with pytest.raises(NotFoundError, match=r"did not record GraNd\. It recorded: el2n"):
        ranking(made).page("grand", ExampleFilter(), 50)
    with pytest.raises(NotFoundError, match=r"no class 'd'\. Its classes: a, b, c"):
        ranking(made).count(ExampleFilter(labels=("d",)))
    with pytest.raises(NotFoundError, match="no further column 'year'"):
        ranking(made).count(ExampleFilter(values=(MetadataValue("year", "1"),)))


def test_a_range_over_words_is_refused(tmp_path):
    files = Files(tmp_path)
    manifest = write_dataset(files, ["a", "b"], [0, 1], ["x", "y"], metadata={"who": pa.array(["me", "you"])})
    write_scores(files, manifest, "r", 0, 1.0, np.eye(2))
    with pytest.raises(BadInputError, match="'who' holds neither numbers nor times"):
        Ranking(ScoreFiles(files, "r"), manifest, 1.0, None).count(
            ExampleFilter(metadata=(MetadataRange("who", 0, 1),))
        )


def test_a_card_holds_every_seed_and_checkpoint(made):
    files, manifest, frames = made
    card = load_card(Queries(files), ScoreFiles(files, "r"), manifest, 17)
    assert (card.id, card.text, card.split) == ("e00017", "text 17", "train")
    assert len(card.trajectories) == len(frames)
    for entry in card.trajectories.itertuples():
        assert entry.el2n == frames[entry.seed, entry.checkpoint]["el2n"][17]
    shares = [
        np.exp(z) / np.exp(z).sum() for z in (np.asarray(frames[s, 0.5]["logits"][17], dtype=float) for s in (0, 1, 2))
    ]
    assert list(card.probabilities(0.5).values()) == pytest.approx(np.mean(shares, 0).tolist())
    assert list(card.probabilities(0.5, seed=1).values()) == pytest.approx(shares[1].tolist())
    with pytest.raises(NotFoundError, match="no row 999"):
        load_card(Queries(files), ScoreFiles(files, "r"), manifest, 999)


def test_columns_whose_names_differ_in_case_only_and_in_dots(tmp_path):
    names = ["Source", "source", "SOURCE", "a", "a.b", 'q"uo`te', "x:y", ""]
    metadata = {name: pa.array([f"{number} first", f"{number} second"]) for number, name in enumerate(names)}
    metadata["n"], metadata["N"] = pa.array([2**60 + 1, 2**60 + 2]), pa.array([5, 6])
    files = Files(tmp_path)
    manifest = write_dataset(files, ["a", "b"], [0, 1], ["x", "y"], metadata=metadata)
    write_scores(files, manifest, "r", 0, 1.0, np.eye(2))
    ranking = Ranking(ScoreFiles(files, "r"), manifest, 1.0, None)
    for number, name in enumerate(names):
        for row, which in enumerate(("first", "second")):
            asked = ExampleFilter(values=(MetadataValue(name, f"{number} {which}"),))
            assert ranking.rows(ExampleFilter.from_query(asked.to_query())).tolist() == [row], name
    for name, low, row in (("n", 2**60 + 2, 1), ("N", 6, 1)):
        asked = ExampleFilter(metadata=(MetadataRange(name, low, low),))
        assert ranking.rows(ExampleFilter.from_query(asked.to_query())).tolist() == [row]
    card = load_card(Queries(files), ScoreFiles(files, "r"), manifest, 1)
    assert card.metadata == {name: values[1].as_py() for name, values in metadata.items()}
