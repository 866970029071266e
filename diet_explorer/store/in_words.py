"""Counts and sizes as people read them, in messages, on pages and on the command line alike."""

from __future__ import annotations

_KILO = 1000


def counted(value: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun: "1 example", "8,467 examples"."""
    return f"{value:,} {noun(value, singular, plural)}"


def noun(value: int, singular: str, plural: str | None = None) -> str:
    """The noun that belongs to a count: "example" to 1, "examples" to 8,467."""
    return singular if value == 1 else plural or singular + "s"


def bytes_in_words(size: int) -> str:
    """A size, such as "12.3 MB"."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < _KILO:
            break
        value, unit = value / _KILO, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
