"""The dataset card: what it says, and that merging touches nothing of what others wrote."""

from __future__ import annotations

import copy
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.errors import HubError
from diet_explorer.pruning.export.card import merged_card
from diet_explorer.pruning.export.card_text import CardProof, card_proof
from tests.pruning.export.pushing import write_export

REPO = "ann/reviews"
PROOF = CardProof(
    rows=[{"Policy": "window", "Accuracy": "0.81 ± 0.01"}, {"Policy": "random", "Accuracy": "0.80 ± 0.02"}],
    verdicts=["window against random: no difference seen (+0.010, 95 % interval −0.004 to 0.024)."],
)
THEIRS = """\
---
# who may use it
license: cc-by-4.0   # as the source
language: [en, "de"]

configs:
- config_name: default
  data_files: all.csv
tags:
- reviews
pretty_name: "Reviews: the set"
---

# Reviews

Text of the owner, with a | and <b>HTML</b>.
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    files = {"train.parquet": ("train", b"1"), "test.parquet": ("test", b"2"), "dropped.csv": (None, b"3")}
    return write_export(tmp_path_factory.mktemp("export"), files)


def front(text: str) -> dict[str, Any]:
    data = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(data, dict)
    return data


def test_new_card(manifest: dict[str, Any]) -> None:
    text = merged_card(None, manifest, REPO, PROOF)
    files = [{"split": "train", "path": "train.parquet"}, {"split": "test", "path": "test.parquet"}]
    assert front(text) == {
        "configs": [{"config_name": "default", "data_files": files}],
        "tags": ["diet-explorer"],
        "task_categories": ["text-classification"],
    }
    for words in (
        "# Reviews\n",
        "**The hardest 25 % by EL2N are dropped.** 750 training examples of 1,000 are kept (75.0%).",
        "| neg | 600 | 60.0% | 450 | 60.0% |",
        "| pos\\|itive | 400 | 40.0% | 300 | 40.0% |",
        "People corrected 1 label",
        "Pruned by EL2N, after epoch 1, the mean over seeds.",
        "[arXiv 2107.07075](https://arxiv.org/abs/2107.07075)",
        "| window | 0.81 ± 0.01 |",
        "no difference seen",
        "diet-explorer prune --from-manifest manifest.json",
        "SHA-256 ab12",
        "SHA-256 77aa",
        "1 relabel, 3 exclude (event 9 of the ledger)",
    ):
        assert words in text, words
    assert "Proof by retraining" not in merged_card(None, manifest, REPO, CardProof())


def test_a_card_says_where_notes_are(manifest: dict[str, Any]) -> None:
    words = "what people noted about examples"
    assert words not in merged_card(None, manifest, "me/reviews", CardProof())
    for name in ("note", "note_diet_explorer"):
        noted = manifest | {"columns": [*manifest["columns"], {"name": name, "role": "added", "type": "string"}]}
        assert f"The column `{name}` has {words}" in merged_card(None, noted, "me/reviews", CardProof())


def test_card_of_others_keeps_every_line(manifest: dict[str, Any]) -> None:
    text = merged_card(THEIRS, manifest, REPO, PROOF)
    data = front(text)
    assert data["configs"][0] == {"config_name": "default", "data_files": "all.csv"}
    assert data["configs"][1]["config_name"] == "pruned"
    assert data["tags"] == ["reviews", "diet-explorer"]
    assert (data["license"], data["language"], data["pretty_name"]) == ("cc-by-4.0", ["en", "de"], "Reviews: the set")
    for line in ("# who may use it", "license: cc-by-4.0   # as the source", 'language: [en, "de"]'):
        assert f"\n{line}\n" in text
    assert 'pretty_name: "Reviews: the set"\n' in text
    assert "---\n\n# Reviews\n\nText of the owner, with a | and <b>HTML</b>.\n\n<!-- diet-explorer: begin" in text


def test_second_push_renews_our_part_only(manifest: dict[str, Any]) -> None:
    first = merged_card(THEIRS, manifest, REPO, PROOF) + "\nWritten below by the owner.\n"
    edited = first.replace("license: cc-by-4.0", "license: mit").replace("Text of the owner", "New text")
    changed = {**copy.deepcopy(manifest), "policy_words": "Half of all, drawn at random.", "relabelled": 0}
    changed["files"] = [entry for entry in changed["files"] if entry["path"] != "test.parquet"]
    text = merged_card(edited, changed, REPO, CardProof())
    assert "Half of all, drawn at random." in text
    assert "The hardest 25 %" not in text
    assert text.count("<!-- diet-explorer: begin") == 1
    assert text.endswith("<!-- diet-explorer: end -->\n\nWritten below by the owner.\n")
    assert "New text" in text
    configs = front(text)["configs"]
    assert [entry["config_name"] for entry in configs] == ["default", "pruned"]
    assert configs[1]["data_files"] == [{"split": "train", "path": "train.parquet"}]
    assert merged_card(text, changed, REPO, CardProof()) == text


def test_proof_becomes_a_table() -> None:
    none = {f"{name}{end}": float("nan") for name in ("vs_random", "vs_full") for end in ("", "_low", "_high")}
    figures = {"accuracy": 0.8125, "macro_f1": 0.8, "loss": 0.5, "loss_low": 0.4, "loss_high": 0.6}
    ends = {"accuracy_low": 0.75, "accuracy_high": 0.875, "macro_f1_low": float("nan"), "macro_f1_high": float("nan")}
    full = {"title": "Full data", "kept": 1200, "share": 100.0, "seeds": 3, **figures, **ends, **none, "verdict": "A."}
    window = {
        **full,
        "title": "window",
        "vs_full": 0.0125,
        "vs_full_low": -0.01,
        "vs_full_high": 0.035,
        "verdict": "B.",
    }
    proof = card_proof(pd.DataFrame([full, window]))
    assert proof.verdicts == ["A.", "B."]
    assert proof.rows[0] == {
        "Policy": "Full data",
        "Kept": "1,200 (100.0 %)",
        "Seeds": 3,
        "Accuracy": "0.812 (0.750 to 0.875)",
        "Macro-F1": "0.800",
        "Loss": "0.500 (0.400 to 0.600)",
        "Against random": "–",
        "Against full data": "–",
    }
    assert proof.rows[1]["Against full data"] == "+0.013 (-0.010 to +0.035)"


def test_windows_line_endings_stay(manifest: dict[str, Any]) -> None:
    text = merged_card(THEIRS.replace("\n", "\r\n"), manifest, REPO, PROOF)
    assert "\n" not in text.replace("\r\n", "")
    assert text.replace("\r\n", "\n") == merged_card(THEIRS, manifest, REPO, PROOF)


def test_types_of_text_formats(manifest: dict[str, Any]) -> None:
    features = {
        "id": {"dtype": "string", "_type": "Value"},
        "stars": {"dtype": "int64", "_type": "Value"},
        "rank": {"dtype": "int32", "_type": "Value"},
        "tags": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
        "label": {"names": ["1", "5"], "_type": "ClassLabel"},
    }
    kinds = {"id": "string", "stars": "int64", "rank": "int32", "tags": "list<item: string>", "label": "int64"}
    columns = [{"name": name, "type": kind, "role": "", "nulls": name == "rank"} for name, kind in kinds.items()]
    csv = {**manifest, "options": {**manifest["options"], "format": "csv"}, "features": features, "columns": columns}
    text = merged_card(None, csv, REPO, PROOF)
    info = front(text)["dataset_info"]
    types = {"id": "string", "stars": "int64", "rank": "float64", "tags": "string", "label": "int64"}
    assert {entry["name"]: entry["dtype"] for entry in info["features"]} == types
    assert front(text)["configs"][0]["keep_default_na"] is False
    assert front(text)["configs"][0]["na_values"] == {"stars": [""], "rank": [""], "label": [""]}
    lines = {**csv, "options": {**manifest["options"], "format": "jsonl"}}
    typed = front(merged_card(None, lines, REPO, PROOF))["dataset_info"]["features"]
    assert {"name": "tags", "list": "string"} in typed
    later = merged_card(text, manifest, REPO, PROOF)  # Parquet files hold their types
    assert "dataset_info" not in front(later)
    assert "keep_default_na" not in later


@pytest.mark.parametrize("top", ["a: [1\n", "just words\n", "- a\n- b\n", "a: b: c\n"])
def test_unreadable_card_is_not_replaced(manifest: dict[str, Any], top: str) -> None:
    with pytest.raises(HubError, match=r"The card \(README.md\) of ann/reviews on the Hub begins"):
        merged_card(f"---\n{top}---\n# Text\n", manifest, REPO, PROOF)


keys = st.text("abcdefgh_-", min_size=1, max_size=8).filter(lambda key: key[0] not in "-_")
scalars = st.one_of(st.integers(), st.booleans(), st.none(), st.text(max_size=12), st.floats(allow_nan=False))
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(keys, scalars, max_size=3))
bodies = st.text(st.characters(exclude_characters="\r", exclude_categories=("Cs", "Cc")), max_size=60)


@given(
    data=st.dictionaries(keys, values, max_size=5),
    flow=st.booleans(),
    tags=st.none() | st.lists(st.sampled_from(["a", "b", "diet-explorer"]), unique=True, max_size=3),
    body=bodies,
)
def test_merging_loses_nothing(
    manifest: dict[str, Any], data: dict[str, Any], flow: bool, tags: Any, body: str
) -> None:
    whole = data if tags is None else {**data, "tags": tags}
    head = yaml.safe_dump(whole, default_flow_style=flow, allow_unicode=True, width=1000)
    data = {key: value for key, value in (yaml.safe_load(head) or {}).items() if key != "tags"}
    theirs = f"---\n{head}---\n{body}\n"
    text = merged_card(theirs, manifest, REPO, PROOF)
    merged = yaml.safe_load(text.split("---\n", 2)[1]) if "---\n" not in head else None
    if merged is not None:
        ours = {"configs", "tags", "task_categories"}
        assert {key: value for key, value in merged.items() if key not in ours} == data
        assert merged["tags"][: len(tags or [])] == (tags or [])
        assert text.split("---\n", 2)[2].startswith(body.rstrip())
    assert merged_card(text, manifest, REPO, PROOF) == text
