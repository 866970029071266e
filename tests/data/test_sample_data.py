"""The sample sets are what their README says, and can be imported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest

from diet_explorer.data.columns import ColumnMapping, guess_mapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.readers.opening import open_source
from tests.data.importer import Importer

FOLDER = Path(__file__).parents[2] / "sample_data"


def contradicted(frame: pd.DataFrame) -> pd.Series:
    against = (frame["raters_negative"] - frame["raters_positive"]) * frame["label"].map(
        {"positive": 1, "negative": -1}
    )
    return against > 0


def test_movie_snippets() -> None:
    frame = pd.read_csv(FOLDER / "movie_snippets.csv")
    train, test = frame[frame["split"] == "train"], frame[frame["split"] == "test"]
    assert (len(frame), len(train), len(test)) == (1_500, 1_250, 250)
    assert frame["id"].is_unique
    assert frame["text"].is_unique
    assert contradicted(train).sum() == 75
    assert contradicted(test).sum() == 8
    assert (train["label"] == "positive").mean() == pytest.approx(0.5, abs=0.02)
    assert (test["label"] == "positive").mean() == 0.5


def test_sentence_pairs_are_what_the_script_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    build = importlib.import_module("build")
    pairs = importlib.import_module("sentence_pairs").build_pairs(build.SEED)
    for module in ("build", "sentence_pairs"):
        del sys.modules[module]
    frame = pd.read_csv(FOLDER / "sentence_pairs.csv")
    assert frame.to_dict("records") == pairs
    assert frame.groupby(["split", "label"]).size().to_dict() == {
        (split, label): count
        for split, count in (("train", 48), ("test", 12))
        for label in ("contradiction", "entailment", "neutral")
    }
    assert frame.groupby("premise")["split"].nunique().max() == 1
    assert not frame.duplicated(["premise", "hypothesis"]).any()


@pytest.mark.parametrize("name", ["movie_snippets", "sentence_pairs"])
def test_import_with_the_guessed_columns(importer: Importer, name: str) -> None:
    source = open_source(FOLDER / f"{name}.csv")
    guess = guess_mapping(source.columns(), source.preview())
    assert guess.text is not None
    assert guess.label is not None
    mapping = ColumnMapping(guess.text, guess.label, guess.text_pair, guess.id, guess.split)
    manifest = import_examples(source, mapping, importer.files)
    assert manifest.report["set_aside"] == {}
    assert manifest.report["warnings"] == []
    assert set(manifest.splits) == {"train", "test"}
