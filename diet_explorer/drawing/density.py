"""Counts in the cells of a grid as plotly's heat map takes them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from diet_explorer.analysis.region import Box


def heat_cells(grid: pd.DataFrame, box: Box, bins: tuple[int, int]) -> dict[str, object]:
    """Position and size of the cells, the logarithm of each count as colour, and the counts themselves.

    Parameters
    ----------
    grid : pandas.DataFrame
        ``x_bin, y_bin, count`` of the cells that hold examples.
    box : tuple of float
        What the cells cover: least and greatest x, least and greatest y.
    bins : tuple of (int, int)
        Cells across and up.
    """
    left, right, bottom, top = box
    wide, high = (right - left) / bins[0], (top - bottom) / bins[1]
    counts = np.full((bins[1], bins[0]), np.nan)
    counts[grid["y_bin"].astype(int), grid["x_bin"].astype(int)] = grid["count"]
    return {
        "x0": left + wide / 2,
        "dx": wide,
        "y0": bottom + high / 2,
        "dy": high,
        "z": np.log10(counts),
        "customdata": counts,
    }
