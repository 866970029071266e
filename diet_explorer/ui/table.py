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

from diet_explorer.scoring import catalogue
from diet_explorer.scoring.catalogue import Score
from diet_explorer.ui import words
from diet_explorer.ui.colours import OTHERS

_HERE = Path(__file__).parent
_HTML = '<div class="frame"><table aria-label="Ranked examples"><thead><tr></tr></thead><tbody></tbody></table></div>'
_TEXT_LIMIT = 600

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
    place : str
        Names the page, so that only a change of page scrolls to the top.
    selected : int or None
        Row of the example whose card is open.
    query : str
        Text to mark.
    spread : bool
        Whether the standard deviation over seeds is shown.
    """

    place: str
    selected: int | None
    query: str
    spread: bool


def ranked_table(
    rows: pd.DataFrame,
    score: Score,
    colours: Mapping[str, str],
    state: TableState,
    on_open: Callable[[int], None],
    *,
    key: str = "ranked-table",
) -> None:
    """Draw one page of ranked examples.

    Parameters
    ----------
    rows : pandas.DataFrame
        What `Run.ranked` returns.
    score : Score
        The score that ranks them.
    colours : mapping
        Class name to hex colour.
    state : TableState
    on_open : callable
        Called with the row of the example whose line was chosen.
    """

    def opened() -> None:
        row = st.session_state[key].open
        if row is not None:
            on_open(int(row))

    lines = table_lines(rows, score, colours, spread=state.spread)
    head = table_head(score)
    stamp = hashlib.sha256(json.dumps([head, lines, state.query]).encode()).hexdigest()
    data = {
        "head": head,
        "rows": lines,
        "stamp": stamp,
        "place": state.place,
        "selected": state.selected,
        "query": state.query,
    }
    _mount(key=key, data=data, on_open_change=opened)


def table_head(score: Score) -> Sequence[Sequence[str]]:
    """Class, title and help of each column."""
    return [
        ["rank", "#", "Rank within its split; 1 is the worst."],
        ["score", score.title if len(score.title) <= 8 else score.title.split()[0], score.help],
        ["text", "Text", ""],
        ["labels", "Labels", "Above the label in the dataset, below the model's; outlined where they differ."],
        ["share", "P(given)", catalogue.score("p_label").explanation],
    ]


def table_lines(rows: pd.DataFrame, score: Score, colours: Mapping[str, str], *, spread: bool) -> list[dict[str, Any]]:
    """The rows as the browser draws them; long texts are cut, the card has them whole."""
    texts = [name for name in ("text", "text_pair") if name in rows.columns]
    lines = []
    for example in rows.to_dict("records"):
        lines.append(
            {
                "row": int(example["row"]),
                "rank": words.whole(example["rank"]),
                "score": words.three(example[score.name]),
                "spread": words.three(example[f"{score.name}_std"]) if spread else "",
                "texts": [str(example[name] or "")[:_TEXT_LIMIT] for name in texts],
                "label": example["label"],
                "label_colour": colours.get(example["label"], OTHERS),
                "predicted": example["predicted"],
                "predicted_colour": colours.get(example["predicted"], OTHERS),
                "differs": example["label"] != example["predicted"],
                "share": float(example["p_label"]),
            }
        )
    return lines
