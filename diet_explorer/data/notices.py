"""What stands in the way of an import, and what should be looked at before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.labels import find_joined, find_look_alikes, same_numbers
from diet_explorer.data.readers.source import Source
from diet_explorer.data.report import Notice, ValidationReport, VoteSummary
from diet_explorer.data.set_aside import Reason
from diet_explorer.data.splits import TRAIN

# Labels are taken for free text if nearly every row has its own, and for measurements if they have many fractions.
FREE_TEXT_SHARE = 0.8
FREE_TEXT_LABELS = 20
MAX_FRACTIONAL_LABELS = 50
FEW_ROWS = 10
LARGE_SHARE = 0.05
DOMINANT_SHARE = 0.9
DEFAULT_MAX_LENGTH = 128


def find_refusal(report: ValidationReport, mapping: ColumnMapping, label_type: str) -> Notice | None:
    """Say why a source cannot be imported; None if it can, or if it was not read to its end."""
    if not report.complete:
        return None
    if not report.rows_read:
        return Notice("The source has no rows.", "Give a source with rows below the header.")
    if not report.rows_kept:
        return Notice(
            f"None of the {report.rows_read:,} rows can be used: {_reasons(report)}.", _remedy_of_most(report)
        )
    if not report.splits.get(TRAIN):
        names = ", ".join(repr(name) for name in report.splits)
        return Notice(
            f"No usable row is in the train split; column {mapping.split!r} has {names}.",
            "Name one split train, or leave the split column unmapped.",
        )
    labels = len(report.classes)
    if labels == 1:
        message = f"All {report.rows_kept:,} usable rows have the same label {next(iter(report.classes))!r}."
        aside = sum(report.set_aside.values())
        if aside >= report.rows_kept:  # what is wrong with these is what stands in the way
            return Notice(f"{message} {_aside(report)}", _remedy_of_most(report))
        return Notice(message, "Give rows of at least two classes, or map another label column.")
    if label_type == "number" and labels > MAX_FRACTIONAL_LABELS:
        return Notice(
            f"{mapping.label_title} holds numbers with {labels:,} different values, not classes.",
            "Map a column with class names, or cut the numbers into a few classes first.",
        )
    if labels >= FREE_TEXT_LABELS and labels > FREE_TEXT_SHARE * report.rows_kept:
        return Notice(
            f"{mapping.label_title} has {labels:,} different labels in {report.rows_kept:,} rows; it looks like "
            "free text or an id, not like classes.",
            "Map the column with the class names.",
        )
    return None


def find_warnings(report: ValidationReport) -> list[Notice]:
    """Say what should be looked at, the most serious first."""
    if not report.rows_kept:
        return []
    return [
        *_about_rows(report),
        *_about_ties(report),
        *_about_duplicates(report),
        *_about_classes(report),
        *_about_length(report),
    ]


def describe_votes(votes: VoteSummary | None) -> Iterator[str]:
    """Say, in sentences, how several people's labels were read and how far these people agree."""
    if votes is None:
        return
    of = f"column {votes.columns[0]}" if len(votes.columns) == 1 else f"columns {', '.join(votes.columns)}"
    whose = f"{'up to ' if len(votes.columns) == 1 else ''}{votes.people:,} people ({of})"
    if votes.label is None:
        yield f"The label is what most of {whose} say."
    else:
        yield f"The label is column {votes.label}; the labels of {whose} say how far people disagree with it."
    if not votes.contested:
        yield f"In all {votes.rows:,} rows all of them say that label."
        return
    yield f"In {votes.contested:,} of {votes.rows:,} rows ({votes.contested_share:.1%}) not all of them say that label."


def describe_ties(votes: VoteSummary) -> str:
    """Say what became of the rows on which people are tied."""
    if votes.skip_ties:
        return f"{votes.ties:,} rows on which people are tied are left out."
    first = "the list" if len(votes.columns) == 1 else ", ".join(votes.columns)
    return (
        f"In {votes.ties:,} of {votes.rows:,} rows people are tied; such a row has, of the tied labels, the one that "
        f"comes first in {first}."
    )


def about_splits(source: Source, mapping: ColumnMapping) -> Iterator[Notice]:
    """Say that the parts of a source are splits where nothing in the mapping does."""
    if source.split_column is not None and mapping.split is None:
        yield Notice(
            f"All rows are trained on: the column {source.split_column!r}, which has their splits, is not mapped.",
            f"Map {source.split_column!r} as the split, if the rows of test shall only be judged.",
            "split",
        )


def _about_rows(report: ValidationReport) -> Iterator[Notice]:
    if report.set_aside:
        yield Notice(
            _aside(report), "They are listed with their line numbers; correct them in the source and import it again."
        )


def _about_ties(report: ValidationReport) -> Iterator[Notice]:
    votes = report.votes
    if votes is not None and votes.ties and not votes.skip_ties:
        yield Notice(describe_ties(votes), "Put first whom you trust most, or leave these rows out.", "skip_ties")


def _aside(report: ValidationReport) -> str:
    count = sum(report.set_aside.values())
    return f"{count:,} of {report.rows_read:,} rows cannot be used and are set aside: {_reasons(report)}."


def _reasons(report: ValidationReport) -> str:
    return ", ".join(f"{count:,} × {reason}" for reason, count in report.set_aside.items())


def _remedy_of_most(report: ValidationReport) -> str:
    """What to do about the rows that are set aside for the most frequent reason."""
    worst = max(report.set_aside, key=lambda title: report.set_aside[title])
    return next(reason.remedy for reason in Reason if reason.title == worst)


def _about_duplicates(report: ValidationReport) -> Iterator[Notice]:
    if report.conflicting_duplicates:
        yield Notice(
            f"{report.conflicting_duplicates:,} rows have the same text as another row, but another label.",
            "At most one of the labels can be right; look at them in the audit.",
        )
    if report.leaked_duplicates:
        yield Notice(
            f"{report.leaked_duplicates:,} rows outside train are the same as a row of train, or nearly.",
            "Accuracy on them says little; remove them from one side.",
        )
    if report.near_duplicates > LARGE_SHARE * report.rows_kept:
        yield Notice(
            f"{report.near_duplicates:,} of {report.rows_kept:,} rows are the same as another row, or nearly.",
            "Consider keeping one of each group.",
        )


def _about_classes(report: ValidationReport) -> Iterator[Notice]:
    in_train = {name: counts.get(TRAIN, 0) for name, counts in report.classes.items()}
    rare = sorted((count, name) for name, count in in_train.items() if count < FEW_ROWS)
    if rare:
        some = ", ".join(f"{name!r} ({count})" for count, name in rare[:5]) + (", ..." if len(rare) > 5 else "")
        yield Notice(
            f"Classes with fewer than {FEW_ROWS} training rows: {some}.",
            "Add rows, or join these classes with others.",
        )
    train_rows = sum(in_train.values())
    largest = max(in_train, key=lambda name: in_train[name])
    if in_train[largest] > DOMINANT_SHARE * train_rows:
        share = in_train[largest] / train_rows
        yield Notice(
            f"{share:.0%} of the training rows have the label {largest!r}.",
            "Compare accuracies with this share, and look at the rare classes one by one.",
        )
    names = [*in_train, *(report.votes.minority if report.votes else ())]
    spellings = defaultdict(list)
    for name in names:
        spellings[name.casefold()].append(name)
    for alike in spellings.values():
        if len(alike) > 1:
            yield Notice(f"Labels that differ only in case: {', '.join(map(repr, alike))}.", "Spell them alike.")
    for alike in find_look_alikes(names):
        written = ", ".join(map(ascii, alike))
        yield Notice(
            f"Labels that look alike but are different characters: {written}.", "Spell them alike in the source."
        )
    for alike in same_numbers(names):
        yield Notice(
            f"Labels that are the same number: {', '.join(alike)}.", "Write them alike, or give the classes names."
        )
    joined = find_joined(in_train)
    if joined:
        some = ", ".join(map(repr, joined[:5])) + (", ..." if len(joined) > 5 else "")
        rows = sum(sum(report.classes[name].values()) for name in joined)
        yield Notice(
            f"Labels that look like several in one (multi-label): {some}; each counts as a class of its own "
            f"({rows:,} rows).",
            "Keep one label per row, or import each label as a data set of its own.",
        )
    for name in report.no_labels:
        if report.votes is not None:
            said = report.votes.minority.get(name)
            yield Notice(
                f"The label {name!r}{f' ({said:,} times)' if said else ''} looks like a missing value, but counts as "
                "what somebody says.",
                "If it is none, skip this label: who says it then says nothing.",
                "skip_labels",
            )
            continue
        rows = sum(report.classes[name].values())
        yield Notice(
            f"The label {name!r} ({rows:,} rows) looks like a missing value, but counts as a class.",
            "If it is none, skip this label: its rows are then set aside.",
            "skip_labels",
        )


def _about_length(report: ValidationReport) -> Iterator[Notice]:
    share = report.truncation[DEFAULT_MAX_LENGTH]
    if share <= LARGE_SHARE:
        return
    enough = next((length for length, cut in report.truncation.items() if cut <= LARGE_SHARE), max(report.truncation))
    yield Notice(
        f"About {share:.0%} of the rows are longer than {DEFAULT_MAX_LENGTH} tokens and would be cut.",
        f"Raise the max length to {enough}, or accept that the ends of long texts are not read.",
    )
