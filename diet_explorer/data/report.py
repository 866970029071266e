"""The validation report: what is in a source and what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Notice(NamedTuple):
    """Something to know of a source."""

    message: str
    remedy: str
    setting: str = ""  # name of the choice that mends it: one of `ReadingOptions`, or skip_labels


@dataclass(frozen=True)
class LengthSummary:
    """Lengths of the rows that were kept."""

    median: int
    p95: int
    longest: int
    edges: list[int]  # lower edges of the bins; the last bin is open
    counts: list[int]  # rows per bin


@dataclass(frozen=True)
class VoteSummary:
    """What several people's labels say of the rows that were kept."""

    columns: list[str]  # that hold them; one column holds a list per row
    people: int  # columns, or the most labels of one row
    rows: int  # with a label of anybody
    contested: int  # rows where somebody says another label than the one it has
    ties: int  # rows on which people are tied, also those left out for it
    skip_ties: bool  # whether these are left out, rather than labelled by the first of them
    label: str | None  # the column of the label, where it is not the majority
    minority: dict[str, int]  # labels that no row has, though somebody says them, and how often; the most frequent ones
    # Per column: rows that the person labelled, and those of them whose label it is; empty for lists.
    labelled: list[int]
    agreeing: list[int]

    @property
    def contested_share(self) -> float:
        """Share of the rows that are contested."""
        return self.contested / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class ValidationReport:
    """Counts, lengths and problems of a source.

    Parameters
    ----------
    rows_read, rows_kept : int
        All rows of the source, blank and broken ones included; and those that can be used.
    set_aside : dict of str to int
        Rows that cannot be used, per reason.
    set_aside_rows : list of dict
        ``line, reason, remedy, raw, file`` of the first 100 of them; after the import all are in `set_aside.parquet`.
    classes : dict of str to dict of str to int
        Kept rows per class and split.
    splits : dict of str to int
        Kept rows per split.
    exact_duplicate_groups, exact_duplicates : int
        Groups of rows with the same words, and the rows beyond the first of each group.
    conflicting_duplicates : int
        Rows in those groups that hold more than one label.
    near_duplicate_groups, near_duplicates : int
        Groups of rows that are the same or nearly, and the rows in them.
    leaked_duplicates : int
        Rows outside train that are the same as, or nearly, a row of train.
    words, characters : LengthSummary
        Lengths; both texts of a pair count together.
    truncation : dict of int to float
        Estimated share of rows that would be cut at that many tokens, at 1.3 tokens per word and 2 around the text
        (3 for a pair).
    warnings : list of Notice
        What should be looked at; it does not stop an import.
    refusals : list of Notice
        What makes an import impossible.
    complete : bool
        Whether the whole source was read.
    read_as : list of str
        What was guessed or mended in reading the source, in sentences.
    no_labels : list of str
        Labels that look like none, such as -1 beside 0 and 1, or n/a.
    votes : VoteSummary or None
        Where several people's labels were read.
    """

    rows_read: int
    rows_kept: int
    set_aside: dict[str, int]
    set_aside_rows: list[dict[str, Any]]
    classes: dict[str, dict[str, int]]
    splits: dict[str, int]
    exact_duplicate_groups: int
    exact_duplicates: int
    conflicting_duplicates: int
    near_duplicate_groups: int
    near_duplicates: int
    leaked_duplicates: int
    words: LengthSummary
    characters: LengthSummary
    truncation: dict[int, float]
    warnings: list[Notice]
    refusals: list[Notice]
    complete: bool
    read_as: list[str] = field(default_factory=list)
    no_labels: list[str] = field(default_factory=list)
    votes: VoteSummary | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ValidationReport:
        """Rebuild a report from `to_json`'s result, also after a way through JSON text."""
        return cls(
            **{
                **value,
                "words": LengthSummary(**value["words"]),
                "characters": LengthSummary(**value["characters"]),
                "truncation": {int(length): share for length, share in value["truncation"].items()},
                "warnings": [Notice(*notice) for notice in value["warnings"]],
                "refusals": [Notice(*notice) for notice in value["refusals"]],
                "votes": VoteSummary(**votes) if (votes := value.get("votes")) else None,
            }
        )
