"""Outputs of any model recorded as a run: every score by hand, other orders of rows and classes, refusals."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from diet_explorer import ExampleFilter, Workspace
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.scoring.given_outputs import SMALLEST, GivenOutputs
from diet_explorer.store.scores import logits_of
from tests.synthetic import write_dataset

LABELS = np.array([2, 0, 1, 1, 0, 2])
CLASSES = ["x", "y", "z"]
SPLITS = ["train", "train", "test", "train", "train", "train"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    place = Workspace(tmp_path_factory.mktemp("recorded"))
    write_dataset(place.context.files, [f"t{n}" for n in range(6)], list(LABELS), CLASSES, SPLITS)
    return place


@pytest.fixture(scope="module")
def dataset(workspace):
    return workspace.datasets()[0]


def random_probabilities(*shape, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(3), size=shape)


def test_probabilities_of_an_estimator_are_a_run_to_rank_and_review(workspace, dataset):
    features = np.random.default_rng(1).normal(size=(6, 4))
    names = np.array(CLASSES)[LABELS]
    model = LogisticRegression().fit(features, names)
    probabilities = model.predict_proba(features)
    run = workspace.record(
        dataset, probabilities, kind="probabilities", classes=model.classes_, model="logistic regression"
    )
    assert (run.status, run.record.origin, run.checkpoints()) == ("succeeded", "record", [1.0])
    assert run.name.endswith("· logistic regression") and run.progress().share == 1
    scores = run.scores().set_index("id")
    residual = probabilities - np.eye(3)[LABELS]
    order = [f"t{n}" for n in range(6)] if "t0" in scores.index else list(scores.index)
    np.testing.assert_allclose(scores.loc[order, "el2n"], np.linalg.norm(residual, axis=1), rtol=1e-5)
    np.testing.assert_allclose(scores.loc[order, "p_label"], probabilities[np.arange(6), LABELS], rtol=1e-5)
    assert "grand" not in scores
    ranked = run.ranked("el2n", 1.0, limit=None)
    assert list(ranked["el2n"]) == sorted(ranked["el2n"], reverse=True) and len(ranked) == 5
    run.dataset.decide([0], "exclude", annotator="ann")
    assert run.dataset.ledger.history(0)[-1].action == "exclude"
    with pytest.raises(BadInputError, match="it was imported"):
        run.cancel()
    for start in (run.audit.folds, run.audit.noise_check):  # else they would wait for a model that nobody has
        with pytest.raises(BadInputError, match="was imported"):
            start()
    assert run.children() == []


def test_epochs_and_seeds_give_dynamics_and_means(workspace, dataset):
    each = {0.5: random_probabilities(2, 6, seed=2), 2: random_probabilities(2, 6, seed=3)}
    run = workspace.record(dataset, each, kind="probabilities", name="two seeds")
    assert run.name == "two seeds" and run.checkpoints() == [0.5, 2.0] and run.config.seeds == 2
    page = run.ranked("el2n", 2.0, limit=None, where=ExampleFilter(splits=("train", "test"))).set_index("row")
    residual = each[2] - np.eye(3)[LABELS]
    np.testing.assert_allclose(page["el2n"].sort_index(), np.linalg.norm(residual, axis=-1).mean(0), rtol=1e-5)
    confidence = np.mean([each[point][:, np.arange(6), LABELS] for point in each], axis=(0, 1))
    np.testing.assert_allclose(page["confidence"].sort_index(), confidence, rtol=1e-5)
    assert run.progress().seeds[1].checkpoints[-1].checkpoint == 2.0


def test_a_list_holds_the_ends_of_epochs_and_some_rows_may_be_meant(workspace, dataset):
    logits = [np.random.default_rng(n).normal(size=(3, 3)) for n in range(2)]
    run = workspace.record(dataset, logits, kind="logits", rows=[5, 0, 3])
    assert run.checkpoints() == [1.0, 2.0]
    page = run.ranked("margin", 1.0, limit=None).set_index("row")
    assert sorted(page.index) == [0, 3, 5]
    for place, row in enumerate([5, 0, 3]):
        others = np.delete(logits[0][place], LABELS[row])
        assert page.loc[row, "margin"] == pytest.approx(logits[0][place][LABELS[row]] - others.max(), rel=1e-5)


@given(st.permutations(range(3)), st.permutations(range(6)), st.integers(0, 9))
def test_the_order_of_columns_and_rows_makes_no_difference(columns, rows, seed):
    probabilities = random_probabilities(6, seed=seed)
    plain = GivenOutputs(probabilities, LABELS, CLASSES, kind="probabilities")
    mixed = GivenOutputs(
        probabilities[rows][:, columns],
        LABELS,
        CLASSES,
        kind="probabilities",
        columns=[CLASSES[column] for column in columns],
        rows=rows,
    )
    (_, _, table), (_, _, other) = next(plain.tables()), next(mixed.tables())
    np.testing.assert_allclose(logits_of(other), logits_of(table), rtol=1e-5)
    assert other["label"].equals(table["label"]) and other["row"].equals(table["row"])


@pytest.mark.parametrize("table", [pd.DataFrame, lambda columns: pa.table(columns)], ids=["pandas", "arrow"])
def test_a_table_is_read_by_the_names_of_its_columns(table):
    probabilities = random_probabilities(6)
    plain = GivenOutputs(probabilities, LABELS, CLASSES, kind="probabilities")
    named = table({name: probabilities[:, CLASSES.index(name)] for name in ("z", "x", "y")})
    (_, _, expected), (_, _, read) = (
        next(each.tables()) for each in (plain, GivenOutputs(named, LABELS, CLASSES, kind="probabilities"))
    )
    np.testing.assert_allclose(logits_of(read), logits_of(expected), rtol=1e-5)
    with pytest.raises(BadInputError, match="in another order"):
        GivenOutputs(named, LABELS, CLASSES, kind="probabilities", columns=CLASSES)


def test_rows_of_a_table_that_were_shuffled_are_not_taken_for_the_datasets():
    numbered = pd.DataFrame(random_probabilities(6))  # columns 0, 1, 2: the dataset's order
    shuffled = numbered.loc[[3, 1, 0, 2, 5, 4]]
    with pytest.raises(BadInputError, match="not in ascending order"):
        GivenOutputs(shuffled, LABELS, CLASSES, kind="probabilities")
    plain = GivenOutputs(numbered, LABELS, CLASSES, kind="probabilities")
    mixed = GivenOutputs(shuffled, LABELS, CLASSES, kind="probabilities", rows=shuffled.index)
    (_, _, expected), (_, _, read) = next(plain.tables()), next(mixed.tables())
    np.testing.assert_allclose(logits_of(read), logits_of(expected), rtol=1e-5)


def test_masked_entries_are_missing_whatever_lies_below_them():
    probabilities = np.ma.masked_array(random_probabilities(6))
    (_, _, expected), (_, _, read) = (
        next(GivenOutputs(given, LABELS, CLASSES, kind="probabilities").tables())
        for given in (np.asarray(probabilities), probabilities)
    )
    assert read.equals(expected)
    probabilities[4, 1] = np.ma.masked
    with pytest.raises(BadInputError, match="for example 4 is not finite"):
        GivenOutputs([probabilities], LABELS, CLASSES, kind="probabilities")


def test_tensors_of_a_training_are_taken_as_they_are():
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16).requires_grad_()
    (_, _, table) = next(GivenOutputs(logits, LABELS, CLASSES, kind="logits").tables())
    np.testing.assert_array_equal(logits_of(table), logits.detach().float().numpy())


@pytest.mark.parametrize(
    ("classes", "columns"),
    [
        (["false", "true"], np.array([True, False])),
        (["False", "True"], [True, False]),
        (["0", "1"], np.array([1.0, 0.0])),
    ],
)
def test_an_estimator_names_booleans_and_numbers_as_numpy_does(classes, columns):
    probabilities = random_probabilities(6)[:, :2] * [0, 1] + [1, 0]
    probabilities /= probabilities.sum(1, keepdims=True)
    labels = np.zeros(6, dtype=int)
    (_, _, table) = next(GivenOutputs(probabilities, labels, classes, kind="probabilities", columns=columns).tables())
    np.testing.assert_allclose(table["p_label"], probabilities[:, 1], rtol=1e-5)


def test_certain_models_have_finite_scores():
    certain = np.eye(3)[[0, 0, 0, 1, 2, 2]]
    (_, _, table) = next(GivenOutputs(certain, LABELS, CLASSES, kind="probabilities").tables())
    assert np.isfinite(logits_of(table)).all()
    np.testing.assert_allclose(table["loss"].to_numpy().max(), -np.log(SMALLEST), rtol=1e-5)
    np.testing.assert_allclose(table["el2n"].to_numpy()[0], np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "settings", "words"),
    [
        (np.ones((6, 3)), {}, "no probabilities: they sum to 3"),
        (np.ones((5, 3)) / 3, {}, "are of 5 examples, and the dataset has 6"),
        (np.ones((6, 2)) / 2, {}, "2 columns for 3 classes"),
        (np.full((6, 3), np.nan), {"kind": "logits"}, "example 0 is not finite"),
        (np.ones(6), {}, r"have the shape \(6,\)"),
        ([["a", "b", "c"]] * 6, {}, "are no numbers"),
        ([], {}, "no outputs"),
        ({-1: np.ones((6, 3)) / 3}, {}, "checkpoint -1 is no number of epochs"),
        ({"one": np.ones((6, 3)) / 3}, {}, "'one' is no number"),
        (np.ones((6, 3)) / 3, {"kind": "scores"}, "kind of outputs 'scores'"),
        (np.ones((6, 3)) / 3, {"columns": ["x", "y", "w"]}, "columns are named x, y, w"),
        (pd.DataFrame(np.ones((6, 3)) / 3, columns=["p_z", "p_x", "p_y"]), {}, "columns are named p_z, p_x, p_y"),
        (np.ones((6, 3)) / 3, {"kind": "logits"}, "are probabilities: each row sums to 1"),
        (np.ones((2, 3)) / 3, {"rows": [4, 4]}, "row 4 is named twice"),
        (np.ones((1, 3)) / 3, {"rows": [6]}, "no row 6"),
        ({1: np.ones((2, 6, 3)) / 3, 2: np.ones((6, 3)) / 3}, {}, "2 at 1, 1 at 2"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(outputs, settings, words):
    with pytest.raises(BadInputError, match=words):
        GivenOutputs(outputs, LABELS, CLASSES, **{"kind": "probabilities", **settings})


def test_outputs_of_the_test_split_alone_question_no_label(workspace, dataset):
    run = workspace.record(dataset, random_probabilities(1), kind="probabilities", rows=[2])
    assert run.ranked(where=ExampleFilter(splits=("test",)))["row"].tolist() == [2]
    with pytest.raises(NotFoundError, match="no training example"):
        run.audit.suspects()


@pytest.mark.parametrize("names", [None, ["x", "y", "z", "w"]])
def test_a_class_that_the_dataset_has_not_is_told_with_what_to_do(names):
    with pytest.raises(BadInputError) as caught:
        GivenOutputs(np.ones((6, 4)) / 4, LABELS, CLASSES, kind="probabilities", columns=names)
    assert "leave out the columns" in caught.value.remedy and "column of zeros" in caught.value.remedy


def test_nothing_is_recorded_of_what_is_refused(workspace, dataset):
    before = len(workspace.runs())
    with pytest.raises(BadInputError):
        workspace.record(dataset, np.ones((6, 3)), kind="probabilities")
    assert len(workspace.runs()) == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_is_cut_off_is_no_run_and_leaves_nothing(workspace, dataset, monkeypatch, error):
    def runs():
        return [run.id for run in workspace.runs()]

    before, tables = runs(), GivenOutputs.tables
    folders = list(workspace.context.files.list(workspace.context.files.path("runs")))

    def cut_off(self):
        yield next(tables(self))
        assert runs() == before, "nobody sees it before it is whole"
        raise error

    monkeypatch.setattr(GivenOutputs, "tables", cut_off)
    with pytest.raises(type(error)):
        workspace.record(dataset, random_probabilities(2, 6), kind="probabilities")
    assert runs() == before
    assert workspace.context.files.list(workspace.context.files.path("runs")) == folders
