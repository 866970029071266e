from __future__ import annotations

import pandas as pd
import pytest

from diet_explorer.data.columns import ColumnMapping, MappingGuess, guess_mapping
from diet_explorer.errors import BadInputError, ReadingError

SENTENCES = ["a first sentence", "one more of them", "and the last one", "no, another"]


@pytest.mark.parametrize(
    ("frame", "guess"),
    [
        (
            {"id": ["1", "2"], "text": ["a", "b"], "label": ["x", "y"], "split": ["train", "test"]},
            MappingGuess(text="text", label="label", id="id", split="split"),
        ),
        (
            {"premise": ["a", "b"], "hypothesis": ["c", "d"], "gold_label": ["x", "y"]},
            MappingGuess(text="premise", text_pair="hypothesis", label="gold_label"),
        ),
        (
            {"idx": [1, 2], "sentence1": ["a", "b"], "sentence2": ["c", "d"], "Label": [0, 1]},
            MappingGuess(text="sentence1", text_pair="sentence2", label="Label", id="idx"),
        ),
        (
            {"who": ["ann", "bob", "ann", "cy"], "what": SENTENCES, "mood": ["+", "-", "+", "-"]},
            MappingGuess(text="what", label="mood"),
        ),
        (
            {"text": SENTENCES, "label": ["+", "-", "+", "-"], "answer": ["accept"] * 4},
            MappingGuess(text="text", label="label"),
        ),
        ({"a": ["1", "2"], "b": ["3", "4"]}, MappingGuess()),
        ({}, MappingGuess()),
    ],
)
def test_guess(frame: dict[str, list[object]], guess: MappingGuess) -> None:
    preview = pd.DataFrame(frame)
    assert guess_mapping(list(preview.columns), preview) == guess


def test_guess_without_rows() -> None:
    assert guess_mapping(["a", "text"], pd.DataFrame(columns=["a", "text"])) == MappingGuess(text="text")


def test_nothing_near_is_not_suggested() -> None:
    with pytest.raises(BadInputError) as caught:
        ColumnMapping(text="zzz", label="b").check(["a", "b"])
    assert caught.value.remedy == "The columns are 'a', 'b'."


def test_very_many_columns_are_cut() -> None:
    with pytest.raises(BadInputError) as caught:
        ColumnMapping(text="zzz", label="b").check([f"column {n}" for n in range(500)])
    assert caught.value.remedy.endswith("'column 29' and 470 more.")


def test_a_long_name_is_cut() -> None:
    with pytest.raises(BadInputError) as caught:
        ColumnMapping(text="zzz", label="b").check(["b", "long " * 1_000])
    assert len(caught.value.remedy) < 200


def test_columns_that_were_not_told_apart_ask_for_the_delimiter() -> None:
    with pytest.raises(ReadingError) as caught:
        ColumnMapping(text="text", label="label").check(["text^label"])
    assert caught.value.setting == "delimiter"
