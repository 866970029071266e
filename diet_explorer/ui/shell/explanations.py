"""What each page is for and what to do next: the words behind "What is this?", and where the help says more."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from diet_explorer.errors import DietExplorerError
from diet_explorer.ui.shell.view import View, read_view


@dataclass(frozen=True)
class Explanation:
    """A page in two or three sentences, and the place of the help that says more."""

    words: str
    place: str


EXPLANATIONS = {
    "Home": Explanation(
        "The start: a sample to try, the way to your own texts, the latest runs, and whether a worker is there to "
        "compute. Try the sample first; its ranked examples come within a minute.",
        "index",
    ),
    "Datasets": Explanation(
        "Labelled texts come in here, from a file, a folder or the Hub. Each dataset has a report: classes, splits, "
        "lengths, duplicates, and the rows that could not be used. Look at the report, then score the dataset.",
        "guides/own-data",
    ),
    "Score": Explanation(
        "A run trains a model on the dataset in the background and notes, at each checkpoint, how hard every example "
        "is. Start with what the form proposes. Close the tab if you like: the first scores can be read meanwhile.",
        "scores",
    ),
    "Bin": Explanation(
        "What anybody deleted lies here for a while. Bring it back, or remove it for good to free its space.",
        "guides/backup",
    ),
    "Browse": Explanation(
        "Every example, ranked by one score, the most striking first. Choose another score or checkpoint in the "
        "sidebar, narrow the list with the filters, and click an example to see its whole text and what the models "
        "make of it. A high score is a question: it may be hard, rare or wrongly labelled.",
        "guides/looking",
    ),
    "Distributions": Explanation(
        "Whether the order of the examples can be trusted: how scores spread, whether checkpoints and seeds agree, and "
        "which classes the worst examples belong to. Read the cautions first; if one says that it is too early, take a "
        "later checkpoint.",
        "guides/looking",
    ),
    "Data map": Explanation(
        "Each point is an example: high up what was learned with confidence, at the bottom what was not, on the right "
        "what the model changed its mind about. Draw around the points at the bottom left: wrong labels gather there.",
        "scores#confidence",
    ),
    "Embedding map": Explanation(
        "Texts that the model finds alike stand close together. Look for points of one class among another, and for "
        "groups of their own; draw around them to read them or decide about all at once.",
        "guides/looking",
    ),
    "Audit": Explanation(
        "The examples whose labels deserve a look, one after the other, each with the reasons. Keep, relabel or "
        "exclude it by one key; whatever you decide can be undone, and the data itself is never changed. Then prune.",
        "guides/reviewing",
    ),
    "Prune & export": Explanation(
        "Choose a policy on the right: what to drop, and how much. The left side shows at once what that does, before "
        "anything is written. Then export the smaller set, or prove first that it is as good.",
        "guides/prune-prove-ship",
    ),
    "Proof": Explanation(
        "Models are trained again on what each policy keeps, on random examples of the same number and on everything, "
        "and compared on the test split. Start one with the policies you think of; read the verdict before you ship.",
        "guides/prune-prove-ship",
    ),
    "Help": Explanation(
        "The documentation of the program, the same as on its site. Choose a page from the list. The question beside "
        "the title of every other page leads to the part that belongs to it.",
        "guides/index",
    ),
}
"""By the page's title."""


def draw_explanation(title: str) -> None:
    """Draw the button beside a page's title that says what the page is for, and the way to the help."""
    explanation = EXPLANATIONS[title]
    try:
        view = read_view()
    except DietExplorerError:  # the page itself will say what is wrong with the address
        view = View()
    with st.popover("What is this?", key="what-is-this", icon=":material/help:", type="tertiary"):
        st.markdown(explanation.words)
        query = view.changed(topic=explanation.place).to_query()
        st.page_link("pages/help.py", label="Read more in the help", icon=":material/menu_book:", query_params=query)
