"""Token ids are made once for all trainings of a dataset with one tokenizer and length."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from diet_explorer.store.files import Files
from diet_explorer.training.encoding import EncodedExamples, encode_examples
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.workspace import Workspace


class Counting:
    """A tokenizer that counts how often it is asked for token ids."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self.calls = 0
        self.model_max_length = self._tokenizer.model_max_length

    def save_pretrained(self, folder: str) -> None:
        self._tokenizer.save_pretrained(folder)

    def __call__(self, *arguments: object, **options: object) -> object:
        self.calls += 1
        return self._tokenizer(*arguments, **options)


def encoded(dataset: Dataset, tokenizer: Counting, length: int = 16, files: Files | None = None) -> EncodedExamples:
    return encode_examples(files or dataset.context.files, dataset.manifest, tokenizer, length)


def same(one: EncodedExamples, other: EncodedExamples) -> bool:
    return (
        one.columns.keys() == other.columns.keys()
        and all(np.array_equal(one.columns[name], other.columns[name]) for name in one.columns)
        and np.array_equal(one.offsets, other.offsets)
        and np.array_equal(one.labels, other.labels)
        and one.truncated == other.truncated
    )


def test_three_trainings_make_them_once_wherever_the_tokenizer_lies(
    dataset: Dataset, model: Path, tmp_path: Path
) -> None:
    made = [encoded(dataset, first := Counting(model))]
    shutil.copytree(model, tmp_path / "elsewhere")
    for folder in (model, tmp_path / "elsewhere"):
        made.append(encoded(dataset, again := Counting(folder)))
        assert (first.calls, again.calls) == (1, 0)
        assert same(made[0], made[-1])
    assert made[0].columns["input_ids"].dtype == np.int32 and len(made[0]) == 60
    assert encoded(dataset, shorter := Counting(model), 8).truncated > made[0].truncated and shorter.calls == 1


def test_a_changed_tokenizer_of_the_same_name_makes_its_own(dataset: Dataset, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    before = encoded(dataset, Counting(folder))
    value = json.loads((folder / "tokenizer.json").read_text())
    words = value["model"]["vocab"]
    words["film"], words["story"] = words["story"], words["film"]
    (folder / "tokenizer.json").write_text(json.dumps(value))
    after = encoded(dataset, changed := Counting(folder))
    assert changed.calls == 1 and not same(before, after)


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "no manifest"])
def test_what_is_damaged_is_made_anew(dataset: Dataset, model: Path, damage: str) -> None:
    before = encoded(dataset, Counting(model))
    (array,) = Path(dataset.folder).glob("tokens/*/input_ids.npy")
    data = bytearray(array.read_bytes())
    match damage:
        case "cut":
            array.write_bytes(data[:-4])
        case "changed":
            data[-4] ^= 1
            array.write_bytes(data)
        case "gone":
            array.unlink()
        case _:
            (array.parent / "manifest.json").write_text("{")
    assert same(encoded(dataset, again := Counting(model)), before) and again.calls == 1
    assert same(encoded(dataset, last := Counting(model)), before) and last.calls == 0


def test_a_maker_that_is_cut_off_leaves_nothing_that_counts(dataset: Dataset, model: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_examples(dataset.context.files, dataset.manifest, Counting(model), 16, stop)
    encoded(dataset, again := Counting(model))
    assert again.calls == 1


def test_a_workspace_elsewhere_keeps_them_too(elsewhere: str, sentences: Path, model: Path) -> None:
    dataset = Workspace(elsewhere).import_dataset(sentences, text="sentence", label="mood", id="key")
    before = encoded(dataset, Counting(model))
    assert same(encoded(dataset, again := Counting(model), files=Files(elsewhere)), before)
    assert again.calls == 0
