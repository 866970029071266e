"""Hold a source against what training needs, without importing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.labels import find_no_labels
from diet_explorer.data.notices import about_splits, describe_votes, find_refusal, find_warnings
from diet_explorer.data.readers.nested import settle
from diet_explorer.data.readers.source import Source
from diet_explorer.data.report import LengthSummary, ValidationReport, VoteSummary
from diet_explorer.data.set_aside import BadRow, Reason, written_row
from diet_explorer.data.splits import TRAIN
from diet_explorer.data.survey import REASONS, Progress, Survey, survey
from diet_explorer.store.arrow import exact_frame

LISTED_ROWS = 100
MOST_MINORITY = 1_000  # labels that are listed though no row has them
MAX_LENGTHS = (64, 128, 256, 512)
# English text gives about 1.3 word pieces per word with the vocabularies of BERT and MiniLM; two tokens frame a text.
TOKENS_PER_WORD = 1.3
FRAMING_TOKENS = 2
WORD_EDGES = (0, 5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640, 1_000, 2_000, 5_000)
CHARACTER_EDGES = (0, 25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1_200, 1_600, 2_400, 3_200, 5_000, 10_000, 25_000)


def validate(
    source: Source, mapping: ColumnMapping, *, limit: int | None = None, progress: Progress | None = None
) -> ValidationReport:
    """Read a source, or its first `limit` rows, without importing it; the refusals are what an import would raise.

    Of the first rows there are no refusals, since more rows could mend what is wrong; duplicates, classes and splits
    then hold for those rows only. BadInputError if a mapped column is missing or no text, or the file is damaged.
    """
    source, mapping = settle(source, mapping)
    return report_of(source, mapping, survey(source, mapping, limit=limit, progress=progress))


def preview_votes(source: Source, mapping: ColumnMapping, rows: int) -> pd.DataFrame:
    """Several people's labels in the first rows of a source, with what comes of them.

    Returns
    -------
    pandas.DataFrame
        The people's columns as written, then ``label`` (None where a row is set aside) and ``disagreement``, the share
        of the people who say another label (NaN where nobody gave one).
    """
    source, mapping = settle(source, mapping)
    facts = survey(source, mapping, limit=rows)
    table = next((table for table, _ in source.batches(size=rows)), None)
    if table is None or facts.disagreement is None:
        return pd.DataFrame()
    there = [name for name in mapping.annotators if name in table.column_names]
    frame = exact_frame(table.select(there).slice(0, len(facts.labels)))
    names = [*facts.classes, None]  # the last serves −1, rows that are set aside
    labels = pd.Series([names[code] for code in facts.labels], dtype=object)  # keeps None
    votes = pd.DataFrame({"label": labels, "disagreement": facts.disagreement})
    return pd.concat([frame, votes.iloc[: len(frame)]], axis=1)


def report_of(source: Source, mapping: ColumnMapping, surveyed: Survey) -> ValidationReport:
    """Sum up a survey."""
    kept = surveyed.kept
    exact, near = surveyed.duplicates.exact, surveyed.duplicates.near
    framing = FRAMING_TOKENS + (mapping.text_pair is not None)
    tokens = surveyed.words[kept] * TOKENS_PER_WORD + framing
    votes = _count_votes(surveyed, mapping)
    report = ValidationReport(
        rows_read=len(kept) + len(surveyed.bad_rows),
        rows_kept=int(kept.sum()),
        set_aside=_count_reasons(surveyed),
        set_aside_rows=_first_set_aside(source, surveyed),
        classes=_count_classes(surveyed),
        splits=_count_splits(surveyed),
        exact_duplicate_groups=_group_count(exact),
        exact_duplicates=int((exact >= 0).sum()) - _group_count(exact),
        conflicting_duplicates=_count_conflicting(surveyed),
        near_duplicate_groups=_group_count(near),
        near_duplicates=int((near >= 0).sum()),
        leaked_duplicates=_count_leaked(surveyed),
        words=_summarise(surveyed.words[kept], WORD_EDGES),
        characters=_summarise(surveyed.characters[kept], CHARACTER_EDGES),
        truncation={length: float((tokens > length).mean()) if kept.any() else 0.0 for length in MAX_LENGTHS},
        warnings=[],
        refusals=[],
        complete=surveyed.complete,
        read_as=[*surveyed.read_as, *describe_votes(votes)],
        no_labels=find_no_labels([*surveyed.classes, *(votes.minority if votes else ())]),
        votes=votes,
    )
    refusal = find_refusal(report, mapping, surveyed.label_type)
    warnings = [*source.notices, *about_splits(source, mapping), *surveyed.doubts, *find_warnings(report)]
    return replace(report, warnings=warnings, refusals=[] if refusal is None else [refusal])


def _count_reasons(surveyed: Survey) -> dict[str, int]:
    counts = np.bincount(surveyed.problems, minlength=len(REASONS) + 1)[1:]
    malformed = Counter(row.reason for row in surveyed.bad_rows)
    totals = {reason.title: int(count) + malformed[reason] for reason, count in zip(REASONS, counts, strict=True)}
    return {title: total for title, total in totals.items() if total}


def _first_set_aside(source: Source, surveyed: Survey) -> list[dict[str, Any]]:
    """List the first rows that were set aside, by line, reading the source again as far as needed for their text."""
    positions = np.flatnonzero(surveyed.problems)[:LISTED_ROWS]
    texts = _raw_rows(source, positions.tolist())
    rows = [
        BadRow(int(surveyed.lines[position]), REASONS[surveyed.problems[position] - 1], raw)
        for position, raw in zip(positions, texts, strict=True)
    ]
    listed = sorted([*rows, *surveyed.bad_rows], key=lambda row: row.line)[:LISTED_ROWS]
    return [source.written(row) for row in listed]


def _raw_rows(source: Source, positions: list[int]) -> list[str]:
    """Return the rows at some positions (ascending) among the well-formed ones, as JSON cut to 500 characters."""
    texts: list[str] = []
    start = 0
    if positions:
        for table, _ in source.batches():
            here = [position - start for position in positions[len(texts) :] if position < start + table.num_rows]
            texts += [written_row(table, position) for position in here]
            start += table.num_rows
            if len(texts) == len(positions):
                break
    return texts


def _count_classes(surveyed: Survey) -> dict[str, dict[str, int]]:
    kept = surveyed.kept
    names = surveyed.split_names
    cells = np.bincount(
        surveyed.labels[kept].astype(np.int64) * len(names) + surveyed.splits[kept],
        minlength=len(surveyed.classes) * len(names),
    ).reshape(len(surveyed.classes), len(names))
    return {
        label: {split: int(count) for split, count in zip(names, counts, strict=True) if count}
        for label, counts in zip(surveyed.classes, cells, strict=True)
    }


def _count_splits(surveyed: Survey) -> dict[str, int]:
    counts = np.bincount(surveyed.splits[surveyed.kept], minlength=len(surveyed.split_names))
    return {name: int(count) for name, count in zip(surveyed.split_names, counts, strict=True) if count}


def _count_votes(surveyed: Survey, mapping: ColumnMapping) -> VoteSummary | None:
    if surveyed.votes is None or surveyed.disagreement is None:
        return None
    votes, kept = surveyed.votes, surveyed.kept
    known = kept & ~np.isnan(surveyed.disagreement)
    tied = kept | (surveyed.problems == 1 + REASONS.index(Reason.TIED_LABELS))
    examples = votes.examples
    counting = kept[examples] & (votes.codes >= 0)
    agreeing = counting & (votes.codes == surveyed.label_codes[examples])
    is_list = len(mapping.annotators) == 1
    per_person = [
        np.bincount(votes.people[here], minlength=len(mapping.annotators)).tolist() for here in (counting, agreeing)
    ]
    return VoteSummary(
        columns=list(mapping.annotators),
        people=int(votes.people[counting].max(initial=-1)) + 1 if is_list else len(mapping.annotators),
        rows=int(known.sum()),
        contested=int((surveyed.disagreement[known] > 0).sum()),
        ties=int((surveyed.tied & tied).sum()),
        skip_ties=mapping.skip_ties,
        label=mapping.label,
        minority=_minority(surveyed, votes.codes[counting]),
        labelled=[] if is_list else per_person[0],
        agreeing=[] if is_list else per_person[1],
    )


def _minority(surveyed: Survey, codes: npt.NDArray[np.int32]) -> dict[str, int]:
    """Labels that no row to keep has, and how often somebody says them, the most frequent first."""
    times = np.bincount(codes, minlength=len(surveyed.label_names))
    said = [(name, int(count)) for name, count in zip(surveyed.label_names, times, strict=True) if count]
    others = [(name, count) for name, count in said if name not in set(surveyed.classes)]
    return dict(sorted(others, key=lambda entry: -entry[1])[:MOST_MINORITY])


def _group_count(groups: npt.NDArray[np.int32]) -> int:
    return int(groups.max()) + 1 if len(groups) else 0


def _count_conflicting(surveyed: Survey) -> int:
    """Count the rows of exact groups that hold more than one label."""
    groups = surveyed.duplicates.exact
    rows = np.flatnonzero(groups >= 0)
    pairs = np.unique(groups[rows] * np.int64(len(surveyed.classes)) + surveyed.labels[rows])
    labels_per_group = np.bincount(pairs // max(len(surveyed.classes), 1), minlength=_group_count(groups))
    return int((labels_per_group[groups[rows]] > 1).sum())


def _count_leaked(surveyed: Survey) -> int:
    """Count the rows outside train whose near-duplicate group reaches into train."""
    groups = surveyed.duplicates.near
    if TRAIN not in surveyed.split_names:
        return 0
    rows = np.flatnonzero(groups >= 0)
    is_train = surveyed.splits[rows] == surveyed.split_names.index(TRAIN)
    touches_train = np.bincount(groups[rows], weights=is_train, minlength=_group_count(groups)) > 0
    return int((touches_train[groups[rows]] & ~is_train).sum())


def _summarise(lengths: npt.NDArray[np.int32], edges: Sequence[int]) -> LengthSummary:
    if not len(lengths):
        return LengthSummary(0, 0, 0, list(edges), [0] * len(edges))
    bins = np.searchsorted(edges, lengths, side="right") - 1
    return LengthSummary(
        median=int(np.median(lengths)),
        p95=int(np.percentile(lengths, 95, method="higher")),
        longest=int(lengths.max()),
        edges=list(edges),
        counts=np.bincount(bins, minlength=len(edges)).tolist(),
    )
