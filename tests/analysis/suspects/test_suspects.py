"""Suspects, against the same computed one example at a time."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diet_explorer import ExampleFilter
from diet_explorer.analysis.suspects.evidence import Opinion, heard
from diet_explorer.analysis.suspects.noise import flipped_labels, noise_report, precision_at
from diet_explorer.analysis.suspects.suspicions import combined, confident_learning
from diet_explorer.analysis.suspects.table import KINDS
from diet_explorer.analysis.suspects.witnesses import WITNESSES
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.rows import RunRows
from diet_explorer.training.config import RunConfig
from diet_explorer.training.folds import assign_folds
from diet_explorer.workspace.workspace import Workspace
from tests.synthetic import write_dataset, write_scores
from tests.tiny_runs import inside

CLASSES = ["bad", "fine", "good"]
ROWS, TRAIN, SEEDS, POINTS, FOLDS = 40, 32, (0, 1), (0.0, 0.5, 1.0, 2.0), 4
FOLD_POINTS = (1.0, 2.0, 3.0)
OWN = np.arange(ROWS)


def softmax(z):
    exponents = np.exp(z - z.max())
    return exponents / exponents.sum()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of random logits with a k-fold training, and all of its numbers."""
    workspace = Workspace(tmp_path_factory.mktemp("suspects"))
    random = np.random.default_rng(3)
    labels = random.integers(0, 3, ROWS)
    splits = ["train"] * TRAIN + ["test"] * (ROWS - TRAIN)
    manifest = write_dataset(workspace.context.files, [f"text {row}" for row in OWN], labels, CLASSES, splits)
    config = RunConfig(manifest.id, epochs=2, seeds=2, checkpoints=POINTS, grand="head")
    run = workspace.create_run(config, name="run", origin="job")
    lean = 2.0 * np.eye(3)[np.where(random.random(ROWS) < 0.7, labels, random.integers(0, 3, ROWS))]
    logits = {}
    for seed in SEEDS:
        for point in POINTS:
            logits[seed, point] = (lean * point + random.normal(0, 1, (ROWS, 3))).astype(np.float32)
            write_scores(workspace.context.files, manifest, run.id, seed, point, logits[seed, point])
    workspace.context.records.set_status(run.id, "succeeded")
    run = run.refresh()
    alone = run.audit.suspects(limit=None)
    child = workspace.create_run(
        replace(config, epochs=3, checkpoints=FOLD_POINTS, seeds=FOLDS, own_rows=True, ranked=False),
        name="folds",
        origin="folds",
        parent=run,
    )
    parts = assign_folds(labels[:TRAIN], np.full(TRAIN, -1), FOLDS, 0)
    folded = {}
    for fold in range(FOLDS):
        kept = np.flatnonzero(parts != fold)
        RunRows(workspace.context.files, child.id).write_training(fold, kept, labels[kept])
        for point in FOLD_POINTS:
            folded[fold, point] = (lean + random.normal(0, 1, (ROWS, 3))).astype(np.float32)
            write_scores(workspace.context.files, manifest, child.id, fold, point, folded[fold, point], ranked=False)
    workspace.context.records.set_status(child.id, "succeeded")
    return run, labels, logits, parts, folded, alone


def trailing(logits, label):
    probabilities = softmax(logits)
    return (1 - probabilities[label] + np.delete(probabilities, label).max()) / 2


def opinions(made, row):
    """How far the label trails: of the run's models, of models of folds that saw the example, of half-trained ones that
    did not."""
    _, labels, logits, parts, folded, _ = made
    own = [logits[seed, point][row] for seed in SEEDS for point in (1.0, 2.0)]
    seen = [folded[fold, point][row] for fold in range(FOLDS) if parts[row] != fold for point in FOLD_POINTS]
    unseen = [folded[parts[row], point][row] for point in (2.0, 3.0)]
    halving = [0.5**place for place in range(len(FOLD_POINTS))]
    weights = ([1, 0.5] * len(SEEDS), halving * (FOLDS - 1), [1, 1])
    groups = zip((own, seen, unseen), weights, strict=True)
    return [np.average([trailing(z, labels[row]) for z in zs], weights=counts) for zs, counts in groups]


def believed_unseen(made, row):
    """Mean probabilities of half-trained models that did not see an example."""
    parts, folded = made[3], made[4]
    return np.mean([softmax(folded[parts[row], point][row]) for point in (2.0, 3.0)], axis=0)


def test_the_combination_is_the_mean_of_three_groups_of_models(made):
    run = made[0]
    found = run.audit.suspects(limit=None).set_index("row")
    expected = pd.Series(
        {row: np.average(opinions(made, row), weights=[len(SEEDS), 0.5, 0.25]) for row in range(TRAIN)}
    )
    np.testing.assert_allclose(found["suspicion"][expected.index], expected, rtol=1e-5)
    assert found.index.tolist() == expected.sort_values(ascending=False).index.tolist()
    assert found["place"].tolist() == list(range(1, TRAIN + 1))
    assert run.audit.order().tolist() == found.index.tolist()


def opinion(trailing, votes=1):
    trailing = np.asarray(trailing, dtype=np.float32)
    return Opinion(
        np.zeros((len(trailing), 2), dtype=np.float32), trailing, np.full(len(trailing), votes, dtype=np.int32)
    )


@pytest.fixture(scope="module")
def evidence(made):
    return made[0].audit.evidence()


@given(seed=st.integers(0, 99), count=st.integers(2, 30), times=st.integers(1, 9), seeds=st.integers(1, 9))
def test_more_of_the_same_evidence_changes_nothing(evidence, seed, count, times, seeds):
    random = np.random.default_rng(seed)
    own, seen, unseen = random.uniform(0, 1, (3, count))
    unseen[0] = np.nan  # of an example that no fold was asked about
    base = replace(evidence, rows=np.arange(count), seen=opinion(own), folds_seen=None, unseen=None, seeds=seeds)
    folds = replace(base, folds_seen=opinion(seen), unseen=opinion(unseen))
    assert np.array_equal(combined(base), own.astype(np.float32))
    repeated = replace(folds, seen=opinion(own, times), folds_seen=opinion(seen, times), unseen=opinion(unseen, times))
    assert np.array_equal(combined(repeated), combined(folds))
    agreeing = replace(base, folds_seen=opinion(own), unseen=opinion(np.where(np.isnan(unseen), np.nan, own)))
    np.testing.assert_allclose(combined(agreeing), own, rtol=1e-5)
    assert combined(folds)[0] == pytest.approx((seeds * own[0] + seen[0] / 2) / (seeds + 0.5), rel=1e-5)
    # however wrong they are, all folds together weigh less than a seed
    assert np.abs(combined(folds) - combined(base)).max() < 1 / (seeds + 1)


@pytest.mark.parametrize(
    ("points", "counting"),
    [
        ((0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0), [1.0, 2.0, 3.0]),
        ((0.0, 0.25, 0.5), [0.5]),
        ((0.5, 1.4, 1.7), [1.4, 1.7]),
        ((0.5, 0.99, 1.5, 2.01), [0.99, 2.01]),
    ],
)
def test_the_ends_of_epochs_are_heard(points, counting):
    assert heard(points) == counting


def test_without_folds_the_models_of_the_run_are_all_there_is(made):
    _, labels, logits, _, _, alone = made
    for entry in alone.to_dict("records"):
        row = entry["row"]
        zs = [logits[seed, point][row] for seed in SEEDS for point in (1.0, 2.0)]
        expected = np.average([trailing(z, labels[row]) for z in zs], weights=[1, 0.5] * len(SEEDS))
        assert entry["suspicion"] == pytest.approx(expected, rel=1e-5)


def test_suggestions_are_accepted_in_one_event(made):
    run = made[0]
    found = run.audit.suspects(limit=None).sort_values("row")
    believed = found.set_index("row")["suggested"].dropna()
    assert run.audit.suggestions().to_dict() == believed.to_dict()
    expected = believed[:3].to_dict()
    assert len(set(expected.values())) > 1
    certain = found[found["suggested"].isna()]["id"].tolist()
    where = ExampleFilter(ids=(*found[found["row"].isin(expected)]["id"], *certain[:4]))
    assert run.audit.suggestions(where).to_dict() == expected
    event = run.review.accept_suggestions(where, annotator="ann")
    assert event.rows.tolist() == list(expected) and event.seen["suggestions"] == "accepted"
    held = run.dataset.ledger.table().to_pandas().set_index("row")
    assert held["label"].to_dict() == expected and set(held["state"]) == {"relabel"}
    assert run.dataset.undo("ann").undoes == event.id
    assert run.dataset.ledger.table().num_rows == 0
    with pytest.raises(NotFoundError, match="None of these examples has a suggested label"):
        run.review.accept_suggestions(ExampleFilter(ids=tuple(certain)), annotator="ann")


def test_the_command_accepts_the_suggestions_of_a_run(made):
    run = made[0]
    found = run.audit.suspects(limit=None)
    named = pd.concat([found[found["suggested"].notna()][:3], found[found["suggested"].isna()][:2]])
    home = run.context.settings.home_folder
    command = ["decide", run.dataset.id, *named["id"], "--accept-suggestions", run.id, "--annotator", "cli"]
    done = inside(*command, "--json", home=home)
    event = json.loads(done.stdout)
    assert done.returncode == 0 and event["count"] == 3
    labels = event.get("labels") or [event["label"]] * 3
    suggested = named.set_index("id")["suggested"].dropna().to_dict()
    assert dict(zip(event["ids"], labels, strict=True)) == suggested
    assert "relabel" in inside("decisions", "list", run.dataset.id, home=home).stdout
    run.dataset.undo("cli")
    told = inside(*command, home=home)
    assert "for 3 of" in told.stdout and "2 without a suggestion stay as they are" in told.stdout
    run.dataset.undo("cli")
    for wrong, words in [(["--action", "keep"], "without an action"), (None, "No decision was given")]:
        arguments = command + wrong if wrong else command[:-4]
        refused = inside(*arguments, home=home)
        assert refused.returncode == 2 and words in refused.stderr


def test_suggestions_and_kinds(made):
    run, labels, logits, _, _, _ = made
    for entry in run.audit.suspects(limit=None).to_dict("records"):
        row, label = entry["row"], labels[entry["row"]]
        believed = believed_unseen(made, row)
        best = max((code for code in range(3) if code != label), key=lambda code: believed[code])
        contradicted = believed[best] > believed[label]
        assert entry["suggested"] == (CLASSES[best] if contradicted else None)
        assert entry["suggested_share"] == pytest.approx(believed[best], rel=1e-5)
        right = {seed: [logits[seed, point][row].argmax() == label for point in POINTS[1:]] for seed in SEEDS}
        never = np.mean([not any(course) for course in right.values()]) >= 0.5
        late = np.mean([any(course) and not all(course[1:]) for course in right.values()]) >= 0.5
        p_label = [[softmax(logits[seed, point][row])[label] for point in POINTS[1:]] for seed in SEEDS]
        unsteady = np.mean(np.std(p_label, axis=1)) >= 0.2
        code = 0 if never and contradicted else 1 if never or contradicted or late else 2 if unsteady else 3
        assert entry["kind"] == KINDS[code]


def test_each_witness_ranks_by_its_own_measure(made):
    run, labels, logits, _, _, _ = made
    label_of = labels[:TRAIN]
    measures = {
        "el2n": lambda row: np.mean(
            [np.linalg.norm(softmax(logits[seed, 1.0][row]) - np.eye(3)[labels[row]]) for seed in SEEDS]
        ),
        "aum": lambda row: (
            -np.mean(
                [
                    z[labels[row]] - np.delete(z, labels[row]).max()
                    for (_, p), zs in logits.items()
                    if p
                    for z in [zs[row]]
                ]
            )
        ),
        "oos": lambda row: 1 - believed_unseen(made, row)[labels[row]],
    }
    for name, measure in measures.items():
        values = np.array([measure(row) for row in range(TRAIN)])
        assert run.audit.order(name).tolist() == np.argsort(-values, kind="stable").tolist(), name
    believed = np.stack([believed_unseen(made, row) for row in range(TRAIN)])
    flagged = confident_learning(believed, label_of)
    assert set(run.audit.order("confident")[: flagged.sum()]) == set(np.flatnonzero(flagged))
    available = {entry.name for entry in run.audit.witnesses() if entry.available}
    assert available == {"combined", "el2n", "aum", "never_learned", "oos", "confident"}
    assert [entry.name for entry in run.audit.witnesses()] == [entry.name for entry in WITNESSES]
    with pytest.raises(NotFoundError, match="Neighbours has nothing to go by") as caught:
        run.audit.suspects(by="neighbours")
    assert "embedding map" in caught.value.remedy


def test_confident_learning_is_the_definition(made):
    """Northcutt et al. 2021: surer of another class than the mean over that class' own examples."""
    labels = made[1][:TRAIN]
    believed = np.stack([believed_unseen(made, row) for row in range(TRAIN)])
    thresholds = [believed[labels == code, code].mean() for code in range(3)]
    for row in np.flatnonzero(confident_learning(believed, labels)):
        confident = [code for code in range(3) if believed[row, code] >= thresholds[code] - 1e-6]
        assert max(confident, key=lambda code: believed[row, code]) != labels[row]


def test_filter_page_and_reasons(made):
    run, labels = made[0], made[1]
    where = ExampleFilter(labels=("bad",))
    kept = run.audit.suspects(where=where, limit=None)
    assert set(kept["row"]) == set(np.flatnonzero(labels[:TRAIN] == 0))
    page = run.audit.suspects(where=where, limit=3, offset=2)
    assert page["row"].tolist() == kept["row"].tolist()[2:5]
    worst = run.audit.suspect(int(run.audit.order()[0]))
    assert (worst.place, worst.total) == (1, TRAIN)
    assert {"oos", "el2n", "aum"} & {reason.witness for reason in worst.reasons}
    oos = [reason.words for reason in worst.reasons if reason.witness == "oos"]
    assert all("never saw it" in words and CLASSES[labels[worst.row]] in words for words in oos)
    assert run.audit.suspect(int(run.audit.order()[-1])).reasons == ()
    with pytest.raises(NotFoundError, match=f"Row {TRAIN} is no training example"):
        run.audit.suspect(TRAIN)


def test_duplicates_and_neighbours_are_heard(tmp_path):
    workspace = Workspace(tmp_path)
    lines = ["a good film indeed it was", "a good film indeed it was", "quite another text", "and one more of them"]
    source = tmp_path / "set.csv"
    source.write_text("text,label\n" + "\n".join(f"{t},{c}" for t, c in zip(lines, "abab", strict=True)))
    dataset = workspace.import_dataset(source, text="text", label="label")
    run = workspace.create_run(RunConfig(dataset.id, grand="off"), name="run", origin="job")
    write_scores(workspace.context.files, dataset.manifest, run.id, 0, 1.0, np.zeros((4, 2)))
    embeddings = EmbeddingFiles(workspace.context.files, run.id)
    import pyarrow as pa

    near = np.full((4, 10), -1, dtype=np.int32)
    near[2, :3] = [0, 1, 3]
    table = pa.table({"row": np.arange(4), "neighbours": pa.FixedSizeListArray.from_arrays(near.ravel(), 10)})
    embeddings.write_table(embeddings.paths.neighbours("tuned"), table)
    assert set(run.audit.order("duplicate")[:2]) == {0, 1}
    assert "duplicate" in {reason.witness for reason in run.audit.suspect(0).reasons}
    assert run.audit.order("neighbours")[0] == 2
    words = next(reason.words for reason in run.audit.suspect(2).reasons if reason.witness == "neighbours")
    assert words.startswith("67 % of the nearest examples")


def test_nothing_can_be_doubted_before_anything_is_learned(tmp_path):
    workspace = Workspace(tmp_path)
    manifest = write_dataset(workspace.context.files, ["a", "b"], [0, 1], ["x", "y"])
    run = workspace.create_run(RunConfig(manifest.id), name="r", origin="job")
    write_scores(workspace.context.files, manifest, run.id, 0, 0.0, np.zeros((2, 2)))
    with pytest.raises(NotFoundError, match="Nothing has been learned by checkpoint 0"):
        run.audit.suspects()


@given(data=st.data(), rows=st.integers(4, 60), folds=st.integers(2, 4), seed=st.integers(0, 5))
def test_folds_are_even_and_keep_duplicates_together(data, rows, folds, seed):
    labels = data.draw(arrays(np.int32, rows, elements=st.integers(0, 2)))
    alone = np.full(rows, -1)
    parts = assign_folds(labels, alone, folds, seed)
    for chosen in (np.ones(rows, bool), *(labels == code for code in range(3))):
        sizes = np.bincount(parts[chosen], minlength=folds)
        assert sizes.max() - sizes.min() <= 1
    groups = data.draw(arrays(np.int32, rows, elements=st.integers(-1, 3)))
    parts = assign_folds(labels, groups, folds, seed)
    assert all(len(set(parts[groups == group])) <= 1 for group in range(4))
    assert set(parts) <= set(range(folds))
    assert np.array_equal(parts, assign_folds(labels, groups, folds, seed))


@given(
    rows=st.integers(8, 80),
    share=st.floats(0.1, 0.5),
    mode=st.sampled_from(["uniform", "class-conditional"]),
    seed=st.integers(0, 9),
)
def test_flips_change_the_share_and_always_the_class(rows, share, mode, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, rows)
    believed = random.dirichlet([1, 1, 1], rows)
    new = flipped_labels(labels, share, mode, seed, believed)
    assert (new != labels).sum() == round(share * rows)
    assert set(new) <= {0, 1, 2}
    assert np.array_equal(new, flipped_labels(labels, share, mode, seed, believed))


def test_class_conditional_flips_follow_what_models_mix_up():
    labels = np.repeat([0, 1, 2], 4000)
    believed = np.array([[0.5, 0.4, 0.1], [0.2, 0.7, 0.1], [0.3, 0.0, 0.7]])[labels]
    new = flipped_labels(labels, 0.5, "class-conditional", 0, believed)
    flips = pd.crosstab(labels[new != labels], new[new != labels], normalize="index").reindex(columns=range(3))
    np.testing.assert_allclose(flips.fillna(0), [[0, 0.8, 0.2], [2 / 3, 0, 1 / 3], [1, 0, 0]], atol=0.03)
    even = flipped_labels(labels, 0.5, "uniform", 0, believed)
    np.testing.assert_allclose(
        pd.crosstab(labels, even, normalize="index"), np.full((3, 3), 0.25) + np.eye(3) / 4, atol=0.03
    )


def test_noise_that_cannot_be_made_is_refused():
    with pytest.raises(BadInputError, match=r"share of labels to flip is 0\.6"):
        flipped_labels(np.array([0, 1]), 0.6, "uniform", 0, np.ones((2, 2)))
    with pytest.raises(BadInputError, match="not even one"):
        flipped_labels(np.array([0, 1]), 0.1, "uniform", 0, np.ones((2, 2)))
    with pytest.raises(BadInputError, match="one class only"):
        flipped_labels(np.array([0, 0]), 0.5, "uniform", 0, np.ones((2, 1)))


values = arrays(np.float64, 12, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


@given(suspicion=values, wrong=arrays(np.bool_, 12), count=st.integers(1, 12))
def test_precision_at_gives_ties_their_own_share(suspicion, wrong, count):
    random = np.random.default_rng(0)  # ties at the cut: the mean over their random orders
    drawn = [wrong[np.lexsort((random.random(12), -suspicion))[:count]].mean() for _ in range(3000)]
    assert precision_at(wrong, suspicion, count) == pytest.approx(np.mean(drawn), abs=0.05)


def test_the_noise_report_puts_the_best_witness_first():
    wrong = np.arange(20) < 2
    report = noise_report(wrong, {"el2n": -np.arange(20.0), "aum": np.arange(20.0)})
    assert report["witness"].tolist() == ["el2n", "aum"]
    best = report.iloc[0]
    assert (best["average_precision"], best["precision"], best["precision_0.05"], best["chance"]) == (1, 1, 1, 0.1)
    assert report["average_precision"].iloc[1] == pytest.approx((1 / 19 + 2 / 20) / 2)


def test_where_nothing_is_wrong_there_is_no_average_precision():
    assert np.isnan(noise_report(np.zeros(20, dtype=bool), {"el2n": np.arange(20.0)})["average_precision"].iloc[0])
