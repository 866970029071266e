"""The colours: classes (Okabe-Ito, fixed per dataset) and scores (cividis)."""

from __future__ import annotations

from collections.abc import Sequence

OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000")
OTHERS = "#8A8F98"
ACCENT = "#3B7DB8"
SECOND = "#D55E00"
THIRD = "#009E73"
NEUTRAL = "#8A8F98"
TRAJECTORY_COLOURS = ("#56B4E9", "#009E73", "#E69F00", "#D55E00")
"""From learned early to never learned."""
DECISION_COLOURS = ("#8A8F98", "#009E73", "#56B4E9", "#D55E00", "#F0E442")
"""Undecided, keep, relabel, exclude, unsure."""
_CIVIDIS = (
    "#00224E",
    "#123570",
    "#3B496C",
    "#575D6D",
    "#707173",
    "#8A8678",
    "#A59C74",
    "#C3B369",
    "#E1CC55",
    "#FEE838",
)


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """Class name to hex colour.

    The order of `classes` in the dataset's manifest decides, so a class has one colour on every page;
    from the ninth class on all share one grey.
    """
    return {name: OKABE_ITO[number] if number < len(OKABE_ITO) else OTHERS for number, name in enumerate(classes)}


def cividis(share: float) -> str:
    """Hex colour of a position on the score scale, 0 (low) to 1 (high)."""
    position = min(max(share, 0.0), 1.0) * (len(_CIVIDIS) - 1)
    left = min(int(position), len(_CIVIDIS) - 2)
    blend = position - left
    ends = (_CIVIDIS[left], _CIVIDIS[left + 1])
    channels = [[int(colour[start : start + 2], 16) for start in (1, 3, 5)] for colour in ends]
    mixed = (round(a + (b - a) * blend) for a, b in zip(*channels, strict=True))
    return "#" + "".join(f"{channel:02X}" for channel in mixed)


def score_scale(*, dark: bool) -> list[tuple[float, str]]:
    """Cividis as plotly takes it; on a dark page without its darkest part, which could not be seen there."""
    start = 0.3 if dark else 0.0
    return [(step / 8, cividis(start + (1 - start) * step / 8)) for step in range(9)]


def count_scale(*, dark: bool) -> list[tuple[float, str]]:
    """Cividis for numbers of examples: few are near the page's own colour, many stand out from it."""
    scale = score_scale(dark=dark)
    return scale if dark else [(share, colour) for (share, _), (_, colour) in zip(scale, scale[::-1], strict=True)]
