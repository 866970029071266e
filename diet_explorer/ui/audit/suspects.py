"""What the Audit page asks about suspects, cached: nothing of it changes by a decision."""

from __future__ import annotations

import numpy as np
import pandas as pd

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.analysis.suspects.calibration import ExpectedErrors
from diet_explorer.analysis.suspects.table import KIND_RULE, Suspect
from diet_explorer.data.example_rows import ExampleRows
from diet_explorer.drawing import words
from diet_explorer.drawing.colours import OTHERS, class_colours
from diet_explorer.drawing.plain import escape, visible
from diet_explorer.errors import NotFoundError
from diet_explorer.ui.drawing.markup import chip, help_mark
from diet_explorer.ui.examples.card import blind_card_html, card_html
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.asking import asked, landed_and_decided
from diet_explorer.workspace.run import Run

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


def _evidence_and_decisions(run: Run) -> str:
    return f"{evidence_stamp(run)} {landed_and_decided(run)}"


@asked(None)
def suspect(run: Run, stamp: str, row: int, checkpoint: float) -> Suspect | None:
    """See `Run.audit.suspect`; None for an example outside the training split. A caller asks once for the stamp, by
    `evidence_stamp`."""
    try:
        return run.audit.suspect(row, checkpoint)
    except NotFoundError:
        return None


@asked(_evidence_and_decisions)
def page(run: Run, by: str, where: ExampleFilter, checkpoint: float, limit: int, offset: int) -> pd.DataFrame:
    """See `Run.audit.suspects`."""
    return run.audit.suspects(by, where, checkpoint, limit, offset)


@asked(_evidence_and_decisions)
def suggestion_count(run: Run, where: ExampleFilter, checkpoint: float) -> int:
    """How many examples that a filter keeps have a suggested label; see `Run.audit.suggestions`."""
    return len(run.audit.suggestions(where, checkpoint))


@asked(_evidence_and_decisions)
def expected_errors(run: Run, by: str, where: ExampleFilter, checkpoint: float) -> ExpectedErrors:
    """See `Run.audit.expected_errors`."""
    return run.audit.expected_errors(by=by, where=where, checkpoint=checkpoint)


def short_texts(run: Run, rows: list[int], characters: int = 90) -> list[str]:
    """The beginnings of some examples' texts."""
    examples = ExampleRows(run.store.files, run.dataset.manifest).of(np.asarray(rows, dtype=np.int64))
    return [visible(str(text)[:characters]) for text in examples["text"].to_pylist()]


@asked(None)
def suspect_card(
    run: Run, stamp: str, row: int, checkpoint: float, seed: int | None, query: str, *, hidden: bool, notes: str = ""
) -> str:
    """The card of a suspect: text with the query marked, labels, notes (HTML), why it is one, scores, neighbours; what
    models think stays out of it where that is `hidden`."""
    example, percentiles = questions.card(run, row, checkpoint, seed)
    mapping = run.dataset.manifest.mapping
    titles = (mapping.text, mapping.text_pair or "")
    colours = class_colours(run.dataset.classes)
    if hidden:
        return blind_card_html(example, colours=colours, query=query, text_titles=titles, notes=notes)
    entry = suspect(run, stamp, row, checkpoint)
    whole = card_html(
        example,
        colours=colours,
        checkpoint=checkpoint,
        seed=seed,
        percentiles=percentiles,
        query=query,
        text_titles=titles,
        reasons=notes + (why_html(entry, colours) if entry else ""),
    )
    return whole + f'<div class="de-card">{_near_html(run.maps.neighbours(row), colours)}</div>'


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
    return f'<h2>Nearest examples: similarity, text, given label</h2><table class="de-near">{lines}</table>'
