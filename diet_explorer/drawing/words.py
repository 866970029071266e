"""How numbers, times and durations read on every page."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
NOT_THERE = "–"


def whole(value: float) -> str:
    """A count with thousands separators."""
    return f"{value:,.0f}"


def percent(share: float | None) -> str:
    """A share (0..1) as a percentage with one decimal; a dash for None."""
    return NOT_THERE if share is None else f"{100 * share:.1f} %"


def round_percent(share: float) -> str:
    """A chosen share (0..1), such as the worst 5 %, with no more decimals than it has."""
    return f"{100 * share:g} %"


def signed(value: float, decimals: int = 0) -> str:
    """A change with its sign."""
    return f"{value:+,.{decimals}f}".replace("-", "−")


def three(value: float | None) -> str:
    """A score with three decimals; a dash for None and for what is not a number."""
    return NOT_THERE if value is None or value != value else f"{value:,.3f}"


def duration(seconds: float | None) -> str:
    """A time span in words short enough for a table; a dash for None."""
    if seconds is None:
        return NOT_THERE
    if seconds < 1:
        return "under 1 s"
    rounded = round(seconds)
    if rounded < _MINUTE:
        return f"{rounded} s"
    if rounded < _HOUR:
        minutes, rest = divmod(rounded, _MINUTE)
        return f"{minutes} min {rest:02d} s" if minutes < 10 else f"{minutes} min"
    hours, rest = divmod(rounded // _MINUTE, 60)
    return f"{hours} h {rest:02d} min"


def share_done(share: float, seconds_left: float | None = None, *, at_most: bool = False) -> str:
    """How far something is, and how long it will take, or at most, where that is known."""
    bound = "at most " if at_most else ""
    return percent(share) + (f" · {bound}{duration(seconds_left)} left" if seconds_left is not None else "")


def moment(when: datetime | None, now: datetime | None = None) -> str:
    """Relative time within the last day, ISO before that; a dash for None.

    Parameters
    ----------
    when : datetime or None
        With a time zone.
    now : datetime, optional
        Default: the present.
    """
    if when is None:
        return NOT_THERE
    seconds = ((now or datetime.now(UTC)) - when).total_seconds()
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min ago"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} h ago"
    return when.astimezone().strftime("%Y-%m-%d %H:%M")
