"""The numbers and warnings of the report, against counting by hand."""

from __future__ import annotations

import json
import statistics

import numpy as np
import pytest

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.report import ValidationReport
from diet_explorer.data.validation import WORD_EDGES, validate
from tests.data.importer import MAPPING, Importer

SPLIT = ColumnMapping(text="text", label="label", split="split")
CONTENT = (
    "text,label,split\n"
    "the same words here,a,train\n"
    "The same  words HERE,b,train\n"
    "the same words here,a,test\n"
    "twice the very same,b,train\n"
    "twice the very same,b,train\n"
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen,a,dev\n"
    "one two three four five six seven other nine ten eleven twelve thirteen fourteen fifteen sixteen,a,train\n"
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen,a,train\n"
    "nothing like the rest,b,train\n"
)


def test_counts(importer: Importer) -> None:
    report = validate(importer.open("t.csv", CONTENT), SPLIT)
    assert (report.rows_read, report.rows_kept, report.set_aside, report.complete) == (9, 9, {}, True)
    assert report.splits == {"train": 7, "test": 1, "validation": 1}
    assert report.classes == {"a": {"train": 3, "test": 1, "validation": 1}, "b": {"train": 4}}
    assert (report.exact_duplicate_groups, report.exact_duplicates) == (2, 3)
    assert report.conflicting_duplicates == 3
    assert (report.near_duplicate_groups, report.near_duplicates) == (3, 8)
    assert report.leaked_duplicates == 2
    assert report.refusals == []


def test_lengths_and_truncation(importer: Importer) -> None:
    rng = np.random.default_rng(3)
    texts = [" ".join(["word"] * n) for n in rng.integers(1, 500, size=400)]
    content = "text,label\n" + "".join(f"{text},{number % 2}\n" for number, text in enumerate(texts))
    report = validate(importer.open("t.csv", content), MAPPING)
    words = [len(text.split()) for text in texts]
    assert report.words.median == int(statistics.median(words))
    assert report.words.longest == max(words)
    assert sum(length <= report.words.p95 for length in words) >= 0.95 * len(words)
    assert report.words.counts == np.histogram(words, bins=[*WORD_EDGES, np.inf])[0].tolist()
    assert report.characters.longest == max(map(len, texts))
    for length, share in report.truncation.items():
        assert share == sum(1.3 * n + 2 > length for n in words) / len(words)
    assert any("longer than 128 tokens" in message for message, *_ in report.warnings)


def test_pairs_count_together(importer: Importer) -> None:
    content = "a,b,label\n" + "one two,three,x\nfour,five six seven,y\n" * 2
    report = validate(importer.open("t.csv", content), ColumnMapping(text="a", text_pair="b", label="label"))
    assert (report.words.longest, report.words.median) == (4, 3)
    assert report.characters.longest == 18


def test_report_survives_json(importer: Importer) -> None:
    report = validate(importer.open("t.csv", CONTENT + ",a,train\n"), SPLIT)
    assert ValidationReport.from_json(json.loads(json.dumps(report.to_json()))) == report


@pytest.mark.parametrize(
    ("rows", "warning", "remedy"),
    [
        (["same,a", "same,b"], "2 rows have the same text as another row, but another label", "audit"),
        (["same,a", "same,a"], "", ""),
        (["x,Yes"] * 12 + ["y,yes"] * 12, "Labels that differ only in case: 'Yes', 'yes'", "alike"),
        (["x,NaN"] * 3, "The label 'NaN' (3 rows) looks like a missing value", "skip this label"),
        (["x,rare", "y,scarce"], "Classes with fewer than 10 training rows: 'rare' (1), 'scarce' (1)", "join"),
        ([f"x{n},a" for n in range(400)], "95% of the training rows have the label 'a'", "share"),
        ([",a"], "1 of 41 rows cannot be used and are set aside: 1 × empty text", "line numbers"),
        (["same,a"] * 9, "9 of 49 rows are the same as another row, or nearly", "one of each"),
    ],
)
def test_warnings(importer: Importer, rows: list[str], warning: str, remedy: str) -> None:
    common = [f"text{n},{'ab'[n % 2]}" for n in range(40)]
    report = validate(importer.open("t.csv", "\n".join(["text,label", *common, *rows])), MAPPING)
    if not warning:
        assert report.warnings == []
        return
    remedies = [notice.remedy for notice in report.warnings if notice.message.startswith(warning)]
    assert len(remedies) == 1
    assert remedy in remedies[0]


def test_leaks_are_warned_of(importer: Importer) -> None:
    report = validate(importer.open("t.csv", CONTENT), SPLIT)
    assert any(
        message.startswith("2 rows outside train are the same as a row of train") for message, *_ in report.warnings
    )


def test_progress_of_the_dry_run(importer: Importer) -> None:
    shares: list[float] = []
    validate(importer.open("t.csv", CONTENT), SPLIT, progress=lambda share, _: shares.append(share))
    assert shares[-1] == 1.0
