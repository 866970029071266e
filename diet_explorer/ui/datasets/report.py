"""The validation report of a source or a dataset: figures, notices, charts, rows set aside."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from diet_explorer.data.report import ValidationReport, VoteSummary
from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape, visible
from diet_explorer.store.in_words import counted
from diet_explorer.ui.datasets import charts
from diet_explorer.ui.drawing.markup import figures

_LABEL, _DISAGREEMENT = "→ Label", "→ Say otherwise"
_AGAIN = " Import the file again for that."
_REASON_COLUMNS = {"line": "Line", "reason": "Reason", "remedy": "What to do", "raw": "Row as written"}


def draw_figures(report: ValidationReport) -> None:
    """Rows, classes, duplicates in one line, each with its comparison."""
    gone = report.rows_read - report.rows_kept
    share = gone / report.rows_read if report.rows_read else 0.0
    splits = ", ".join(f"{name} {number:,}" for name, number in report.splits.items())
    entries = [
        (words.whole(report.rows_kept), f"usable rows of {report.rows_read:,}"),
        (words.whole(gone), f"set aside · {words.percent(share)}"),
        (words.whole(len(report.classes)), f"classes · {splits}" if len(report.splits) < 4 else "classes"),
        (words.whole(report.exact_duplicates), f"duplicates · {report.near_duplicates:,} near"),
    ]
    st.html(figures(entries))


def draw_notices(report: ValidationReport, *, is_imported: bool = False) -> None:
    """What stops the import, what should be looked at, each with its remedy, and how the source was read."""
    for kind, symbol, notices in (("refusal", "✕", report.refusals), ("warning", "!", report.warnings)):
        if notices:
            items = "".join(
                f'<li class="de-{kind}"><b><span aria-hidden="true">{symbol}</span> {escape(message)}</b>'
                f"<span>{escape(remedy)}{_AGAIN if setting and is_imported else ''}</span></li>"
                for message, remedy, setting in notices
            )
            st.html(f'<ul class="de-notices" aria-label="{kind}s">{items}</ul>')
    if not report.refusals and not report.warnings:
        st.html('<p class="de-quiet">✓ Nothing to complain about.</p>')
    if report.read_as:
        st.html(f'<p class="de-quiet" aria-label="how it was read">{escape(" ".join(report.read_as))}</p>')


def draw_charts(report: ValidationReport, colours: Mapping[str, str], *, key: str) -> None:
    """Class balance per split, and lengths with the share that would be cut off."""
    left, right = st.columns(2, gap="medium")
    with left:
        charts.class_balance(report.classes, colours, key=f"{key}-classes")
    with right:
        charts.length_histogram(report.words.edges, report.words.counts, "words", key=f"{key}-lengths")
        st.html(f'<p class="de-quiet">{_describe_lengths(report)}</p>')


def draw_votes(votes: VoteSummary) -> None:
    """Several people's labels: how many people, how often they differ, ties; and each person beside the label."""
    ties = "ties, left out" if votes.skip_ties else "ties, decided by who is first"
    entries = [
        (words.whole(votes.people), "people at most per row" if not votes.labelled else "people"),
        (words.percent(votes.contested_share), f"of the rows not unanimous · {votes.contested:,}"),
        *([] if votes.label else [(words.whole(votes.ties), ties)]),
    ]
    st.html(f'<h2 class="de-chart-title">Labels by several people</h2>{figures(entries)}')
    lines = "".join(
        f'<tr><td>{escape(name)}</td><td class="de-figure">{rows:,}</td>'
        f'<td class="de-figure">{words.percent(agreeing / rows) if rows else words.NOT_THERE}</td></tr>'
        for name, rows, agreeing in zip(votes.columns, votes.labelled, votes.agreeing, strict=False)
    )
    if lines:
        st.html(
            '<table class="de-list" aria-label="People who labelled"><thead><tr><th>Person</th>'
            '<th class="de-figure">Rows labelled</th><th class="de-figure">Say the label</th></tr></thead>'
            f"<tbody>{lines}</tbody></table>"
        )


def draw_vote_preview(votes: pd.DataFrame, *, key: str) -> None:
    """People's labels in the first rows, with the label that comes of them."""
    st.html('<p class="de-caption">What comes of the first rows</p>')
    shown = votes.map(lambda value: visible(value) if isinstance(value, str) else value)
    people = [visible(str(name)) for name in votes.columns[:-2]]
    shown.columns = pd.Index([*people, _LABEL, _DISAGREEMENT])
    shown[_DISAGREEMENT] = [words.NOT_THERE if pd.isna(share) else words.percent(share) for share in votes.iloc[:, -1]]
    shown[_LABEL] = [words.NOT_THERE if name is None else visible(name) for name in votes.iloc[:, -2]]
    st.dataframe(shown, key=key, hide_index=True)


def draw_set_aside(rows: pd.DataFrame, counts: Mapping[str, int], *, key: str) -> None:
    """The rows that cannot be used, with line, reason and remedy; nothing where there are none."""
    if rows.empty:
        return
    reasons = " · ".join(f"{reason}: {number:,}" for reason, number in counts.items())
    st.html(f'<p class="de-caption">Rows set aside <span class="de-quiet">{escape(reasons)}</span></p>')
    of_files = ["file"] if "file" in rows and rows["file"].notna().any() else []
    shown = rows[[*of_files, *_REASON_COLUMNS]].rename(columns={"file": "File", **_REASON_COLUMNS})
    shown = shown.assign(**{"Row as written": shown["Row as written"].map(visible)})
    st.dataframe(
        shown,
        key=key,
        hide_index=True,
        height=min(38 + 33 * len(shown), 210),
        column_config={
            "File": st.column_config.TextColumn(width=130),
            "Line": st.column_config.NumberColumn(width=60, format="localized"),
            "Reason": st.column_config.TextColumn(width=130),
            "What to do": st.column_config.TextColumn(width="medium"),
            "Row as written": st.column_config.TextColumn(width="medium"),
        },
    )


def _describe_lengths(report: ValidationReport) -> str:
    """Median and longest text, and the share cut off at each max length up to the first that cuts nothing."""
    cuts = []
    for length, share in report.truncation.items():
        cuts.append(f"{words.percent(share)} at {length}")
        if share == 0.0:
            break
    return (
        f"Median {counted(report.words.median, 'word')}, longest {report.words.longest:,}. "
        f"Cut off at a max length in tokens (estimated): {', '.join(cuts)}."
    )
