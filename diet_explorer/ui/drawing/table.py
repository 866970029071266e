"""The ranked table: real rows (no canvas) that open an example's card by click or Enter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.colours import OTHERS
from diet_explorer.drawing.plain import class_titles, visible
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.catalogue import Score
from diet_explorer.ui.drawing.markup import pieces

_HERE = Path(__file__).parent
_HTML = '<div class="frame"><table><thead><tr></tr></thead><tbody></tbody></table></div>'
_TEXT_LIMIT = 600
_LABEL_CHARACTERS = 18

_mount = st.components.v2.component(
    "diet_explorer.ranked_table",
    html=_HTML,
    css=(_HERE / "table.css").read_text(encoding="utf-8"),
    js=(_HERE / "table.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class TableState:
    """What the table shows beside its rows.

    Attributes
    ----------
    page : str
        Names the page of the list, so that only a change of page scrolls to the top.
    selected : int or None
        Row of the example whose card is open.
    short : bool
        As high as its rows, instead of as high as the window lets it be.
    dense : bool
        In lines of one row, for a narrow column.
    above : int
        Pixels of the window that it leaves to what is above and below it.
    """

    page: str
    selected: int | None = None
    short: bool = False
    dense: bool = False
    above: int = 276


def examples_table(
    title: str,
    head: Sequence[Sequence[str]],
    lines: Sequence[Mapping[str, Any]],
    state: TableState,
    on_open: Callable[[int], None],
    *,
    key: str,
) -> None:
    """Draw a table of examples.

    Parameters
    ----------
    title : str
        What it holds, for screen readers.
    head : sequence of (name, title, help)
        One per column; ``score, text, labels, share`` are drawn in their own way, others as figures.
    lines : sequence of mappings
        ``row`` and what the columns need; see `table_lines`.
    state : TableState
    on_open : callable
        Called with the row of the example whose line was chosen.
    """

    def opened() -> None:
        row = st.session_state[key].open
        if row is not None:
            on_open(int(row))

    stamp = hashlib.sha256(json.dumps([head, lines]).encode()).hexdigest()
    data = {
        "title": title,
        "head": head,
        "rows": lines,
        "stamp": stamp,
        "page": state.page,
        "selected": state.selected,
        "short": state.short,
        "dense": state.dense,
        "above": state.above,
    }
    _mount(key=key, data=data, on_open_change=opened)


def table_head(score: Score) -> Sequence[Sequence[str]]:
    """Name, title and help of each column of the ranked table."""
    return [
        ["rank", "#", "Rank within its split; 1 is the worst."],
        ["score", score.title if len(score.title) <= 8 else score.title.split()[0], score.help],
        ["text", "Text", ""],
        ["labels", "Labels", "Above the label in the dataset, below the model's; outlined where they differ."],
        ["share", "P(given)", catalogue.score("p_label").explanation],
    ]


def table_lines(
    rows: pd.DataFrame, score: Score, colours: Mapping[str, str], *, spread: bool, query: str = ""
) -> list[dict[str, Any]]:
    """The rows as the browser draws them; long texts are cut, the card has them whole."""
    texts, titles = text_columns(rows), class_titles(colours, _LABEL_CHARACTERS)
    lines = []
    for example in rows.to_dict("records"):
        lines.append(
            {
                **example_cells(example, texts, colours, query),
                "rank": words.whole(example["rank"]),
                "score": words.three(example[score.name]),
                "spread": words.three(example[f"{score.name}_std"]) if spread else "",
                "predicted": visible(example["predicted"]),
                "predicted_title": titles.get(example["predicted"], visible(example["predicted"])),
                "predicted_colour": colours.get(example["predicted"], OTHERS),
                "differs": example["label"] != example["predicted"],
                "share": float(example["p_label"]),
            }
        )
    return lines


def text_columns(rows: pd.DataFrame) -> list[str]:
    """Which columns of a table hold texts of the example."""
    return [name for name in ("text", "text_pair") if name in rows.columns]


def example_cells(
    example: Mapping[Any, Any], texts: Sequence[str], colours: Mapping[str, str], query: str = ""
) -> dict[str, Any]:
    """What every table shows of an example: row, texts with the hits of a search, given label."""
    return {
        "row": int(example["row"]),
        "texts": [pieces(str(example[name] or "")[:_TEXT_LIMIT], query) for name in texts],
        "label": visible(example["label"]),
        "label_title": class_titles(colours, _LABEL_CHARACTERS).get(example["label"], visible(example["label"])),
        "label_colour": colours.get(example["label"], OTHERS),
    }
