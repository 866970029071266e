"""Annotators who err in a known way, on texts whose mean human rating is known: sets with a true class beside a label.

Ratings are from −4 to 4. Classes are negative, neutral (within ±1) and positive, or negative and positive alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

THREE, TWO = np.array(["negative", "neutral", "positive"]), np.array(["negative", "positive"])
EDGES = (-1.0, 1.0)
MIXED_UP = np.array([[0.72, 0.23, 0.05], [0.08, 0.80, 0.12], [0.02, 0.13, 0.85]])
"""Chance of each label, by true class, of the annotator who mixes up classes."""
TOPICS = 6
PEOPLE = 5
DAY = 200
Random = np.random.Generator
Labels = NDArray[np.integer]


def three_classes(ratings: NDArray[np.floating]) -> Labels:
    """Codes of the three classes by ratings (N,)."""
    codes: Labels = np.digitize(ratings, EDGES)
    return codes


def kind(table: pd.DataFrame, random: Random) -> tuple[Labels, Labels, NDArray[np.str_]]:
    """One rating, drawn from the spread of the example's raters, and half a point too kind: nearly a quarter is wrong,
    most of it neutral instead of negative."""
    mean, spread = (table[name].to_numpy(dtype=float) for name in ("human_mean", "human_sd"))
    return three_classes(random.normal(mean + 0.5, spread)), three_classes(mean), THREE


def class_confusing(table: pd.DataFrame, random: Random) -> tuple[Labels, Labels, NDArray[np.str_]]:
    """Classes are mixed up by fixed chances, whatever the text."""
    truth = three_classes(table["human_mean"].to_numpy(dtype=float))
    drawn = random.random(len(table))[:, None] >= np.cumsum(MIXED_UP, axis=1)[truth]
    return np.minimum(drawn.sum(1), len(THREE) - 1), truth, THREE


def length_biased(table: pd.DataFrame, random: Random) -> tuple[Labels, Labels, NDArray[np.str_]]:
    """The longer the text, the likelier its label is guessed: with the cube of its rank by words."""
    truth = (table["human_mean"].to_numpy(dtype=float) > 0).astype(np.int64)
    rank = pd.Series([len(text.split()) for text in table["text"]]).rank(method="first").to_numpy() / len(table)
    return np.where(random.random(len(table)) < rank**3, random.integers(0, 2, len(table)), truth), truth, TWO


def topic_biased(table: pd.DataFrame, random: Random) -> tuple[Labels, Labels, NDArray[np.str_]]:
    """Somebody who knows nothing of one topic (of six, by the words): there 45 % are wrong, elsewhere 6 %."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(stop_words="english", min_df=3).fit_transform(table["text"])
    parts = KMeans(TOPICS, n_init=3, random_state=0).fit_predict(TruncatedSVD(20, random_state=0).fit_transform(words))
    unknown = parts == np.argsort(np.bincount(parts))[-2]  # a large one, but not the rest that is about nothing
    truth = three_classes(table["human_mean"].to_numpy(dtype=float))
    wrong = random.random(len(table)) < np.where(unknown, 0.45, 0.06)
    return np.where(wrong, (truth + random.integers(1, 3, len(table))) % 3, truth), truth, THREE


def one_lazy(table: pd.DataFrame, random: Random) -> tuple[Labels, Labels, NDArray[np.str_]]:
    """Five share the work; four take care, though not as much as all raters together, and one mostly says neutral."""
    mean, spread = (table[name].to_numpy(dtype=float) for name in ("human_mean", "human_sd"))
    careful = three_classes(random.normal(mean, 0.6 * spread))
    lazy = (random.integers(0, PEOPLE, len(table)) == 0) & (random.random(len(table)) < 0.7)
    return np.where(lazy, 1, careful), three_classes(mean), THREE


def tired(table: pd.DataFrame, random: Random) -> tuple[Labels, Labels, NDArray[np.str_]]:
    """Slips into a neighbouring class, the more the later it is in the day, from 5 % to 45 %; a day has 200 texts."""
    truth = three_classes(table["human_mean"].to_numpy(dtype=float))
    hour = random.permutation(len(table)) % DAY / DAY
    beside = np.where(truth == 1, 2 * random.integers(0, 2, len(table)), 1)
    return np.where(random.random(len(table)) < 0.05 + 0.4 * hour**2, beside, truth), truth, THREE


def repeating(table: pd.DataFrame, random: Random) -> tuple[Labels, Labels, NDArray[np.str_]]:
    """Somebody in a hurry gives the label of the text before once more, for a fifth of all texts."""
    truth = three_classes(table["human_mean"].to_numpy(dtype=float))
    given, before = truth.copy(), np.roll(truth, 1)
    again = random.random(len(table)) < 0.2
    given[again] = before[again]
    return given, truth, THREE


ANNOTATORS: dict[str, Callable[[pd.DataFrame, Random], tuple[Labels, Labels, NDArray[np.str_]]]] = {
    "kind": kind,
    "class-confusing": class_confusing,
    "length-biased": length_biased,
    "topic-biased": topic_biased,
    "one-lazy": one_lazy,
    "tired": tired,
    "repeating": repeating,
}


def simulated(table: pd.DataFrame, annotator: str, rows: int, seed: int = 0) -> pd.DataFrame:
    """Some rows of a rated set as an annotator of `ANNOTATORS` labels them: ``id, text, label, truth``."""
    drawn = table.sample(min(rows, len(table)), random_state=seed)
    given, truth, names = ANNOTATORS[annotator](drawn, np.random.default_rng(seed))
    return drawn[["id", "text"]].assign(label=names[given], truth=names[truth])
