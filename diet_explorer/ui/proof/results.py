"""What came of a proof: the chart, a sentence per policy, and all numbers."""

from __future__ import annotations

from math import isfinite
from typing import Any

import pandas as pd
import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.drawing.proofs import MEASURE_TITLES, proof_figure
from diet_explorer.pruning.proof import MEASURES, Measure
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.charts import draw_chart
from diet_explorer.ui.shell.empty_states import skeleton
from diet_explorer.workspace.proof import Proof

_VERDICTS_HEIGHT = 210
_TABLE_HEIGHT = 520


def evaluated_words(proof: Proof) -> str:
    """What its results are taken over."""
    where = "held-out" if proof.evaluated_on == "held out" else proof.evaluated_on
    return counted(proof.evaluated, f"{where} example")


def draw_results(proof: Proof, table: pd.DataFrame) -> None:
    """Draw the chart and the verdicts."""
    if not table["seeds"].any():
        st.html(f'<p class="de-quiet">The first result appears when a training has ended.</p>{skeleton(300)}')
        return
    measure = st.segmented_control(
        "Measure",
        MEASURES,
        default="accuracy",
        format_func=MEASURE_TITLES.__getitem__,
        required=True,
        key="proof-measure",
        label_visibility="collapsed",
    )
    note = "Means with 95 % intervals over seeds"
    if proof.until_decided is not None:
        note += " that may be looked at at any time, each by itself"
    draw_chart(
        proof_figure(table, measure),
        title=f"{MEASURE_TITLES[measure]} on {evaluated_words(proof)}, against what is kept",
        note=note,
        key="proof-chart",
        table=lambda: table,
    )
    policies = table[table["kind"] == "policy"]
    lines = "".join(f"<li>{escape(sentence)}</li>" for sentence in policies["verdict"])
    with st.container(key="verdicts", height=_VERDICTS_HEIGHT if len(policies) > 4 else "content"):
        st.html(
            '<h2 class="de-chart-title">Is it worth it?</h2>'
            f'<div role="status"><ul class="de-cautions">{lines}</ul></div>'
            f'<p class="de-quiet">{escape(proof.intervals)}</p>'
        )


def draw_table(proof: Proof, table: pd.DataFrame) -> None:
    """Draw all numbers: means with intervals, and paired differences."""
    lines = "".join(
        f"<tr{_hint(row['policy'])}><td>{escape(row['title'])}</td>"
        f'<td class="de-figure">{words.whole(row["kept"])}<br><span class="de-quiet">{row["share"]:.1f} %</span></td>'
        f'<td class="de-figure">{row["seeds"]}</td>'
        + "".join(f'<td class="de-figure">{_interval(row, measure)}</td>' for measure in MEASURES)
        + "".join(f'<td class="de-figure">{_difference(row, other)}</td>' for other in ("vs_random", "vs_full"))
        + "</tr>"
        for row in table.to_dict("records")
    )
    heads = ("kept", "seeds", *(MEASURE_TITLES[measure] for measure in MEASURES), "against random", "against full data")
    head = "".join(f'<th class="de-figure">{title}</th>' for title in heads)
    with st.container(key="proof-table", height=_TABLE_HEIGHT, border=False):
        st.html(
            '<table class="de-list" aria-label="Results"><thead><tr><th>Choice</th>'
            f"{head}</tr></thead><tbody>{lines}</tbody></table>"
            '<p class="de-quiet">Below each mean its 95 % interval. Differences are in points of accuracy; where the '
            f"interval holds 0, no difference is seen. {escape(proof.intervals)}</p>"
        )


def _hint(policy: object) -> str:
    """The policy in words, on hover; other lines than policies' have none (NaN in the table)."""
    return f' title="{escape(policy)}"' if isinstance(policy, str) else ""


def _interval(row: dict[Any, Any], measure: Measure) -> str:
    shown = _share if measure != "loss" else words.three
    return f"{shown(row[measure])}<br>{_bounds(row, measure, shown)}"


def _difference(row: dict[Any, Any], name: str) -> str:
    decision = row[f"{name}_decision"]
    decided = f'<br><span class="de-quiet">{escape(decision)}</span>' if isinstance(decision, str) else ""
    return f"{_points(row[name])}<br>{_bounds(row, name, _points)}{decided}"


def _bounds(row: dict[Any, Any], name: str, shown: Any) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    known = isfinite(low) and isfinite(high)
    return f'<span class="de-quiet">{shown(low)}</span> <span class="de-quiet">to {shown(high)}</span>' if known else ""


def _share(value: float) -> str:
    return words.percent(value if isfinite(value) else None)


def _points(value: float) -> str:
    return words.signed(100 * value, 1) if isfinite(value) else words.NOT_THERE
