"""The filter object: its URL round trip, and its SQL against a pandas oracle on random frames and filters."""

from math import inf

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diet_explorer.analysis.filters import ExampleFilter, MetadataRange, MetadataValue, ScoreRange
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.store.files import Files
from diet_explorer.store.queries import Queries
from diet_explorer.store.scores import ScoreFiles
from tests.synthetic import write_dataset, write_scores

HOSTILE = [
    "",
    "it's",
    'a "quoted" b',
    "%",
    "_",
    "a;DROP TABLE s--",
    "50% off",
    "\\",
    "é É ß",
    "שלום",
    "👩‍🚀 emoji",
    "a:b&c=d",
]
CLASSES = ["neg'ative", 'po"sitive', "a:b"]
METADATA = "col: \"x\" 'y' &"
NUMBER = st.floats(-5, 5, allow_nan=False)


def texts():
    return st.one_of(
        st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
    )


def ends():
    return st.tuples(st.none() | NUMBER, st.none() | NUMBER)


FILTERS = st.builds(
    ExampleFilter,
    labels=st.lists(st.sampled_from(CLASSES), unique=True, max_size=3).map(tuple),
    predicted=st.lists(st.sampled_from(CLASSES), unique=True, max_size=3).map(tuple),
    disagree=st.sampled_from([None, True, False]),
    splits=st.lists(st.sampled_from(["train", "test", "dev"]), unique=True, max_size=3).map(tuple),
    text=texts(),
    ids=st.lists(st.sampled_from([f"e{n:05d}" for n in range(6)]), unique=True, max_size=3).map(tuple),
    scores=st.lists(
        st.builds(lambda name, e: ScoreRange(name, *e), st.sampled_from(["el2n", "loss", "margin", "entropy"]), ends()),
        max_size=2,
    ).map(tuple),
    metadata=st.lists(ends().map(lambda e: MetadataRange("number", *e)), max_size=1).map(tuple),
    values=st.lists(st.sampled_from(HOSTILE).map(lambda v: MetadataValue(METADATA, v)), max_size=2).map(tuple),
)


@given(FILTERS)
def test_url_round_trip(where):
    assert ExampleFilter.from_query(where.to_query()) == where


@given(FILTERS)
def test_every_chip_removes_exactly_one_condition(where):
    assert len(where.describe()) == (
        len(where.labels) + len(where.predicted) + (where.disagree is not None) + len(where.splits)
        + bool(where.text) + bool(where.ids) + len(set(where.scores)) + len(where.metadata) + len(set(where.values))
    ) or len(set(where.scores)) < len(where.scores) or len(set(where.values)) < len(where.values)  # fmt: skip
    for words, without in where.describe():
        assert words
        assert len(without.describe()) < len(where.describe())


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"disagree": "perhaps"}, "disagree='perhaps'"),
        ({"range": "el2n:a:b"}, "range='el2n:a:b'"),
        ({"range": "el2n"}, "range='el2n'"),
        ({"value": "nothing"}, "value='nothing'"),
    ],
)
def test_a_broken_link_is_told(query, message):
    with pytest.raises(BadInputError, match=message):
        ExampleFilter.from_query(query)


def test_a_filter_refuses_nonsense():
    with pytest.raises(NotFoundError, match="no score named 'nope'"):
        ExampleFilter(scores=(ScoreRange("nope", 0, 1),))
    with pytest.raises(BadInputError, match="not a number"):
        ExampleFilter(scores=(ScoreRange("el2n", 0, inf),))


def keep(frame: pd.DataFrame, where: ExampleFilter) -> pd.Series:
    """The filter by pandas, one condition after the other."""
    mask = pd.Series(True, index=frame.index)
    if where.labels:
        mask &= frame["label_name"].isin(where.labels)
    if where.predicted:
        mask &= frame["predicted_name"].isin(where.predicted)
    if where.disagree is not None:
        mask &= (frame["label"] != frame["predicted"]) == where.disagree
    if where.splits:
        mask &= frame["split"].isin(where.splits)
    if where.ids:
        mask &= frame["id"].isin(where.ids)
    for entry in where.scores:
        mask &= frame[entry.name] >= (-inf if entry.low is None else entry.low)
        mask &= frame[entry.name] <= (inf if entry.high is None else entry.high)
    for entry in where.metadata:
        if entry.low is not None:
            mask &= frame["number"] >= entry.low
        if entry.high is not None:
            mask &= frame["number"] <= entry.high
    if where.values:
        mask &= frame["word"].isin([pair.value for pair in where.values])
    return mask


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(
            texts(),
            st.integers(0, 2),
            st.sampled_from(["train", "test", "dev"]),
            st.none() | NUMBER,
            st.sampled_from(HOSTILE),
        ),
        min_size=1,
        max_size=12,
    ),
    where=FILTERS,
    by=st.sampled_from(["el2n", "margin", "entropy"]),
    seed=st.integers(0, 99),
)
def test_sql_keeps_what_pandas_keeps(tmp_path_factory, rows, where, by, seed):
    files = Files(tmp_path_factory.mktemp("workspace"))
    written = list(zip(*rows, strict=True))
    manifest = write_dataset(
        files,
        written[0],
        written[1],
        CLASSES,
        written[2],
        {"number": pa.array(written[3], pa.float64()), METADATA: pa.array(written[4], pa.string())},
    )
    logits = np.random.default_rng(seed).normal(0, 2, (len(rows), 3))
    frame = write_scores(files, manifest, "r", 0, 1.0, logits)
    frame["label_name"] = frame["label"].map(dict(enumerate(CLASSES)))
    frame["predicted_name"] = frame["predicted"].map(dict(enumerate(CLASSES)))
    frame["text"], frame["number"], frame["word"] = written[0], pd.Series(written[3], dtype=float), written[4]
    ranking = Ranking(Queries(files), ScoreFiles(files, "r"), manifest, 1.0, None)
    # lower case has its own rules per language; the oracle takes DuckDB's text search for texts without capitals only
    where_all = where if where.text == where.text.lower() else ExampleFilter()
    mask = keep(frame, where_all)
    if where_all.text:
        mask &= frame["text"].map(lambda text: where_all.text in text or where_all.text in text.lower())
    expected = frame[mask].sort_values(
        [*([] if len(where_all.splits) != 1 else ["split"]), by, *(["id"] if len(where_all.splits) == 1 else ["row"])],
        ascending=[*([] if len(where_all.splits) != 1 else [True]), by == "margin", True],
    )
    assert ranking.count(where_all) == len(expected)
    page = ranking.page(by, where_all, limit=None)
    assert page["row"].tolist() == expected["row"].tolist()
    assert page["label"].tolist() == expected["label_name"].tolist()
    assert page["predicted"].tolist() == expected["predicted_name"].tolist()
    assert page["text"].tolist() == expected["text"].tolist()
    assert int(ranking.histogram(by, where_all, bins=7)["count"].sum()) == len(expected)
    part = ranking.page(by, where_all, limit=3, offset=2)
    assert part["row"].tolist() == expected["row"].tolist()[2:5]
