"""Duplicates that do not agree on a label, through a real import."""

import csv

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diet_explorer import Workspace

LONG = "the film was a long and rather slow story about a family that moves to the sea in the autumn of life"
COLUMNS = ["group", "row", "id", "text", "label", "split", "exact"]


def imported(folder, rows, pair=None):
    source = folder / "rows.csv"
    with source.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["key", "a", "b", "mood"], *rows])
    names = {"text": "a", "label": "mood", "id": "key", "text_pair": pair}
    return Workspace(folder / "home").import_dataset(source, **names)


def test_conflicts_by_example(tmp_path):
    changed = LONG.replace("life", "love")
    text = LONG
    rows = [
        ("k0", text, "x", "sad"),
        ("k1", "Something else altogether", "x", "glad"),
        ("k2", text.upper().replace(" ", "  "), "x", "glad"),  # the same words
        ("k3", changed, "x", "sad"),  # nearly
        ("k4", "agreed twice", "x", "sad"),
        ("k5", "agreed twice", "x", "sad"),
        ("k6", "Ｗｉｄｅ words", "x", "sad"),
        ("k7", "wide words", "x", "glad"),
    ]
    dataset = imported(tmp_path, rows)
    conflicts = dataset.conflicts()
    assert list(conflicts.columns) == COLUMNS
    assert conflicts["id"].tolist() == ["k0", "k2", "k3", "k6", "k7"]
    assert conflicts["exact"].tolist() == [True, True, False, True, True]
    assert conflicts["label"].tolist() == ["sad", "glad", "sad", "sad", "glad"]
    assert conflicts["group"].nunique() == 2 and conflicts["row"].tolist() == [0, 2, 3, 6, 7]
    assert conflicts["text"].iloc[1] == rows[2][1]


words = st.sampled_from(["Good", "good", "film", "ＦＩＬＭ", "bad", "bad ", "\u2003Bad"])
texts = st.lists(words, min_size=1, max_size=3).map(" ".join)


@settings(max_examples=settings().max_examples // 5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(texts, texts, st.sampled_from(["yes", "no"])), min_size=2, max_size=12),
    paired=st.booleans(),
)
def test_conflicts_of_short_texts_are_exact_ones(rows, paired, tmp_path_factory):
    rows = [*rows, ("one more", "of each", "yes"), ("and another", "of these", "no")]
    dataset = imported(
        tmp_path_factory.mktemp("conflicts"),
        [(f"k{number}", *row) for number, row in enumerate(rows)],
        pair="b" if paired else None,
    )
    plain = [
        tuple(part.lower().replace("ｆｉｌｍ", "film").split() for part in row[: 2 if paired else 1]) for row in rows
    ]
    expected = {
        row
        for row, key in enumerate(plain)
        if any(other == key and rows[other_row][2] != rows[row][2] for other_row, other in enumerate(plain))
    }
    conflicts = dataset.conflicts()
    assert set(conflicts.loc[conflicts["exact"], "row"]) == expected
    groups = dataset.examples().set_index("row")["near_duplicate_group"]
    whole = {row for row, group in groups.items() if pd.notna(group) and group in set(conflicts["group"])}
    assert set(conflicts["row"]) == whole
