"""The filter object: its URL round trip, and what it keeps against a pandas oracle on random frames and filters."""

from math import inf
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diet_explorer.analysis.filters import ExampleFilter, LengthRange, MetadataRange, MetadataValue, ScoreRange
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.analysis.region import Region
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.scoring.dynamics import TRAJECTORIES
from diet_explorer.store.decisions import DECISION_STATES
from diet_explorer.store.files import Files
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


def some_of(words):
    return st.lists(st.sampled_from(words), unique=True, max_size=len(words)).map(tuple)


CORNER = st.floats(-0.2, 1.2).map(lambda number: round(number, 2))
REGIONS = st.builds(
    Region,
    map=st.just("data"),
    points=st.lists(st.tuples(CORNER, CORNER), min_size=3, max_size=7).map(tuple),
)
FILTERS = st.builds(
    ExampleFilter,
    labels=some_of(CLASSES),
    predicted=some_of(CLASSES),
    disagree=st.sampled_from([None, True, False]),
    splits=some_of(["train", "test", "dev"]),
    text=texts(),
    ids=st.lists(st.sampled_from([f"e{n:05d}" for n in range(6)]), unique=True, max_size=3).map(tuple),
    scores=st.lists(
        st.builds(lambda name, e: ScoreRange(name, *e), st.sampled_from(["el2n", "loss", "margin", "aum"]), ends()),
        max_size=2,
    ).map(tuple),
    metadata=st.lists(ends().map(lambda e: MetadataRange("number", *e)), max_size=1).map(tuple),
    values=st.lists(st.sampled_from(HOSTILE).map(lambda v: MetadataValue(METADATA, v)), max_size=2).map(tuple),
    trajectories=some_of(TRAJECTORIES),
    decided=some_of(DECISION_STATES),
    flagged=st.sampled_from([None, None, True, False]),
    region=st.none() | REGIONS,
    length=st.none() | st.builds(LengthRange, st.none() | st.integers(0, 30), st.none() | st.integers(0, 30)),
)


@given(FILTERS)
def test_url_round_trip(where):
    again = ExampleFilter.from_query(where.to_query())
    assert again == where
    assert hash(again) == hash(where)


@given(FILTERS)
def test_every_chip_removes_exactly_one_condition(where):
    assert len(where.describe()) == (
        len(where.labels) + len(where.predicted) + (where.disagree is not None) + len(where.splits)
        + bool(where.text) + bool(where.ids) + len(set(where.scores)) + len(where.metadata) + len(set(where.values))
        + len(where.trajectories) + len(where.decided) + (where.flagged is not None) + (where.region is not None)
        + (where.length is not None)
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
        ({"flagged": "maybe"}, "flagged='maybe'"),
        ({"decided": "perhaps"}, "no state of a decision 'perhaps'"),
        ({"trajectory": "learned"}, "no type of trajectory 'learned'"),
        ({"region": "data:1,2"}, "has 1 corners"),
        ({"region": "data:1,2;3"}, "region='data:1,2;3'"),
        ({"region": "data:1,2;3,4;nan,0"}, "not a number"),
        ({"region": "moon:1,2;3,4;5,6"}, "no map 'moon'"),
        ({"length": "long"}, "length='long'"),
        ({"length": "1:-2"}, "length='1:-2'"),
    ],
)
def test_a_broken_link_is_reported(query, message):
    with pytest.raises(BadInputError, match=message):
        ExampleFilter.from_query(query)


def test_a_filter_refuses_nonsense():
    with pytest.raises(NotFoundError, match="no score named 'nope'"):
        ExampleFilter(scores=(ScoreRange("nope", 0, 1),))
    with pytest.raises(BadInputError, match="not a number"):
        ExampleFilter(scores=(ScoreRange("el2n", 0, inf),))


def inside(region: Region, x: float, y: float) -> bool:
    """Even-odd rule, one point and one edge at a time."""
    odd = False
    for position, (x1, y1) in enumerate(region.points):
        x2, y2 = region.points[position - 1]
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            odd = not odd
    return odd


@given(REGIONS, st.integers(0, 99))
def test_a_region_is_the_even_odd_rule_and_survives_its_text(region, seed):
    x, y = np.random.default_rng(seed).uniform(-0.3, 1.3, (2, 60)).astype(np.float32)
    expected = [inside(region, float(a), float(b)) for a, b in zip(x, y, strict=True)]
    assert region.contains(x, y).tolist() == expected
    assert Region.from_text(region.to_text()) == region


@given(REGIONS, st.integers(0, 99))
def test_many_points_are_decided_by_cells_as_one_by_one(region, seed):
    random = np.random.default_rng(seed)
    low, high = np.array(region.points).min(0), np.array(region.points).max(0)
    x, y = (random.uniform(low[axis] - 0.01, high[axis] + 0.01, 60_000) for axis in (0, 1))
    on_corners = random.choice(len(region.points), 500)
    x[:500], y[:500] = np.array(region.points)[on_corners].T
    parts = [region.contains(x[start : start + 30_000], y[start : start + 30_000]) for start in (0, 30_000)]
    assert region.contains(x, y).tolist() == np.concatenate(parts).tolist()


def test_a_lasso_of_many_corners_keeps_its_shape():
    angles = np.linspace(0, 2 * np.pi, 900, endpoint=False)
    circle = np.column_stack([0.5 + 0.4 * np.cos(angles), 0.5 + 0.4 * np.sin(angles)])
    region = Region.simplified("data", circle.tolist())
    assert len(region.points) == 64
    x, y = np.random.default_rng(0).uniform(size=(2, 4000))
    truth = np.hypot(x - 0.5, y - 0.5) < 0.4
    assert (region.contains(x, y) == truth).mean() > 0.995
    assert not region.contains(np.array([np.nan]), np.array([0.5])).any()


def keep(frame: pd.DataFrame, where: ExampleFilter) -> pd.Series:
    """The filter by pandas, one condition after the other."""
    mask = pd.Series(True, index=frame.index)
    for column, wanted in (
        ("label_name", where.labels),
        ("predicted_name", where.predicted),
        ("split", where.splits),
        ("id", where.ids),
        ("trajectory", where.trajectories),
        ("decided", where.decided),
    ):
        if wanted:
            mask &= frame[column].isin(wanted)
    if where.disagree is not None:
        mask &= (frame["label"] != frame["predicted"]) == where.disagree
    if where.flagged is not None:
        mask &= frame["flagged"] == where.flagged
    if where.length is not None:
        low, high = where.length.low or 0, inf if where.length.high is None else where.length.high
        mask &= pd.Series([low <= len(text) <= high for text in frame["text"]], index=frame.index)
    if where.text:
        mask &= frame["text"].str.contains(where.text, regex=False)
    if where.region is not None:
        points = zip(frame["variability"], frame["confidence"], strict=True)
        mask &= pd.Series([inside(where.region, x, y) for x, y in points], index=frame.index)
    for entry in where.scores:
        mask &= frame[entry.name].astype(float) >= (-inf if entry.low is None else entry.low)
        mask &= frame[entry.name].astype(float) <= (inf if entry.high is None else entry.high)
    for entry in where.metadata:
        if entry.low is not None:
            mask &= frame["number"] >= entry.low
        if entry.high is not None:
            mask &= frame["number"] <= entry.high
    if where.values:
        mask &= frame["word"].isin([pair.value for pair in where.values])
    return mask


ROWS = st.lists(
    st.tuples(
        texts(),
        st.integers(0, 2),
        st.sampled_from(["train", "test", "dev"]),
        st.none() | NUMBER,
        st.sampled_from(HOSTILE),
        st.sampled_from([None, *DECISION_STATES[1:]]),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS, where=FILTERS, by=st.sampled_from(["el2n", "margin", "correctness"]), seed=st.integers(0, 99))
def test_a_ranking_keeps_what_pandas_keeps(tmp_path_factory, rows, where, by, seed):
    files = Files(tmp_path_factory.mktemp("workspace"))
    written = list(zip(*rows, strict=True))
    metadata = {"number": pa.array(written[3], pa.float64()), METADATA: pa.array(written[4], pa.string())}
    manifest = write_dataset(files, written[0], written[1], CLASSES, written[2], metadata)
    random = np.random.default_rng(seed)
    steps = [
        write_scores(files, manifest, "r", 0, point, random.normal(0, 2, (len(rows), 3)), ranked=point == 2)
        for point in (0.5, 1.0, 2.0)
    ]
    frame = steps[-1]
    frame["label_name"] = frame["label"].map(dict(enumerate(CLASSES)))
    frame["predicted_name"] = frame["predicted"].map(dict(enumerate(CLASSES)))
    frame["text"], frame["number"], frame["word"] = written[0], pd.Series(written[3], dtype=float), written[4]
    frame["decided"], frame["flagged"] = [state or "undecided" for state in written[5]], written[6]
    p = pd.DataFrame([step["p_label"] for step in steps]).astype(float)
    right = pd.DataFrame([step["predicted"] == step["label"] for step in steps])
    frame["confidence"], frame["variability"] = p.mean().astype("f4"), p.std(ddof=0).astype("f4")
    frame["correctness"] = right.mean().astype("f4")
    frame["aum"] = pd.DataFrame([step["margin"] for step in steps]).astype(float).mean().astype("f4")
    frame["trajectory"] = [trajectory(right[row].tolist()) for row in frame["row"]]
    touched = [row for row, entry in enumerate(rows) if entry[5] is not None or entry[6]]
    decisions = pa.table(
        {
            "row": pa.array(touched, pa.int32()),
            "state": pa.array([written[5][row] for row in touched], pa.string()),
            "flagged": pa.array([written[6][row] for row in touched], pa.bool_()),
        }
    )
    ranking = Ranking(
        ScoreFiles(files, "r"),
        manifest,
        2.0,
        None,
        search=lambda words: np.array([words in text for text in written[0]]),
        decisions=SimpleNamespace(table=lambda: decisions, table_of=lambda rows: decisions),
    )
    single = len(where.splits) == 1
    expected = frame[keep(frame, where)].sort_values(
        [by, "id" if single else "row"], ascending=[by in ("margin", "correctness"), True]
    )
    assert ranking.count(where) == len(expected)
    page = ranking.page(by, where, limit=None)
    assert page["row"].tolist() == expected["row"].tolist()
    for column, source in (("label", "label_name"), ("predicted", "predicted_name"), *zip(SAME, SAME, strict=True)):
        assert page[column].tolist() == expected[source].tolist()
    assert int(ranking.histogram(by, where, bins=7)["count"].sum()) == len(expected)
    positions = [ranking.position(row, by, where) for row in page["row"]]
    assert positions == list(range(len(expected)))
    assert {ranking.position(row, by, where) for row in set(frame["row"]) - set(expected["row"])} <= {None}
    assert ranking.page(by, where, limit=3, offset=2)["row"].tolist() == expected["row"].tolist()[2:5]
    grid = ranking.density("variability", "confidence", where, bins=(3, 2))
    assert grid["count"].sum() == len(expected)
    assert (grid["count"] * grid["disagree"]).sum() == pytest.approx((expected["label"] != expected["predicted"]).sum())
    points = ranking.points("variability", "confidence", ["label", "text", "decided"], where, limit=99)
    assert points["row"].tolist() == sorted(expected["row"])
    assert points["y"].tolist() == pytest.approx(expected.sort_values("row")["confidence"].tolist())


SAME = ("text", "id", "split", "trajectory", "decided", "flagged")


def trajectory(right: list[bool]) -> str:
    """The rule in words, for checkpoints at epochs 0.5, 1 and 2."""
    if not any(right):
        return "never learned"
    if not right[-1]:
        return "forgotten"
    return "learned early" if all(right[1:]) else "learned late"


@pytest.mark.parametrize("given", [{"length": (20, 40)}, {"scores": ("el2n", 0.5, None)}, {"values": {"cat": "u"}}])
def test_what_is_no_condition_is_told_with_the_class_that_it_takes(given):
    with pytest.raises(BadInputError, match="which is no ") as caught:
        ExampleFilter(**given)
    assert "from diet_explorer.analysis.filters import" in caught.value.remedy


def test_one_name_and_a_list_of_names_are_conditions_too():
    assert ExampleFilter(labels="good", splits=["test"]) == ExampleFilter(labels=("good",), splits=("test",))
    assert ExampleFilter(scores=ScoreRange("el2n", 0.5)).scores == (ScoreRange("el2n", 0.5),)
    numbers = MetadataRange("n", np.float64(0.5), np.int64(2))
    assert (type(numbers.low), type(numbers.high)) == (float, int) and numbers == MetadataRange("n", 0.5, 2)
    assert [MetadataValue("c", value).value for value in (True, np.bool_(False), np.int64(7))] == ["true", "false", "7"]
    assert ExampleFilter(disagree=np.bool_(True)) == ExampleFilter(disagree=True)
    assert ExampleFilter(labels=0, ids=np.array([7, 8])) == ExampleFilter(labels=("0",), ids=("7", "8"))
    assert hash(ExampleFilter(labels=["good", "bad"])) == hash(ExampleFilter(labels=("good", "bad")))
