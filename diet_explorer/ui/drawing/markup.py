"""Small pieces of HTML that several parts of a page share; every value is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from diet_explorer.analysis.search.language import hit_spans
from diet_explorer.drawing.colours import ACCENT, NEUTRAL
from diet_explorer.drawing.plain import cut_name, escape, visible
from diet_explorer.scoring.catalogue import Score

_CHIP_CHARACTERS = 60
_WIDTH, _HEIGHT, _MARGIN = 120, 26, 3


def chip(name: str, colour: str, *, differs: bool = False) -> str:
    """A class as a coloured chip; `differs` draws the outline for "given ≠ predicted"."""
    outline = " de-differs" if differs else ""
    shown = cut_name(name, _CHIP_CHARACTERS)
    whole = f' title="{escape(name)}"' if shown != visible(name) else ""
    return f'<span class="de-chip{outline}" style="--colour:{escape(colour)}"{whole}><i></i>{escape(shown)}</span>'


def help_mark(text: str) -> str:
    """A (?) that shows an explanation on hover and on keyboard focus."""
    safe = escape(text)
    return f'<span class="de-help" tabindex="0" role="note" aria-label="{safe}" data-help="{safe}">?</span>'


def score_name(entry: Score) -> str:
    """A score's title with its explanation."""
    return f"{escape(entry.title)} {help_mark(entry.help)}"


def pieces(text: str, query: str) -> list[str]:
    """The parts of a text as people see it, plain ones and hits of a search in turn; the first may be empty."""
    parts, end = [], 0
    for start, stop in hit_spans(text, query) if query else []:
        parts += [text[end:start], text[start:stop]]
        end = stop
    return [visible(part) for part in [*parts, text[end:]]]


def highlighted(text: str, query: str) -> str:
    """The text with the hits of a search marked; text and query are taken literally."""
    return "".join(
        f"<mark>{escape(part)}</mark>" if number % 2 else escape(part)
        for number, part in enumerate(pieces(text, query))
    )


def bar(share: float) -> str:
    """A thin bar for a share in 0..1."""
    return f'<span class="de-bar"><i style="width:{100 * min(max(share, 0.0), 1.0):.1f}%"></i></span>'


def figures(entries: Sequence[tuple[str, str]], more: str = "", *, two: bool = False, live: bool = False) -> str:
    """Numbers in a line, each with what it counts.

    Parameters
    ----------
    entries : sequence of (str, str)
    more : str
        HTML of further ones.
    two : bool
        Two in a line.
    live : bool
        Whether screen readers say when they change.
    """
    cells = "".join(f"<div><b>{escape(value)}</b><span>{escape(what)}</span></div>" for value, what in entries)
    status = ' role="status"' if live else ""
    return f'<div class="de-figures{" de-two" if two else ""}"{status}>{cells}{more}</div>'


def job_bar(title: str, figure: str, share: float, hint: str = "") -> str:
    """Something that goes on: what it is, how far in words, a bar, and `hint` on hover."""
    hover = f' title="{escape(hint)}"' if hint else ""
    return (
        f'<div class="de-job" role="status"{hover}><p><span>{escape(title)}</span><b>{escape(figure)}</b></p>'
        f"{bar(share)}</div>"
    )


def sparkline(
    points: Sequence[float],
    middle: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    current: float | None,
    label: str,
) -> str:
    """A small line over checkpoints with the band of the seeds.

    Parameters
    ----------
    points : sequence of float
        Checkpoints in epochs, ascending.
    middle, low, high : sequences of float
        Mean, least and greatest value over the seeds at each checkpoint.
    current : float or None
        The checkpoint to mark.
    label : str
        What a screen reader says and a pointer shows.
    """
    bottom, top = min(low), max(high)
    span = (top - bottom) or 1.0
    reach = (points[-1] - points[0]) or 1.0

    def x(point: float) -> float:
        return _MARGIN + (point - points[0]) / reach * (_WIDTH - 2 * _MARGIN)

    def y(value: float) -> float:
        return _HEIGHT - _MARGIN - (value - bottom) / span * (_HEIGHT - 2 * _MARGIN)

    def path(values: Sequence[float]) -> list[str]:
        return [f"{x(point):.1f},{y(value):.1f}" for point, value in zip(points, values, strict=True)]

    drawing = [
        f'<polygon points="{" ".join(path(high) + path(low)[::-1])}" fill="{ACCENT}" fill-opacity="0.3"/>',
        f'<polyline points="{" ".join(path(middle))}" fill="none" stroke="{ACCENT}" stroke-width="1.8"/>',
    ]
    if bottom < 0 < top:
        drawing.insert(0, f'<path d="M0 {y(0):.1f}H{_WIDTH}" stroke="{NEUTRAL}" stroke-dasharray="3 3"/>')
    if current is not None and current in points:
        position = list(points).index(current)
        drawing.append(f'<circle cx="{x(current):.1f}" cy="{y(middle[position]):.1f}" r="3" fill="{ACCENT}"/>')
    image = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(drawing)}</svg>'
    )
    safe = escape(label)
    return f'<img class="de-spark" src="data:image/svg+xml,{quote(image)}" alt="{safe}" title="{safe}">'
