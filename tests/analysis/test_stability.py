"""Agreement of scores against scipy and sets."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from diet_explorer.analysis.stability import agreement


@given(st.integers(3, 80), st.integers(0, 999))
def test_agreement_is_scipys_and_the_overlap_of_sets(rows, seed):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"el2n": random.integers(0, 9, rows) / 8, "grand": random.normal(size=rows), "margin": random.normal(size=rows)}
    )
    found = agreement(frame, ["el2n", "grand", "margin"], shares=(0.1, 0.5)).set_index(["first", "second"])
    assert len(found) == 3
    turned = {"el2n": frame["el2n"], "grand": frame["grand"], "margin": -frame["margin"]}
    for (first, second), row in found.iterrows():
        if frame["el2n"].nunique() > 1 or "el2n" not in (first, second):
            assert row["spearman"] == pytest.approx(spearmanr(turned[first], turned[second]).statistic, abs=1e-9)
        for share in (0.1, 0.5):
            size = max(1, round(share * rows))
            tops = [
                set(turned[name].sort_values(ascending=False, kind="stable").index[:size]) for name in (first, second)
            ]
            assert row[f"top_{share:g}"] == pytest.approx(len(tops[0] & tops[1]) / size)


def test_a_score_agrees_with_itself_turned_around():
    values = np.random.default_rng(0).normal(size=200)
    frame = pd.DataFrame({"loss": values, "margin": -values, "entropy": -values})
    found = agreement(frame, ["loss", "margin", "entropy"]).set_index(["first", "second"])
    assert found.loc[("loss", "margin"), "spearman"] == pytest.approx(1)
    assert found.loc[("loss", "margin"), "top_0.01"] == 1
    assert found.loc[("loss", "entropy"), "spearman"] == pytest.approx(-1)
    assert found.loc[("loss", "entropy"), "top_0.1"] == 0
