"""Statistics, stability and warnings of a run, against pandas and scipy over the same score files."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from diet_explorer.scoring.statistics import SHARES, TrainOrder, agreement


@settings(deadline=None)
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
