"""The open example: its card with the way to the previous and next one, what is near it, and a second one beside it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.scoring import catalogue
from diet_explorer.ui.drawing.table import TableState, example_cells, examples_table, text_columns
from diet_explorer.ui.examples.card import card_html
from diet_explorer.ui.examples.decision_bar import draw_decision_history, draw_decisions, shown_history
from diet_explorer.ui.examples.decision_words import notes_html
from diet_explorer.ui.shell import questions
from diet_explorer.ui.shell.selection import Selection
from diet_explorer.ui.shell.view import change
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run

PAGE_SIZE = 50
_SAME_RANKING = ("el2n", "loss", "margin", "p_label")
_STEPS = ((-1, "Previous", "card-previous", "Left"), (1, "Next", "card-next", "Right"))
_SHORT_STEPS = {"Previous": ":material/arrow_back:", "Next": ":material/arrow_forward:"}
_NEIGHBOUR_HEAD = (
    ("similarity", "Similar", "Cosine of the two texts' representations in the model; 1 is the same direction."),
    ("text", "Text", ""),
    ("labels", "Given", "The neighbour's label in the dataset."),
)


def draw_card(
    selection: Selection, dataset: Dataset, run: Run, checkpoint: float, total: int, *, narrow: bool = False
) -> None:
    """Draw the open example with its way to the previous and the next one; `narrow` leaves words off the buttons."""
    row = selection.view.example
    if row is None:
        return
    position = _position(selection, run, checkpoint, row)
    with st.container(key="card-bar", horizontal=True, vertical_alignment="center", gap="small"):
        for step, label, key, shortcut in _STEPS:
            there = position is not None and 0 <= position + step < total
            st.button(
                "" if narrow else label,
                icon=_SHORT_STEPS[label] if narrow else None,
                key=key,
                shortcut=None if narrow else shortcut,
                help=label if narrow else None,
                disabled=not there,
                on_click=_step_to,
                args=(selection, run, checkpoint, (position or 0) + step),
            )
        where = "not in this list"
        if position is not None:
            where = f"{words.whole(position + 1)} of {words.whole(total)}"
        st.html(f'<span class="de-quiet">{where}</span>', width="stretch")
        if selection.view.beside is None and not narrow:
            st.button(
                "Pin",
                key="card-pin",
                icon=":material/keep:",
                on_click=change,
                kwargs={"beside": row},
                help="Keeps this example on the left, to compare others with it.",
            )
        st.button("Close", key="card-close", shortcut="Esc", on_click=change, kwargs={"example": None, "beside": None})
    example = questions.card(run, row, checkpoint, selection.seed)[0]
    draw_decisions(selection, dataset, run, checkpoint, example, with_keys=not narrow)
    draw_example(selection, dataset, run, checkpoint, row, key="card")


def draw_pinned(selection: Selection, dataset: Dataset, run: Run, checkpoint: float) -> None:
    """Draw the pinned example."""
    row = selection.view.beside
    if row is None:
        return
    with st.container(key="pinned-bar", horizontal=True, vertical_alignment="center", gap="small"):
        st.html('<span class="de-quiet">Pinned</span>', width="stretch")
        st.button("Unpin", key="card-unpin", icon=":material/keep_off:", on_click=change, kwargs={"beside": None})
    draw_example(selection, dataset, run, checkpoint, row, key="pinned")


def draw_example(selection: Selection, dataset: Dataset, run: Run, checkpoint: float, row: int, *, key: str) -> None:
    """Draw one example whole: card, notes on the score, nearest neighbours."""
    example, percentiles = questions.card(run, row, checkpoint, selection.seed)
    mapping = dataset.manifest.mapping
    notes = score_notes(selection, dataset, checkpoint)
    history = shown_history(dataset, row)
    with st.container(key=key):
        st.html(
            card_html(
                example,
                colours=selection.colours,
                checkpoint=checkpoint,
                seed=selection.seed,
                percentiles=percentiles,
                query=selection.where.text,
                text_titles=(mapping.text, mapping.text_pair or ""),
                reasons=notes_html(history, example.label),
            )
        )
        _draw_neighbours(selection, run, row, example.id, example.label, key=key)
        draw_decision_history(history, example)
        if notes:
            st.html("".join(f'<p class="de-quiet">{escape(line)}</p>' for line in notes))


def score_notes(selection: Selection, dataset: Dataset, checkpoint: float | None) -> list[str]:
    """The cautions that belong to the chosen checkpoint and score."""
    notes = []
    caution = None if checkpoint is None else catalogue.checkpoint_note(checkpoint)
    if caution:
        notes.append(caution)
    if len(dataset.classes) == 2 and selection.score.name in _SAME_RANKING:
        notes.append(catalogue.BINARY_NOTE)
    return notes


def _draw_neighbours(selection: Selection, run: Run, row: int, example_id: str, label: str, *, key: str) -> None:
    near = run.maps.neighbours(row)
    if near.empty:
        st.html(
            '<h2 class="de-chart-title">Nearest examples</h2>'
            '<p class="de-quiet">They are known once the embedding map of this run has been drawn.</p>'
        )
        st.page_link(
            "pages/embedding_map.py",
            label="To the embedding map",
            icon=":material/scatter_plot:",
            query_params=selection.view.changed(example=None).to_query(),
        )
        return
    same = int((near["label"] == label).sum())
    with st.container(key=f"{key}-neighbours-bar", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<h2 class="de-chart-title">Nearest examples <span class="de-quiet">{same} of {len(near)} have the same '
            "label</span></h2>",
            width="stretch",
        )
        st.button(
            "Find similar",
            key=f"{key}-similar",
            icon=":material/search:",
            type="tertiary",
            help="Lists this example and its nearest ones, to sort, compare and decide about them together.",
            on_click=_find_similar,
            args=(row, example_id, near),
        )
    examples_table(
        "Nearest examples",
        _NEIGHBOUR_HEAD,
        _neighbour_lines(near, selection),
        TableState(f"{run.id} {row}", short=True),
        lambda near: change(example=near),
        key=f"{key}-neighbours",
    )


def _neighbour_lines(near: pd.DataFrame, selection: Selection) -> list[dict[str, object]]:
    texts = text_columns(near)
    return [
        {**example_cells(entry, texts, selection.colours), "similarity": words.three(entry["similarity"])}
        for entry in near.to_dict("records")
    ]


def _find_similar(row: int, example_id: str, near: pd.DataFrame) -> None:
    change(where=ExampleFilter(ids=(example_id, *near["id"]), splits=()), example=row)


def _position(selection: Selection, run: Run, checkpoint: float, row: int) -> int | None:
    """Position of the open example in the whole list; None where the filter does not keep it."""
    offset = (selection.view.page - 1) * PAGE_SIZE
    rows = questions.ranked(run, selection.score.name, checkpoint, selection.seed, selection.where, PAGE_SIZE, offset)
    positions = rows.index[rows["row"] == row]
    if len(positions):
        return offset + int(positions[0])
    return run.position(row, selection.score.name, checkpoint, seed=selection.seed, where=selection.where)


def _step_to(selection: Selection, run: Run, checkpoint: float, position: int) -> None:
    page, line = divmod(position, PAGE_SIZE)
    rows = questions.ranked(
        run, selection.score.name, checkpoint, selection.seed, selection.where, PAGE_SIZE, page * PAGE_SIZE
    )
    change(example=int(rows["row"].iloc[line]), page=page + 1)
