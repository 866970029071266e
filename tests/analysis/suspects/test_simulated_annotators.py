"""The annotators of the benchmark err as they are said to."""

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.simulated_annotators import ANNOTATORS, simulated


@pytest.fixture(scope="module")
def rated():
    random = np.random.default_rng(0)
    names = ("war", "love", "music", "space", "crime", "farce")
    topics = [[f"{name}{letter}" for letter in "abcdefgh"] for name in names]
    chosen = random.integers(0, 6, 1500)
    texts = [" ".join(random.choice(topics[topic], random.integers(2, 30))) for topic in chosen]
    mean, spread = random.uniform(-4, 4, 1500), random.uniform(0.3, 1.5, 1500)
    ids = [f"r{row}" for row in range(1500)]
    return pd.DataFrame({"id": ids, "text": texts, "human_mean": mean, "human_sd": spread})


@pytest.mark.parametrize("name", ANNOTATORS)
def test_labels_are_drawn_by_the_seed_and_partly_wrong(rated, name):
    drawn = simulated(rated, name, 1200, seed=1)
    assert drawn.equals(simulated(rated, name, 1200, seed=1)) and not drawn.equals(simulated(rated, name, 1200, seed=2))
    assert set(drawn["label"]) <= set(drawn["truth"]) and len(drawn) == 1200
    assert 0.03 < (drawn["label"] != drawn["truth"]).mean() < 0.35


def test_each_errs_in_its_own_way(rated):
    sets = {name: simulated(rated, name, 1500) for name in ANNOTATORS}
    wrong = {name: drawn["label"] != drawn["truth"] for name, drawn in sets.items()}
    words = sets["length-biased"]["text"].str.split().str.len()
    assert wrong["length-biased"][words > 20].mean() > 5 * wrong["length-biased"][words < 10].mean()
    topic = sets["topic-biased"]["text"].str[:3]
    shares = wrong["topic-biased"].groupby(topic).mean().sort_values()
    assert shares.iloc[-1] > 0.3 and shares.iloc[-2] < 0.12
    lazy = sets["one-lazy"][wrong["one-lazy"]]
    assert (lazy["label"] == "neutral").mean() > 0.7
    kind = sets["kind"][wrong["kind"]]
    better = {"negative": 0, "neutral": 1, "positive": 2}
    assert (kind["label"].map(better) > kind["truth"].map(better)).mean() > 0.7
    tired = sets["tired"]
    assert not ((tired["label"] == "negative") & (tired["truth"] == "positive")).any()
    mixed = sets["class-confusing"]
    assert (mixed[mixed["truth"] == "negative"]["label"] == "neutral").mean() == pytest.approx(0.23, abs=0.05)
