"""The card of one example: text, labels with probabilities, scores over checkpoints, further columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from diet_explorer.analysis.card import ExampleCard
from diet_explorer.drawing import words
from diet_explorer.drawing.colours import OTHERS
from diet_explorer.drawing.plain import class_titles, escape
from diet_explorer.scoring import catalogue
from diet_explorer.scoring.dynamics import TRAJECTORY_RULE
from diet_explorer.store.in_words import counted
from diet_explorer.ui.drawing.markup import bar, chip, help_mark, highlighted, score_name, sparkline
from diet_explorer.ui.examples.facts import facts_html

_SHOWN_CLASSES = 5
_NAME_CHARACTERS = 20


def card_html(
    card: ExampleCard,
    *,
    colours: Mapping[str, str],
    checkpoint: float,
    seed: int | None,
    percentiles: Mapping[str, float],
    query: str = "",
    text_titles: Sequence[str] = ("Text", "Second text"),
    reasons: str = "",
) -> str:
    """The card's HTML; every text and name in it is escaped.

    Parameters
    ----------
    card : ExampleCard
    colours : mapping
        Class name to hex colour.
    checkpoint, seed
        Which scores are shown; None is the mean over seeds.
    percentiles : mapping
        Score name to the share, in percent, of the split that is less suspicious.
    query : str
        Text to mark.
    text_titles : sequence of str
        Titles of the two texts of a pair.
    reasons : str
        HTML that stands between the labels and the scores, such as notes.
    """
    probabilities = card.probabilities(checkpoint, seed)
    predicted = max(probabilities, key=lambda name: probabilities[name])
    parts = [
        _texts(card, query, text_titles),
        _verdict(card.label, predicted, colours),
        _bars(probabilities, card.label, colours),
        reasons,
        _scores(card, checkpoint, seed, percentiles),
        facts_html({"id": card.id, "split": card.split, **_disagreement(card), **card.written}),
    ]
    return _article(card, parts)


def _disagreement(card: ExampleCard) -> dict[str, str | None]:
    return {} if card.disagreement is None else {"annotators who disagree": words.percent(card.disagreement)}


def blind_card_html(
    card: ExampleCard,
    *,
    colours: Mapping[str, str],
    query: str = "",
    text_titles: Sequence[str] = ("Text", "Second text"),
    notes: str = "",
) -> str:
    """The card for whoever decides without seeing what models and others think: text, given label, `notes` (HTML), id;
    see `card_html`.

    Further columns stay hidden as well, since they may hold others' ratings.
    """
    given = f'<p class="de-verdict"><span>given</span> {chip(card.label, colours.get(card.label, OTHERS))}</p>'
    facts = facts_html({"id": card.id, "split": card.split})
    return _article(card, [_texts(card, query, text_titles), given, notes, facts])


def _article(card: ExampleCard, parts: Sequence[str]) -> str:
    return f'<article class="de-card" aria-label="Example {escape(card.id)}">{"".join(parts)}</article>'


def _texts(card: ExampleCard, query: str, titles: Sequence[str]) -> str:
    first = f'<div class="de-text" dir="auto" tabindex="0">{highlighted(card.text, query)}</div>'
    if card.text_pair is None:
        return first
    second = f'<div class="de-text" dir="auto" tabindex="0">{highlighted(card.text_pair, query)}</div>'
    return f"<h2>{escape(titles[0])}</h2>{first}<h2>{escape(titles[1])}</h2>{second}"


def _verdict(label: str, predicted: str, colours: Mapping[str, str]) -> str:
    differs = label != predicted
    verdict = "given ≠ predicted" if differs else "given = predicted"
    return (
        f'<p class="de-verdict"><span>given</span> {chip(label, colours.get(label, OTHERS))} '
        f"<span>→ predicted</span> {chip(predicted, colours.get(predicted, OTHERS), differs=differs)} "
        f'<span class="de-quiet">{verdict}</span></p>'
    )


def _bars(probabilities: Mapping[str, float], label: str, colours: Mapping[str, str]) -> str:
    ordered = sorted(probabilities, key=lambda name: -probabilities[name])
    if len(ordered) <= _SHOWN_CLASSES:
        shown = list(probabilities)
    else:
        shown = ordered[:_SHOWN_CLASSES]
        if label not in shown:
            shown[-1] = label
    titles = class_titles(probabilities, _NAME_CHARACTERS)
    rows = [
        f'<div class="de-class{" de-given" if name == label else ""}" style="--colour:'
        f'{colours.get(name, OTHERS)}"><span class="de-name" title="{escape(name)}">'
        f"{escape(titles[name])}</span>{bar(probabilities[name])}"
        f'<span class="de-figure">{words.percent(probabilities[name])}</span></div>'
        for name in shown
    ]
    rest = len(ordered) - len(shown)
    more = f'<p class="de-quiet">and {counted(rest, "less likely class", "less likely classes")}</p>'
    return f'<div class="de-classes">{"".join(rows)}{more if rest else ""}</div>'


def _scores(card: ExampleCard, checkpoint: float, seed: int | None, percentiles: Mapping[str, float]) -> str:
    chosen = card.trajectories if seed is None else card.trajectories[card.trajectories["seed"] == seed]
    names = [name for name in catalogue.SCORE_NAMES if name in chosen.columns and name in percentiles]
    rows = [_score_row(chosen, name, checkpoint, percentiles[name]) for name in names if _is_recorded(name)]
    band = "; the band spans the seeds" if chosen["seed"].nunique() > 1 else ""
    head = (
        f'<tr><th scope="col">Score</th><th scope="col" class="de-figure">Value</th>'
        f'<th scope="col" class="de-figure" title="Share of its split that is less suspicious by this score">'
        f'Percentile</th><th scope="col" title="The dot is the chosen checkpoint{band}">Over checkpoints</th></tr>'
    )
    table = f'<table class="de-scores"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
    cells = [_training_cell(chosen, name, checkpoint, percentiles[name]) for name in names if not _is_recorded(name)]
    if not cells:
        return table
    kind = card.types.get(seed)
    trajectory = f" · in the end {escape(kind)} {help_mark(TRAJECTORY_RULE)}" if kind else ""
    return f'{table}<h2>Over the training so far{trajectory}</h2><dl class="de-training">{"".join(cells)}</dl>'


def _is_recorded(name: str) -> bool:
    return catalogue.score(name).span == "checkpoint"


def _score_row(chosen: pd.DataFrame, name: str, checkpoint: float, percentile: float) -> str:
    entry = catalogue.score(name)
    table = chosen.groupby("checkpoint")[name].agg(["mean", "min", "max"])
    points = [float(point) for point in table.index]
    value, std = _at(chosen, name, checkpoint)
    spread = f' <span class="de-quiet">± {words.three(std)}</span>' if chosen["seed"].nunique() > 1 else ""
    steps = ", ".join(
        f"{catalogue.checkpoint_title(point)} {words.three(mean)}"
        for point, mean in zip(points, table["mean"], strict=True)
    )
    line = sparkline(
        points,
        table["mean"].tolist(),
        table["min"].tolist(),
        table["max"].tolist(),
        current=checkpoint,
        label=f"{entry.title}: {steps}",
    )
    return (
        f'<tr><th scope="row">{score_name(entry)}</th><td class="de-figure">{words.three(value)}{spread}</td>'
        f'<td class="de-figure">{percentile:.1f} %</td><td>{line}</td></tr>'
    )


def _training_cell(chosen: pd.DataFrame, name: str, checkpoint: float, percentile: float) -> str:
    value, _ = _at(chosen, name, checkpoint)
    return (
        f"<div><dt>{score_name(catalogue.score(name))}</dt>"
        f'<dd>{words.three(value)} <span class="de-quiet">{percentile:.1f} %</span></dd></div>'
    )


def _at(chosen: pd.DataFrame, name: str, checkpoint: float) -> tuple[float, float]:
    """Mean and standard deviation over the seeds."""
    values = chosen.loc[chosen["checkpoint"] == checkpoint, name]
    return float(values.mean()), float(values.std(ddof=0))
