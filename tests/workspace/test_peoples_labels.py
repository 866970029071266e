"""Several people's labels from the import to the export: library, command line, filter, suspects, card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diet_explorer import ExampleFilter, Workspace
from diet_explorer.analysis.filters import EVERYBODY_AGREES, SOMEBODY_DISAGREES, ShareRange
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.pruning.export.card_text import CardProof, section
from diet_explorer.pruning.policies import Policy
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.audit import Audit
from diet_explorer.workspace.run import Run
from tests.synthetic import made_up_scores, write_scores
from tests.tiny_runs import inside

ROWS = 40
GIVEN = [("a", "a", "a"), ("a", "b", "a"), ("b", "b", ""), ("b", "a", ""), ("b", "b", "a")]
SHARES = [0, 1 / 3, 0, 1 / 2, 1 / 3]


def votes_csv(folder: Path) -> Path:
    lines = [f"word {number},{','.join(GIVEN[number % len(GIVEN)])}" for number in range(ROWS)]
    path = folder / "votes.csv"
    path.write_text("\n".join(["text,ann,bob,cy", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A scored run of a set that three people labelled."""
    folder = tmp_path_factory.mktemp("votes")
    workspace = Workspace(folder / "home")
    dataset = workspace.import_dataset(votes_csv(folder), text="text", annotators=["ann", "bob", "cy"])
    return scored(workspace, dataset.id)


def scored(workspace: Workspace, dataset_id: str, origin: str = "job") -> Run:
    config = RunConfig(dataset_id, epochs=1, seeds=1, checkpoints=(0.0, 1.0), grand="head")
    run = workspace.create_run(config, name="run", origin=origin)
    random = np.random.default_rng(0)
    for point in (0.0, 1.0):
        logits = random.normal(0, 1, (ROWS, 2)).astype(np.float32)
        write_scores(workspace.context.files, run.dataset.manifest, run.id, 0, point, logits)
    workspace.context.records.set_status(run.id, "succeeded")
    return run.refresh()


def test_disagreement_is_a_filter(run: Run) -> None:
    frame = run.ranked(limit=None).sort_values("row")
    np.testing.assert_equal(frame["disagreement"].to_numpy(), np.array(SHARES * 8))
    for share, kept in (
        (EVERYBODY_AGREES, [0, 2]),
        (SOMEBODY_DISAGREES, [1, 3, 4]),
        (ShareRange(0.5), [3]),
        (ShareRange(None, 0.4), [0, 1, 2, 4]),
        (ShareRange(1 / 3, 1 / 3), [1, 4]),
    ):
        where = ExampleFilter(disagreement=share)
        assert sorted(set(run.ranked(where=where, limit=None)["row"] % 5)) == kept
        assert ExampleFilter.from_query(where.to_query()) == where
        assert run.count(where) == 8 * len(kept)
    chips = dict(ExampleFilter(disagreement=ShareRange(0.25, 0.5)).describe())
    assert chips["annotators who disagree 25 % to 50 %"] == ExampleFilter()


@pytest.mark.parametrize("text", ["0.5", "a:b", "-1:", ":2", "nan:", "0.5:0.6:0.7", "inf:"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=r"disagreement|range in the filter"):
        ExampleFilter.from_query({"disagreement": text})


def test_annotators_who_disagree_are_a_witness(run: Run) -> None:
    assert next(entry for entry in run.audit.witnesses() if entry.name == "annotators").available
    first = run.audit.suspects("annotators", limit=None)
    assert set(first["row"][:8] % 5) == {3}
    assert any("50 % of the people in the source gave another label" in reason for reason in first["reasons"][0])
    np.testing.assert_allclose(run.audit.evidence().disagreement, np.array(SHARES * 8, np.float32))
    models = run.audit.suspects(limit=None)
    assert list(models["row"][:8] % 5) != [3] * 8, "the default order asks the models alone"


def test_one_label_per_example_has_neither_filter_nor_witness(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    run = scored(workspace, workspace.import_dataset(votes_csv(tmp_path), text="text", label="ann").id)
    entry = next(entry for entry in run.audit.witnesses() if entry.name == "annotators")
    assert not entry.available and "--annotators" in entry.remedy
    assert run.audit.evidence().disagreement is None and "disagreement" not in run.ranked().columns
    with pytest.raises(NotFoundError, match="one label per example"):
        run.ranked(where=ExampleFilter(disagreement=EVERYBODY_AGREES))
    with pytest.raises(NotFoundError, match="Annotators disagree has nothing to go by"):
        run.audit.suspects("annotators")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "datasets"])
def test_exports_hold_every_vote_and_the_majority(run: Run, tmp_path: Path, form: str) -> None:
    from datasets import load_from_disk

    run.pruning.plan(Policy("random", keep=100.0)).export(tmp_path / "out", format=form)
    if form == "datasets":
        loaded = load_from_disk(str(tmp_path / "out"))["train"]
        frame = loaded.to_pandas().assign(label=[loaded.features["label"].int2str(code) for code in loaded["label"]])
    else:
        path = next((tmp_path / "out").glob(f"*.{form}"))
        frame = {
            "csv": lambda: pd.read_csv(path, keep_default_na=False),
            "jsonl": lambda: pd.read_json(path, lines=True),
            "parquet": lambda: pd.read_parquet(path),
        }[form]()
    assert list(frame.columns) == ["text", "ann", "bob", "cy", "label"]
    assert [tuple(votes) for votes in frame[["ann", "bob", "cy"]].to_numpy()] == GIVEN * 8
    assert list(frame["label"]) == ["a", "a", "b", "b", "b"] * 8
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text())["dataset"]
    assert facts["mapping"]["annotators"] == ["ann", "bob", "cy"]
    assert (facts["votes"]["people"], facts["votes"]["contested"], facts["votes"]["ties"]) == (3, 24, 8)


def test_an_export_says_whose_labels_it_holds_and_is_written_again(tmp_path: Path) -> None:
    """A corrected label changes the label's column alone."""
    workspace = Workspace(tmp_path / "home")
    dataset = workspace.import_dataset(votes_csv(tmp_path), text="text", annotators=["ann", "bob", "cy"])
    run = scored(workspace, dataset.id)
    dataset.decide([0], "relabel", annotator="lead", label="b")
    run.pruning.plan(Policy("random", keep=100.0)).export(tmp_path / "out", format="csv")
    workspace.export_again(tmp_path / "out" / "manifest.json", tmp_path / "again")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert all((tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)
    first = pd.read_csv(tmp_path / "out" / "train.csv").iloc[0]
    assert tuple(first[["ann", "bob", "cy", "label", "original_label"]]) == ("a", "a", "a", "b", "a")
    card = section(json.loads((tmp_path / "out" / "manifest.json").read_text()), CardProof())
    assert "### Labels by several people" in card and "24 of 40 rows" in card and "8 of 40 rows people are tied" in card
    workspace.delete(dataset)
    workspace.restore(f"dataset:{dataset.id}")
    assert workspace.dataset(dataset.id).manifest.mapping.annotators == ("ann", "bob", "cy")


def test_in_a_noise_check_people_are_no_witness(run: Run) -> None:
    """They spoke of the labels as they were."""
    labels = run.audit.evidence().labels
    workspace = Workspace(Path(run.store.files.root))
    check = workspace.create_run(run.config, name="check", origin="noise", parent=run)
    for point in run.checkpoints():
        logits = np.zeros((ROWS, 2), dtype=np.float32)
        table = made_up_scores(run.store.files, run.dataset.manifest, 0, point, logits)
        flipped = table.set_column(table.schema.get_field_index("label"), "label", pa.array(1 - labels, pa.int32()))
        ScoreFiles(run.store.files, check.id).write_scores(0, point, flipped)
    assert Audit(check).evidence(1.0).disagreement is None


def test_the_command_line_imports_and_filters(tmp_path: Path) -> None:
    home, path = tmp_path / "home", votes_csv(tmp_path)
    done = inside("import", str(path), "--text", "text", "--annotators", "ann, bob,cy", home=home)
    assert done.returncode == 0, done.stderr
    assert "what most of 3 people (columns ann, bob, cy) say" in done.stderr
    assert "24 of 40 rows (60.0%)" in done.stderr and "(option --skip-ties)" in done.stderr
    left = inside("import", str(path), "--text", "text", "--annotators", "ann,bob,cy", "--skip-ties", home=home)
    assert "32 examples" in left.stdout and "tie between people" in left.stdout
    one = inside("import", str(path), "--text", "text", "--annotators", "ann", home=home)
    assert one.returncode == 2 and "one label per row" in one.stderr
    none = inside("import", str(path), "--text", "text", home=home)
    assert none.returncode == 2 and "needs --label." in none.stderr and "--annotators" in none.stderr
    workspace = Workspace(home)
    run = scored(workspace, next(entry.id for entry in workspace.datasets() if entry.rows == ROWS))
    ranked = inside("rank", run.id, "--disagreement", "0.5:", "--json", home=home)
    assert json.loads(ranked.stdout)["count"] == 8, ranked.stderr
    listed = inside("suspects", run.id, "--by", "annotators", "--top", "1", "--json", home=home)
    assert json.loads(listed.stdout)["suspects"][0]["row"] % 5 == 3
