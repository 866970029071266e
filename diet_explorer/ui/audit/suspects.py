"""What the Audit page asks about suspects, cached: nothing of it changes by a decision."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.suspects.table import KIND_RULE, Suspect
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.errors import NotFoundError
from diet_explorer.ui.drawing import words
from diet_explorer.ui.drawing.colours import OTHERS
from diet_explorer.ui.drawing.markup import chip, help_mark
from diet_explorer.ui.drawing.plain import escape, visible
from diet_explorer.ui.examples.card import blind_card_html, card_html
from diet_explorer.ui.shell import exploration, library
from diet_explorer.ui.shell.library import where_key
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

_ENTRIES = 512
_REASONS = 4
_NEAR_CHARACTERS = 220
KIND_TITLES = {
    "mislabelled?": "Mislabelled?",
    "hard, maybe right": "Hard, maybe right",
    "ambiguous": "Ambiguous",
    "no sign": "No sign of an error",
}


def evidence_stamp(run: Run) -> str:
    """Changes when there is more to judge suspects by: scores, folds, a map."""
    folds = run.audit.fold_run()
    return f"{run.store.stamp()} {run.maps.stamp()} {f'{folds.id} {folds.status}' if folds else ''}"


def suspect(run: Run, stamp: str, row: int, checkpoint: float) -> Suspect | None:
    """See `Run.audit.suspect`; None for an example outside the training split.

    Parameters
    ----------
    stamp : str
        `evidence_stamp`, which a caller asks for once.
    """
    return _suspect(run, run.id, stamp, row, checkpoint)


def page(run: Run, by: str, where: ExampleFilter, checkpoint: float, limit: int, offset: int) -> pd.DataFrame:
    """See `Run.audit.suspects`."""
    stamp = f"{evidence_stamp(run)} {library.stamp(run)}"
    return _page(run, run.id, stamp, by, where_key(where), where, checkpoint, limit, offset)


def suggestion_count(run: Run, where: ExampleFilter, checkpoint: float) -> int:
    """How many examples that a filter keeps have a suggested label; see `Run.audit.suggestions`."""
    stamp = f"{evidence_stamp(run)} {library.stamp(run)}"
    return _suggestion_count(run, run.id, stamp, where_key(where), where, checkpoint)


def short_texts(run: Run, rows: list[int], characters: int = 90) -> list[str]:
    """The beginnings of some examples' texts."""
    examples = ExampleRows(run.store.files, run.dataset.manifest).of(np.asarray(rows, dtype=np.int64))
    return [visible(str(text)[:characters]) for text in examples["text"].to_pylist()]


def suspect_card(
    selection: Selection, dataset: Dataset, run: Run, stamp: str, checkpoint: float, row: int, *, hidden: bool
) -> str:
    """The card of a suspect: text, labels, why it is one, scores, neighbours.

    Parameters
    ----------
    stamp : str
        `evidence_stamp`.
    hidden : bool
        Whether what models think stays out of it.
    """
    key = (run.id, stamp, row, checkpoint, selection.seed, selection.where.text, hidden)
    return _card(key, selection, dataset, run, stamp, checkpoint, row, hidden)


def why_html(entry: Suspect, colours: dict[str, str]) -> str:
    """Why an example is suspected, and which label it may deserve."""
    title = f"<b>{escape(KIND_TITLES[entry.kind])}</b> {help_mark(KIND_RULE)}"
    if entry.suggested is None:
        proposal = "The models believe the given label most."
    else:
        share = words.percent(entry.suggested_share)
        proposal = f"Suggested {chip(entry.suggested, colours.get(entry.suggested, OTHERS))} models give it {share}"
    reasons = "".join(
        f'<li>{escape(reason.words)} <span class="de-quiet">{escape(reason.title)}, more suspicious than '
        f"{reason.percentile:.1f} %</span></li>"
        for reason in entry.reasons[:_REASONS]
    )
    position = f"suspect {words.whole(entry.place)} of {words.whole(entry.total)}"
    return (
        f'<div class="de-why"><p>{title} · {proposal} <span class="de-quiet de-place">{position}</span></p>'
        f"{f'<ul>{reasons}</ul>' if reasons else ''}</div>"
    )


def _near_html(near: pd.DataFrame, colours: dict[str, str]) -> str:
    if near.empty:
        return ""
    lines = "".join(
        f"<tr><td>{words.three(entry['similarity'])}</td><td><div>{escape(str(entry['text'])[:_NEAR_CHARACTERS])}</div></td>"
        f"<td>{chip(entry['label'], colours.get(entry['label'], OTHERS))}</td></tr>"
        for entry in near.to_dict("records")
    )
    return f'<h4>Nearest examples: similarity, text, given label</h4><table class="de-near">{lines}</table>'


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _suspect(_run: Run, run_id: str, stamp: str, row: int, checkpoint: float) -> Suspect | None:
    try:
        return _run.audit.suspect(row, checkpoint)
    except NotFoundError:
        return None


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _page(
    _run: Run,
    run_id: str,
    stamp: str,
    by: str,
    where_text: str,
    _where: ExampleFilter,
    checkpoint: float,
    limit: int,
    offset: int,
) -> pd.DataFrame:
    return _run.audit.suspects(by, _where, checkpoint, limit, offset)


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _suggestion_count(
    _run: Run, run_id: str, stamp: str, where_text: str, _where: ExampleFilter, checkpoint: float
) -> int:
    return len(_run.audit.suggestions(_where, checkpoint))


@st.cache_data(max_entries=_ENTRIES, show_spinner=False)
def _card(
    key: tuple[object, ...],
    _selection: Selection,
    _dataset: Dataset,
    _run: Run,
    stamp: str,
    checkpoint: float,
    row: int,
    hidden: bool,
) -> str:
    example, percentiles = library.card(_run, row, checkpoint, _selection.seed)
    mapping = _dataset.manifest.mapping
    titles = (mapping.text, mapping.text_pair or "")
    colours, query = _selection.colours, _selection.where.text
    if hidden:
        return blind_card_html(example, colours=colours, query=query, text_titles=titles)
    entry = suspect(_run, stamp, row, checkpoint)
    whole = card_html(
        example,
        colours=colours,
        checkpoint=checkpoint,
        seed=_selection.seed,
        percentiles=percentiles,
        query=query,
        text_titles=titles,
        reasons=why_html(entry, colours) if entry else "",
    )
    return whole + f'<div class="de-card">{_near_html(exploration.neighbours(_run, row), colours)}</div>'
