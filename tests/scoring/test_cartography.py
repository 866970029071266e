"""Training dynamics in Dataset Cartography's format: written, read back, and refused where they do not fit."""

import json

import numpy as np
import pytest

from diet_explorer import Workspace
from diet_explorer.errors import BadInputError
from diet_explorer.store.files import Files
from diet_explorer.training.config import RunConfig
from tests.synthetic import write_dataset, write_scores

IDS = ["7", "b b", 'c"c', "d", "e", "f"]
SPLITS = ["train", "train", "test", "train", "train", "train"]
LABELS = [2, 0, 1, 1, 0, 2]


@pytest.fixture
def made(tmp_path):
    workspace = Workspace(tmp_path / "home")
    files = Files(workspace.context.files.root)
    manifest = write_dataset(files, [f"t{n}" for n in range(6)], LABELS, ["x", "y", "z"], SPLITS, ids=IDS)
    dataset = workspace.dataset(manifest.id)
    config = RunConfig(manifest.id, epochs=2, checkpoints=(0, 0.5, 1, 2), grand="off")
    run = workspace.create_run(config, name="own", origin="job")
    random = np.random.default_rng(0)
    tables = {
        point: write_scores(workspace.context.files, manifest, run.id, 0, point, random.normal(size=(6, 3)))
        for point in (0.0, 0.5, 1.0, 2.0)
    }
    return workspace, dataset, run, tables


def test_a_round_trip_keeps_ids_and_logits(made, tmp_path):
    workspace, dataset, run, tables = made
    written = run.dynamics.export_cartography(tmp_path / "out" / "training_dynamics")
    assert [path.name for path in written] == ["dynamics_epoch_0.jsonl", "dynamics_epoch_1.jsonl"]
    lines = [json.loads(line) for line in written[1].read_text(encoding="utf-8").splitlines()]
    assert [line["guid"] for line in lines] == [key for key, split in zip(IDS, SPLITS, strict=True) if split == "train"]
    assert [line["gold"] for line in lines] == [2, 0, 1, 0, 2]
    np.testing.assert_allclose(
        [line["logits_epoch_1"] for line in lines], np.stack(tables[2.0]["logits"])[[0, 1, 3, 4, 5]]
    )
    again = workspace.import_cartography(dataset, tmp_path / "out")
    assert (again.status, again.record.origin, again.checkpoints()) == ("succeeded", "cartography", [1.0, 2.0])
    assert again.progress().share == 1 and len(again.progress().seeds[0].checkpoints) == 2
    page = again.ranked("el2n", 2.0, limit=None).set_index("row")
    assert sorted(page.index) == [0, 1, 3, 4, 5]  # the test example is in no file
    for row, entry in page.iterrows():
        assert entry["el2n"] == pytest.approx(tables[2.0]["el2n"][row], rel=1e-5)
        both = [tables[point]["p_label"][row] for point in (1.0, 2.0)]
        assert entry["confidence"] == pytest.approx(np.mean(both), rel=1e-5)
        assert entry["id"] == IDS[row] and entry["text"] == f"t{row}"
    moved = run.dynamics.compare(again, "el2n", 2.0, limit=None)
    assert sorted(moved["row"]) == [0, 1, 3, 4, 5] and moved["moved"].abs().max() == pytest.approx(0, abs=1e-4)
    assert again.dynamics.compare_summary(run, "el2n", 2.0).spearman == pytest.approx(1)
    assert again.card(3).types[None] in ("learned early", "learned late", "forgotten", "never learned")
    with pytest.raises(BadInputError, match="it was imported"):
        again.cancel()


def lines_of(order=(2, 0, 1), **changes):
    """Two examples whose `gold` numbers the classes in another order than the dataset does."""
    golds = [order.index(label) for label in (2, 0)]
    logits = [[0.1, 0.2, 0.3], [3, 2, 1]]
    lines = [{"guid": key, "logits_epoch_0": z, "gold": g} for key, z, g in zip((7, "b b"), logits, golds, strict=True)]
    lines[1] |= changes
    return lines


def write(folder, lines, epoch=0):
    folder.mkdir(exist_ok=True)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / f"dynamics_epoch_{epoch}.jsonl").write_text(text, encoding="utf-8")


def test_gold_may_number_the_classes_in_its_own_order(made, tmp_path):
    workspace, dataset, _, _ = made
    write(tmp_path / "own", lines_of())
    run = workspace.import_cartography(dataset, tmp_path / "own", name="theirs")
    card = run.card(0)
    shares = np.exp([0.1, 0.2, 0.3]) / np.exp([0.1, 0.2, 0.3]).sum()
    assert card.probabilities(1.0)["z"] == pytest.approx(shares[0], rel=1e-6)  # their class 0 is the dataset's z
    assert card.probabilities(1.0)["x"] == pytest.approx(shares[1], rel=1e-6)
    assert run.name == "theirs"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{'guid'}", *lines_of()], r"dynamics_epoch_0.jsonl cannot be read"),
        ([*lines_of(), '{"guid": "d", "logits'], r"cannot be read: .*line"),
        (["{"], r"has 1 lines, but only 0 can be read"),
        ([], r"is empty"),
        (lines_of(guid="nobody"), r"names the example 'nobody', which the dataset does not have"),
        (lines_of(guid="7"), r"names the example '7' twice"),
        (lines_of(logits_epoch_0=[1, 2]), r"does not have 3 finite logits for the example 'b b'"),
        (lines_of(logits_epoch_0=[1, 2, None]), r"does not have 3 finite logits for the example 'b b'"),
        (lines_of(gold=0), r"gives the example '.*' of the class '.' the number 0 as gold"),
        (lines_of(gold=None), r"the number -1 as gold"),
    ],
)
def test_what_does_not_fit_is_named(made, tmp_path, lines, message):
    workspace, dataset, _, _ = made
    write(tmp_path / "bad", lines)
    with pytest.raises(BadInputError, match=message):
        workspace.import_cartography(dataset, tmp_path / "bad")
    assert len(workspace.runs()) == 1


def test_every_epoch_has_the_same_examples(made, tmp_path):
    workspace, dataset, _, _ = made
    write(tmp_path / "two", lines_of())
    write(tmp_path / "two", [{"guid": "7", "logits_epoch_1": [1, 2, 3], "gold": 2}], epoch=1)
    with pytest.raises(BadInputError, match="other examples than the file of the first epoch"):
        workspace.import_cartography(dataset, tmp_path / "two")
    with pytest.raises(BadInputError, match=r"no dynamics_epoch_N\.jsonl"):
        workspace.import_cartography(dataset, tmp_path)
