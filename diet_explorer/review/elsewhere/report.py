"""What came of a file that a labelling tool exported. Light to import, since the command line's help does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LeftOut:
    """An answer that is no decision.

    Attributes
    ----------
    row : int
        The line of the file, or the task's number in it.
    example : str or None
        The example's id; None where the file has none.
    why : str
        In words.
    """

    row: int
    example: str | None
    why: str


@dataclass(frozen=True)
class TakenBack:
    """What came of a file that a labelling tool exported.

    Attributes
    ----------
    tool : str
        Which tool it is of.
    added, known : int
        Decisions that were new to the ledger, and those that it had already.
    open : int
        Examples that nobody has looked at yet.
    decisions : dict of str to int
        New and known decisions by what they are: keep, relabel, exclude, unsure.
    left_out : tuple of LeftOut
        What is no decision, and why, in the order of the file.
    """

    tool: str
    added: int
    known: int
    open: int
    decisions: dict[str, int]
    left_out: tuple[LeftOut, ...]


def told(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """A line for each answer that is no decision."""
    for entry in left_out:
        yield f"Row {entry.row:,}{'' if entry.example is None else f' ({entry.example})'}: {entry.why}"
